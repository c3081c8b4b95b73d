"""The SQL of stored search answers."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, func, select, true, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.movies.models import SearchAnswer
from app.movies.repository import MovieRow, movie_rows

KEPT = timedelta(days=1)
# So many expired answers go with each new one: the table stays as large as a day's, and no statement grows long.
PURGED_AT_ONCE = 20


class SearchAnswerRepository:
    """Reads and writes stored answers; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, provider: str, expression: str) -> list[MovieRow] | None:
        """The movies that `provider` answered with less than a day ago, or None where it was not asked."""
        ids = func.unnest(SearchAnswer.movie_ids).table_valued("id", with_ordinality="position")
        hit = ids.render_derived(name="hit")
        movies = movie_rows().subquery("movies")
        rows = await self._session.execute(
            select(movies)
            .select_from(SearchAnswer)
            .outerjoin(hit, true())
            .outerjoin(movies, movies.c.id == hit.c.id)
            .where(
                SearchAnswer.provider == provider,
                SearchAnswer.expression == expression,
                SearchAnswer.stored_at > func.now() - KEPT,
            )
            .order_by(hit.c.position)
        )
        answer = rows.all()
        # An empty answer comes as one row of nulls, and so does a movie that is no longer stored.
        return [row for row in answer if row.id is not None] if answer else None

    async def purge(self) -> None:
        """Drop every answer that has expired."""
        await self._session.execute(delete(SearchAnswer).where(SearchAnswer.stored_at < func.now() - KEPT))

    async def put(self, provider: str, expression: str, movie_ids: Sequence[int]) -> None:
        """Keep an answer, and drop some that have expired."""
        expired = (
            select(SearchAnswer.provider, SearchAnswer.expression)
            .where(SearchAnswer.stored_at < func.now() - KEPT)
            .limit(PURGED_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        await self._session.execute(
            delete(SearchAnswer).where(tuple_(SearchAnswer.provider, SearchAnswer.expression).in_(expired))
        )
        answer = insert(SearchAnswer).values(
            provider=provider, expression=expression, movie_ids=list(movie_ids), stored_at=func.now()
        )
        await self._session.execute(
            answer.on_conflict_do_update(
                index_elements=[SearchAnswer.provider, SearchAnswer.expression],
                set_={"movie_ids": answer.excluded.movie_ids, "stored_at": answer.excluded.stored_at},
            )
        )
