"""The SQL of recommendations and top movies, as they are stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, delete, exists, false, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.selectable import TableValuedAlias

from app.ai.models import Recommendations, TopMovie
from app.auth.models import User
from app.core.leases import is_leased
from app.movies.models import Like, Movie, WatchLater
from app.movies.repository import MovieRow, movie_rows


class Source(StrEnum):
    """Who chose the movies."""

    CLAUDE = "claude"
    CATALOGUE = "catalogue"


@dataclass(frozen=True, slots=True)
class RecommendationState:
    """What there is of a user's recommendations.

    Attributes:
        has_taste: the user likes or has queued something.
        source: of what is stored; None where nothing is.
        is_todays: what is stored was chosen on this day, in UTC.
        is_recent: it was chosen not long ago.
        is_ordered: others have been ordered of Claude, a short while ago.
    """

    has_taste: bool
    source: Source | None
    is_todays: bool
    is_recent: bool
    is_ordered: bool

    @property
    def is_claudes_of_today(self) -> bool:
        """Claude has chosen on this day: there is nothing to do."""
        return self.is_todays and self.source is Source.CLAUDE


@dataclass(frozen=True, slots=True)
class KnownTitle:
    """A title that a user likes or has queued."""

    title: str
    year: str | None
    type: str | None


class RecommendationRepository:
    """Reads and writes recommendations; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def state(self, user_id: int, lease: str, recent: timedelta) -> RecommendationState:
        """What there is of a user's recommendations, whose renewal a lease guards."""
        stored = Recommendations
        today = func.date_trunc("day", func.now(), "UTC")
        state = select(
            or_(*(exists().where(table.user_id == user_id) for table in (Like, WatchLater))),
            stored.source,
            func.coalesce(stored.generated_at >= today, false()),
            func.coalesce(stored.generated_at > func.now() - recent, false()),
            is_leased(lease),
        ).select_from(select(literal(1)).subquery().outerjoin(stored, stored.user_id == user_id))
        has_taste, source, is_todays, is_recent, is_ordered = (await self._session.execute(state)).one()
        return RecommendationState(has_taste, Source(source) if source else None, is_todays, is_recent, is_ordered)

    async def movies(self, user_id: int, limit: int) -> Sequence[MovieRow]:
        """The stored ones, best first, without what the user likes or has queued since."""
        stored = select(Recommendations.movie_ids).where(Recommendations.user_id == user_id).scalar_subquery()
        movies = _in_order(stored).where(
            *(~exists().where(table.user_id == user_id, table.movie_id == Movie.id) for table in (Like, WatchLater))
        )
        rows: Sequence[MovieRow] = (await self._session.execute(movies.limit(limit))).all()
        return rows

    async def save(self, user_id: int, movie_ids: Sequence[int], source: Source) -> None:
        """Keep what was chosen for a user, if that is still an active one; Claude's stays for its day."""
        user = select(User.id, literal(list(movie_ids), ARRAY(BigInteger)), literal(source.value))
        user = user.where(User.id == user_id, User.is_active).with_for_update(read=True, key_share=True)
        chosen = insert(Recommendations).from_select(["user_id", "movie_ids", "source"], user)
        today = func.date_trunc("day", func.now(), "UTC")
        kept = and_(Recommendations.source == Source.CLAUDE, Recommendations.generated_at >= today)
        new = chosen.excluded
        await self._session.execute(
            chosen.on_conflict_do_update(
                index_elements=[Recommendations.user_id],
                set_={"movie_ids": new.movie_ids, "source": new.source, "generated_at": new.generated_at},
                where=None if source is Source.CLAUDE else ~kept,
            )
        )

    async def liked(self, user_id: int, limit: int) -> list[KnownTitle]:
        """What an active user likes, the last first."""
        return await self._known(Like, user_id, Like.created_at, limit)

    async def queued(self, user_id: int, limit: int) -> list[KnownTitle]:
        """What an active user has queued, the last first."""
        return await self._known(WatchLater, user_id, WatchLater.added_at, limit)

    async def _known(
        self, table: type[Like | WatchLater], user_id: int, since: InstrumentedAttribute[datetime], limit: int
    ) -> list[KnownTitle]:
        known = (
            select(Movie.title, Movie.year, Movie.type)
            .join(table, table.movie_id == Movie.id)
            .join(User, User.id == table.user_id)
            .where(table.user_id == user_id, User.is_active)
            .order_by(since.desc(), Movie.id.desc())
        )
        return [KnownTitle(*row) for row in await self._session.execute(known.limit(limit))]


class TopRepository:
    """Reads and writes the top movies; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def movies(self, due: timedelta, outdated: timedelta) -> Sequence[MovieRow]:
        """The top movies in order, each with whether it `is_due` to be chosen anew, and `is_outdated`."""
        age = func.now() - TopMovie.generated_at
        movies = (
            movie_rows()
            .add_columns(
                TopMovie.position,
                TopMovie.generated_at,
                (age > due).label("is_due"),
                (age > outdated).label("is_outdated"),
            )
            .join(TopMovie, TopMovie.movie_id == Movie.id)
            .order_by(TopMovie.position)
        )
        rows: Sequence[MovieRow] = (await self._session.execute(movies)).all()
        return rows

    async def is_leased(self, lease: str) -> bool:
        """Whether somebody has the lease."""
        return bool((await self._session.execute(select(is_leased(lease)))).scalar())

    async def replace(self, movie_ids: Sequence[int]) -> int:
        """These are the top movies from now on, as far as they are stored; returns how many are."""
        await self._session.execute(delete(TopMovie))
        chosen = _places(literal(list(movie_ids), ARRAY(BigInteger)))
        found = select(Movie.id, chosen.c.place).join(chosen, chosen.c.movie_id == Movie.id)
        stored = found.with_for_update(read=True, key_share=True, of=Movie).cte("stored")
        position = func.row_number().over(order_by=stored.c.place)
        places = insert(TopMovie).from_select(["movie_id", "position"], select(stored.c.id, position))
        # Two that do this at once have the same places; the first one's stand.
        added = await self._session.execute(places.on_conflict_do_nothing().returning(TopMovie.position))
        return len(added.all())


async def movies_in_order(session: AsyncSession, movie_ids: Sequence[int]) -> Sequence[MovieRow]:
    """These movies, in this order, as nobody in particular sees them."""
    rows: Sequence[MovieRow] = (await session.execute(_in_order(literal(list(movie_ids), ARRAY(BigInteger))))).all()
    return rows


def _in_order(movie_ids: ColumnElement[Any]) -> Select[Any]:
    """The movies of an array of ids, in its order."""
    chosen = _places(movie_ids)
    return movie_rows().join(chosen, chosen.c.movie_id == Movie.id).order_by(chosen.c.place)


def _places(movie_ids: ColumnElement[Any]) -> TableValuedAlias:
    return func.unnest(movie_ids).table_valued("movie_id", with_ordinality="place").render_derived("chosen")
