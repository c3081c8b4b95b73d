"""The SQL of the watch-later list."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.movies.likes import movie_to_keep
from app.movies.listing import Entries
from app.movies.models import Movie, WatchLater

# The lower bound of each band of IMDb ratings, from the best; the upper one is the band's before.
BANDS = {
    "ratings_9_plus": 9,
    "ratings_8_to_9": 8,
    "ratings_7_to_8": 7,
    "ratings_6_to_7": 6,
    "ratings_5_to_6": 5,
    "ratings_below_5": 0,
}
_COLUMNS = WatchLater.__table__.c


def entries_of(user_id: int, ordering: str) -> Entries:
    """A user's list."""
    return Entries(
        table=WatchLater.__table__,
        movie_id=_COLUMNS.movie_id,
        where=WatchLater.user_id == user_id,
        columns={"added_at": _COLUMNS.added_at},
        ordering=ordering,
    )


class QueueRepository:
    """Reads and writes entries; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, user_id: int, movie_id: int) -> tuple[int, bool] | None:
        """The entry's id, and whether it is new; None where there is no such movie."""
        movie = movie_to_keep(movie_id).cte("movie")
        entry = insert(WatchLater).from_select(["user_id", "movie_id"], select(literal(user_id), movie.c.id))
        added = entry.on_conflict_do_nothing().returning(WatchLater.id).cte("added")
        outcome = select(
            exists(select(movie.c.id)).label("known"), select(added.c.id).scalar_subquery().label("entry_id")
        )
        known, entry_id = (await self._session.execute(outcome)).one()
        if not known:
            return None
        if entry_id is not None:
            return entry_id, True
        # By a statement of its own: another request may have added it after this one had begun.
        present = select(WatchLater.id).where(WatchLater.user_id == user_id, WatchLater.movie_id == movie_id)
        return (await self._session.execute(present)).scalar_one(), False

    async def remove(self, user_id: int, movie_id: int) -> None:
        """There is no such entry any more."""
        await self._session.execute(
            delete(WatchLater).where(WatchLater.user_id == user_id, WatchLater.movie_id == movie_id)
        )

    async def statistics(self, user_id: int) -> Mapping[str, Any]:
        """The list in numbers: total, unrated, one number a band, and genres as objects. One statement."""
        queued = (
            select(Movie.imdb_rating, Movie.genres)
            .join(WatchLater, WatchLater.movie_id == Movie.id)
            .where(WatchLater.user_id == user_id)
            .cte("queued")
        )
        named = select(func.unnest(queued.c.genres).label("genre")).subquery()
        counted = select(named.c.genre, func.count().label("count")).group_by(named.c.genre).subquery()
        genre = func.json_build_object("genre", counted.c.genre, "count", counted.c.count)
        # By bytes, as the genres are kept: the same order whatever the database's locale.
        by_count = aggregate_order_by(genre, counted.c.count.desc(), counted.c.genre.collate("C"))
        genres = select(func.coalesce(func.json_agg(by_count), func.json_build_array())).scalar_subquery()
        rating = queued.c.imdb_rating
        statistics = select(
            func.count().label("total"),
            func.count().filter(rating.is_(None)).label("unrated"),
            *(func.count().filter(band).label(label) for label, band in _bands(rating)),
            genres.label("genres"),
        ).select_from(queued)
        return dict((await self._session.execute(statistics)).mappings().one())


def _bands(rating: ColumnElement[Any]) -> list[tuple[str, ColumnElement[bool]]]:
    bounds = [11, *BANDS.values()]  # no rating is over 10
    return [
        (label, (rating >= lower) & (rating < upper))
        for (label, lower), upper in zip(BANDS.items(), bounds, strict=False)
    ]
