"""The watch-later list as a file: what goes into it, and what comes out."""

from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.imports.destination import Entry, Target
from app.imports.exports import PAGE
from app.imports.schemas import ExportedTitle
from app.movies.models import Movie, WatchLater


class QueueDestination:
    """The watch-later list, as an import sees it."""

    async def hold(self, _session: AsyncSession, _target: Target) -> bool:
        """It is there for as long as its user, whom the import holds."""
        return True

    async def add(self, session: AsyncSession, target: Target, entries: Sequence[Entry]) -> AbstractSet[int]:
        """Put the movies onto the list, and say which of them were not on it.

        What the file has no date for is as old as the import, each row a microsecond older than the one before it: so
        the list, whose latest comes first, shows the file's order.
        """
        rows = [
            {
                "user_id": target.user_id,
                "movie_id": entry.movie_id,
                "added_at": entry.added_at or target.created_at - timedelta(microseconds=entry.number),
            }
            for entry in sorted(entries, key=lambda entry: entry.movie_id)
        ]
        added = insert(WatchLater).values(rows).on_conflict_do_nothing().returning(WatchLater.movie_id)
        return set((await session.execute(added)).scalars())


async def queue_pages(database: Database, user_id: int) -> AsyncIterator[Sequence[ExportedTitle]]:
    """A user's list in pages, the latest first; no connection is held between two of them."""
    place = tuple_(WatchLater.added_at, WatchLater.movie_id)
    titles = (
        select(Movie.imdb_id, Movie.title, Movie.year, Movie.type, WatchLater.added_at, WatchLater.movie_id)
        .join(Movie, Movie.id == WatchLater.movie_id)
        .where(WatchLater.user_id == user_id)
        .order_by(WatchLater.added_at.desc(), WatchLater.movie_id.desc())
        .limit(PAGE)
    )
    page = titles
    while True:
        async with database.reading() as session:
            rows = (await session.execute(page)).all()
        if not rows:
            return
        yield [ExportedTitle.model_validate(row, from_attributes=True) for row in rows]
        page = titles.where(place < tuple_(rows[-1].added_at, rows[-1].movie_id))
