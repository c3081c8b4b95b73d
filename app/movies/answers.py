"""Search answers, which are kept for a day."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ARRAY, BigInteger, Insert, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.core.driver_statement import DriverStatement
from app.movies.models import SearchAnswer

KEPT = timedelta(days=1)


class SearchAnswers:
    """The stored answers of search providers: the ids of the movies that they found."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, provider: str, expression: str) -> Sequence[int] | None:
        """What `provider` answered with less than a day ago, or None where it was not asked."""
        rows = await self._database.fetch(_GET, asked=provider, words=expression)
        return rows[0]["movie_ids"] if rows else None

    async def put(self, provider: str, expression: str, movie_ids: Sequence[int]) -> None:
        """Keep an answer."""
        await self._database.fetch(_PUT, asked=provider, words=expression, found=list(movie_ids))


async def purge_search_answers(session: AsyncSession) -> None:
    """Drop every answer that has expired."""
    await session.execute(delete(SearchAnswer).where(SearchAnswer.stored_at < func.now() - KEPT))


def _put() -> Insert:
    answer = insert(SearchAnswer).values(
        provider=bindparam("asked"),
        expression=bindparam("words"),
        movie_ids=bindparam("found", type_=ARRAY(BigInteger)),
        stored_at=func.now(),
    )
    return answer.on_conflict_do_update(
        index_elements=[SearchAnswer.provider, SearchAnswer.expression],
        set_={"movie_ids": answer.excluded.movie_ids, "stored_at": answer.excluded.stored_at},
    )


_PUT = DriverStatement.of(_put())
_GET = DriverStatement.of(
    select(SearchAnswer.movie_ids).where(
        SearchAnswer.provider == bindparam("asked"),
        SearchAnswer.expression == bindparam("words"),
        SearchAnswer.stored_at > func.now() - KEPT,
    )
)
