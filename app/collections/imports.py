"""A collection as a file: what goes into it, and what comes out."""

from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet

from sqlalchemy import exists, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.collections.access import CollectionNotFound, Visitor, changeable_by, require, visible_to
from app.collections.models import Collection, CollectionMovie
from app.core.database import Database
from app.core.database_errors import naming_violations
from app.imports.destination import Entry, Target
from app.imports.exports import PAGE
from app.imports.models import ListImportRow
from app.imports.repository import ADDED
from app.imports.rows import FileRow
from app.imports.schemas import ExportedTitle, ImportProgress
from app.imports.service import ListImports
from app.movies.models import Movie


class CollectionDestination:
    """A collection, as an import sees it."""

    async def hold(self, session: AsyncSession, target: Target) -> bool:
        """Let nobody delete or change the collection until the transaction ends; False where it is gone."""
        held = select(Collection.id).where(Collection.id == target.collection_id).with_for_update(key_share=True)
        return (await session.execute(held)).scalar() is not None

    async def add(self, session: AsyncSession, target: Target, entries: Sequence[Entry]) -> AbstractSet[int]:
        """Put the movies behind those that were there without this import, in the file's order."""
        last = await self._last_position(session, target)
        rows = [
            {
                "collection_id": target.collection_id,
                "movie_id": entry.movie_id,
                "position": last + entry.number,
                "added_at": entry.added_at or target.created_at,
            }
            for entry in sorted(entries, key=lambda entry: entry.movie_id)
        ]
        added = insert(CollectionMovie).values(rows).on_conflict_do_nothing().returning(CollectionMovie.movie_id)
        movie_ids = set((await session.execute(added)).scalars())
        if movie_ids:
            changed = update(Collection).where(Collection.id == target.collection_id)
            await session.execute(changed.values(updated_at=func.clock_timestamp()))
        return movie_ids

    async def _last_position(self, session: AsyncSession, target: Target) -> int:
        of_this_import = exists().where(
            ListImportRow.import_id == target.import_id,
            ListImportRow.movie_id == CollectionMovie.movie_id,
            ListImportRow.outcome == ADDED,
        )
        last = select(func.coalesce(func.max(CollectionMovie.position), 0)).where(
            CollectionMovie.collection_id == target.collection_id, ~of_this_import
        )
        return (await session.execute(last)).scalar_one()


class CollectionFiles:
    """Collections in and out, as far as a visitor may see and change them."""

    def __init__(self, database: Database, visitor: Visitor) -> None:
        self._database = database
        self._visitor = visitor
        self._imports = ListImports(database)

    async def require_change(self, collection_id: int) -> None:
        """See to it that the visitor may change a collection.

        Raises:
            CollectionNotFound: there is none with this id.
            Unauthorized: it needs somebody who is logged in.
            CollectionForbidden: it is somebody else's.
        """
        async with self._database.reading() as session:
            await require(session, collection_id, self._visitor, changeable_by(self._visitor))

    async def begin(self, user_id: int, collection_id: int, rows: Sequence[FileRow]) -> ImportProgress:
        """Keep the rows of a file, and order the job that puts them into the collection.

        Raises:
            CollectionNotFound: it was deleted a moment ago.
            ImportRunning: the user's last import has not ended.
            ImportLimitReached: the user has begun as many today as they may.
        """
        with naming_violations(fk_list_imports_collection_id=CollectionNotFound()):
            return await self._imports.begin(user_id, rows, "collection", collection_id)

    async def progress(self, collection_id: int, import_id: int) -> ImportProgress:
        """How far an import into a collection is, for those who may change it.

        Raises:
            ImportNotFound: the collection has no such import.
        """
        await self.require_change(collection_id)
        return await self._imports.of_collection(import_id, collection_id)

    async def pages(self, collection_id: int) -> AsyncIterator[Sequence[ExportedTitle]]:
        """The collection in pages, in its order; no connection is held between two of them.

        Raises:
            CollectionNotFound: there is none with this id.
            Unauthorized: it is private, and needs somebody who is logged in.
            CollectionForbidden: it is private, and somebody else's.
        """
        async with self._database.reading() as session:
            await require(session, collection_id, self._visitor, visible_to(self._visitor))
        place = tuple_(CollectionMovie.position, CollectionMovie.movie_id)
        titles = (
            select(
                *(Movie.imdb_id, Movie.title, Movie.year, Movie.type, CollectionMovie.added_at),
                *(CollectionMovie.position, CollectionMovie.movie_id),
            )
            .join(CollectionMovie, CollectionMovie.movie_id == Movie.id)
            .join(Collection, Collection.id == CollectionMovie.collection_id)
            .where(Collection.id == collection_id, visible_to(self._visitor))
            .order_by(CollectionMovie.position, CollectionMovie.movie_id)
            .limit(PAGE)
        )
        page = titles
        while True:
            async with self._database.reading() as session:
                rows = (await session.execute(page)).all()
            if not rows:
                return
            yield [ExportedTitle.model_validate(row, from_attributes=True) for row in rows]
            page = titles.where(place > tuple_(rows[-1].position, rows[-1].movie_id))
