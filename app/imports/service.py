"""Imports, as those who send a file see them: begun, and looked at."""

from collections.abc import Sequence

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.problems import InvalidToken
from app.core.database import Database
from app.core.database_errors import naming_violations
from app.core.jobs import enqueue
from app.imports.destination import Kind
from app.imports.problems import MOST_IMPORTS_A_DAY, ImportLimitReached, ImportNotFound, ImportRunning
from app.imports.repository import ImportRepository, ImportRow
from app.imports.rows import FileRow
from app.imports.schemas import ImportProgress

IMPORT_TASK = "list_import"


class ImportPayload(BaseModel):
    """Which import is to be worked at."""

    import_id: int


class ListImports:
    """Files on their way into lists. What is done with their rows, the job in work.py says."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, user_id: int, rows: Sequence[FileRow], kind: Kind, collection_id: int | None = None
    ) -> ImportProgress:
        """Keep the rows of a file, and order the job that deals with them.

        Raises:
            ImportRunning: the user's last import has not ended.
            ImportLimitReached: the user has begun as many today as they may.
            InvalidToken: the user was deleted a moment ago.
        """

        async def begin(session: AsyncSession) -> int:
            imports = ImportRepository(session)
            if not await imports.hold_user(user_id, alone=True):
                raise InvalidToken
            if await imports.begun_today(user_id) >= MOST_IMPORTS_A_DAY:
                raise ImportLimitReached
            import_id = await imports.add(user_id, kind, collection_id, rows)
            payload = ImportPayload(import_id=import_id)
            await enqueue(session, IMPORT_TASK, payload, once=f"{IMPORT_TASK}:{import_id}")
            return import_id

        with naming_violations(uq_list_imports_user_id_running=ImportRunning()):
            import_id = await self._database.write(begin)
        if collection_id is None:
            return await self.of_user(import_id, user_id)
        return await self.of_collection(import_id, collection_id)

    async def of_user(self, import_id: int, user_id: int) -> ImportProgress:
        """How far an import into a user's watch-later list is.

        Raises:
            ImportNotFound: the user has no such import.
        """
        async with self._database.reading() as session:
            return _shown(await ImportRepository(session).progress(import_id, user_id=user_id))

    async def of_collection(self, import_id: int, collection_id: int) -> ImportProgress:
        """How far an import into a collection is.

        Raises:
            ImportNotFound: the collection has no such import.
        """
        async with self._database.reading() as session:
            return _shown(await ImportRepository(session).progress(import_id, collection_id=collection_id))


def _shown(found: ImportRow | None) -> ImportProgress:
    if found is None:
        raise ImportNotFound
    return ImportProgress.model_validate(found, from_attributes=True)
