"""The rules of the watch-later list."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.problems import InvalidToken
from app.core.database import Database
from app.core.database_errors import naming_violations
from app.core.problems import FieldError, InvalidInput
from app.movies.listing import MovieLists
from app.movies.repository import MovieRow
from app.watch_later.repository import BANDS, QueueRepository, entries_of
from app.watch_later.schemas import (
    DEFAULT_QUEUE_ORDERING,
    Entry,
    QueueQuery,
    QueueStatistics,
    RatingBands,
)


class Queue:
    """What a user wants to watch later, each movie once."""

    def __init__(self, database: Database, user_id: int) -> None:
        self._database = database
        self._user_id = user_id

    async def page(self, query: QueueQuery, limit: int, offset: int) -> tuple[Sequence[MovieRow], int]:
        """A page of the movies on the list that match, and how many match in all."""
        async with self._database.reading() as session:
            entries = entries_of(self._user_id, DEFAULT_QUEUE_ORDERING)
            return await MovieLists(session, self._user_id, entries).find(query, query.ordering, limit, offset)

    async def add(self, movie_id: int) -> tuple[Entry, bool]:
        """The movie is on the list from now on; its entry, and whether that is new.

        Raises:
            InvalidInput: there is no such movie.
            InvalidToken: the user was deleted a moment ago.
        """

        async def add(session: AsyncSession) -> tuple[int, bool]:
            added = await QueueRepository(session).add(self._user_id, movie_id)
            if added is None:
                fault = FieldError(field="movie", message=f"There is no movie with the id {movie_id}", code="unknown")
                raise InvalidInput([fault])
            return added

        with naming_violations(fk_watch_later_user_id=InvalidToken()):
            entry_id, is_new = await self._database.write(add)
        return Entry(id=entry_id, movie=movie_id), is_new

    async def remove(self, movie_id: int) -> None:
        """The movie is not on the list, or no longer."""
        await self._database.write(lambda session: QueueRepository(session).remove(self._user_id, movie_id))

    async def statistics(self) -> QueueStatistics:
        """The list in numbers."""
        async with self._database.reading() as session:
            found = await QueueRepository(session).statistics(self._user_id)
        bands = RatingBands(**{name: found[name] for name in BANDS})
        return QueueStatistics(total=found["total"], unrated=found["unrated"], ratings=bands, genres=found["genres"])
