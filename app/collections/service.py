"""The rules of collections. Who may see and change one is in access.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.problems import InvalidToken, Unauthorized
from app.collections.access import ANYBODY, CollectionNotFound, Visitor, refusal, require, visible_to
from app.collections.contents import CollectionContents, entries_of
from app.collections.repository import CollectionRepository, CollectionRow
from app.collections.schemas import (
    DEFAULT_COLLECTED_ORDERING,
    DEFAULT_ORDERING,
    SORTS,
    CollectedMovieQuery,
    CollectionChanges,
    CollectionQuery,
    NewCollection,
)
from app.core.database import Database
from app.core.database_errors import naming_violations
from app.core.problems import FieldError, InvalidInput
from app.movies.listing import MovieLists
from app.movies.repository import MovieRow

# So many movies does a page that is shared show; whoever has more to see takes the API.
MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class SharedCollection:
    """A public collection as it is shown to people: with its first movies."""

    collection: CollectionRow
    movies: Sequence[MovieRow]


class Collections:
    """Groups of movies, as far as a visitor may see or change them.

    Each method that takes an id raises, where the visitor may not:
        CollectionNotFound: there is no collection with this id.
        Unauthorized: the visitor is not logged in.
        CollectionForbidden: the collection is somebody else's.
    """

    def __init__(self, database: Database, visitor: Visitor) -> None:
        self._database = database
        self._visitor = visitor

    async def page(self, query: CollectionQuery, limit: int, offset: int) -> tuple[Sequence[CollectionRow], int]:
        """A page of the collections that match, and how many match in all.

        Raises:
            Unauthorized: the query is about the visitor's subscriptions, and the visitor is not logged in.
        """
        if query.subscribed is not None and self._visitor.user_id is None:
            raise Unauthorized
        async with self._database.reading() as session:
            collections = CollectionRepository(session, self._visitor)
            count = await collections.count(query)
            if offset >= count:
                return [], count
            ordering = query.ordering or (SORTS[query.sort] if query.sort else DEFAULT_ORDERING)
            return await collections.page(query, ordering, limit, offset), count

    async def get(self, collection_id: int) -> CollectionRow:
        """One collection."""
        async with self._database.reading() as session:
            return await self._get(session, collection_id)

    async def movies(
        self, collection_id: int, query: CollectedMovieQuery, limit: int, offset: int
    ) -> tuple[Sequence[MovieRow], int]:
        """A page of the collection's movies that match, and how many match in all."""
        async with self._database.reading() as session:
            movies = MovieLists(session, entries=entries_of(collection_id, self._visitor))
            ordering = query.ordering or DEFAULT_COLLECTED_ORDERING
            page, count = await movies.find(query, ordering, limit, offset)
            if not count:  # perhaps there is nothing that the visitor may see
                await require(session, collection_id, self._visitor, visible_to(self._visitor))
            return page, count

    async def add(self, new: NewCollection) -> CollectionRow:
        """A new collection of the visitor's.

        Raises:
            InvalidInput: a movie in it does not exist.
            InvalidToken: the visitor's account was deleted a moment ago.
        """

        async def add(session: AsyncSession) -> CollectionRow:
            collection_id = await CollectionRepository(session, self._visitor).add(
                **new.model_dump(exclude={"movie_ids"})
            )
            if new.movie_ids:
                await _place(session, collection_id, new.movie_ids)
            return await self._get(session, collection_id)

        with naming_violations(fk_collections_owner_id=InvalidToken()):
            return await self._database.write(add)

    async def change(self, collection_id: int, changes: CollectionChanges) -> CollectionRow:
        """Change what is given. Movies are replaced as a whole: of two who do it at once, one comes after the other.

        Raises:
            InvalidInput: a movie does not exist.
        """
        values: dict[str, Any] = changes.model_dump(exclude_unset=True)
        movie_ids: list[int] | None = values.pop("movie_ids", None)

        async def change(session: AsyncSession) -> CollectionRow:
            if not await CollectionRepository(session, self._visitor).change(collection_id, **values):
                raise await refusal(session, collection_id, self._visitor)
            if movie_ids is not None:
                await _place(session, collection_id, movie_ids)
            return await self._get(session, collection_id)

        return await self._database.write(change)

    async def delete(self, collection_id: int) -> None:
        """Delete a collection, with its subscriptions."""

        async def delete(session: AsyncSession) -> None:
            if not await CollectionRepository(session, self._visitor).delete(collection_id):
                raise await refusal(session, collection_id, self._visitor)

        await self._database.write(delete)

    async def subscribe(self, user_id: int, collection_id: int) -> None:
        """The user follows the collection from now on; one's own is followed without.

        Raises:
            InvalidToken: the user was deleted a moment ago.
        """

        async def subscribe(session: AsyncSession) -> None:
            if not await CollectionRepository(session, self._visitor).subscribe(user_id, collection_id):
                raise await refusal(session, collection_id, self._visitor)

        with naming_violations(fk_collection_subscriptions_user_id=InvalidToken()):
            await self._database.write(subscribe)

    async def unsubscribe(self, user_id: int, collection_id: int) -> None:
        """The user does not follow the collection, or no longer."""

        async def unsubscribe(session: AsyncSession) -> None:
            if not await CollectionRepository(session, self._visitor).unsubscribe(user_id, collection_id):
                raise await refusal(session, collection_id, self._visitor)

        await self._database.write(unsubscribe)

    async def clone(self, collection_id: int) -> CollectionRow:
        """A private collection of the visitor's with the same movies in the same order.

        Raises:
            InvalidToken: the visitor's account was deleted a moment ago.
        """

        async def clone(session: AsyncSession) -> CollectionRow:
            copy_id = await CollectionRepository(session, self._visitor).copy(collection_id)
            if copy_id is None:
                raise await refusal(session, collection_id, self._visitor)
            await CollectionContents(session).copy(collection_id, to=copy_id)
            return await self._get(session, copy_id)

        with naming_violations(fk_collections_owner_id=InvalidToken()):
            return await self._database.write(clone)

    async def _get(self, session: AsyncSession, collection_id: int) -> CollectionRow:
        collection = await CollectionRepository(session, self._visitor).get(collection_id)
        if collection is None:
            raise await refusal(session, collection_id, self._visitor)
        return collection


async def shared(database: Database, collection_id: int) -> SharedCollection:
    """A collection for the page that everybody may open, whoever asks.

    Raises:
        CollectionNotFound: there is no public collection with this id.
    """
    async with database.reading() as session:
        collection = await CollectionRepository(session, ANYBODY).get(collection_id)
        if collection is None:
            raise CollectionNotFound
        movies = await CollectionContents(session).first(collection_id, ANYBODY, MOST_SHOWN)
        return SharedCollection(collection, movies)


async def _place(session: AsyncSession, collection_id: int, movie_ids: Sequence[int]) -> None:
    unknown = await CollectionContents(session).replace(collection_id, movie_ids)
    if unknown:
        ids = ", ".join(map(str, unknown))
        raise InvalidInput([FieldError(field="movie_ids", message=f"No movies have these ids: {ids}", code="unknown")])
