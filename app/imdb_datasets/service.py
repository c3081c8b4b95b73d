"""An import of IMDb's dataset files: read once, beside each other, and written a batch at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.core.database_errors import DatabaseUnavailable
from app.core.schema import is_migrated
from app.imdb_datasets.choice import Choice
from app.imdb_datasets.files import BASICS, NAMES, RATINGS, Dataset, DatasetFile, identity, open_datasets
from app.imdb_datasets.findings import Findings
from app.imdb_datasets.joining import order_of
from app.imdb_datasets.people import People
from app.imdb_datasets.problems import DatasetImportStopped
from app.imdb_datasets.report import Report
from app.imdb_datasets.repository import ImdbImportRepository
from app.imdb_datasets.titles import BATCH, Batch, Titles

log = structlog.stdlib.get_logger(__name__)

# Most of the time is PostgreSQL's own, and it uses one core for one connection.
WRITERS = 2
SHOWN_EVERY_SECONDS = 0.5
ADVICE = "What was written before that stays: the same command goes on from there."
T = TypeVar("T")


class Progress(Protocol):
    """Somebody who watches."""

    def show(self, step: str, position: int, size: int, titles: int = 0) -> None:
        """So many bytes of the step's file have been read, and so many titles written since the command began."""


class DatasetImport:
    """Takes the chosen titles of a folder of IMDb's files into the catalogue.

    What OMDb was asked for stays as it says, and only what it lacks is filled; votes and rating are the later ones.
    May be done again: only what has changed is written, and nothing is taken away. Readers are never locked out, and
    who writes one of the titles waits for a batch at most. Killed, it is gone on with where it stopped; other files,
    or another choice, are another import.
    """

    def __init__(self, database: Database, folder: Path, choice: Choice, progress: Progress) -> None:
        self._database, self._folder, self._choice, self._progress = database, folder, choice, progress
        self._findings = Findings()
        self._written = 0

    async def run(self, *, restart: bool = False) -> Report:
        """Do it, or do what is left of it.

        Args:
            restart: whether what an earlier start has written is written again.

        Raises:
            DatasetImportStopped: it cannot go on.
        """
        async with self._database.reading() as session:
            if not await is_migrated(session):
                raise DatasetImportStopped("the database is not migrated: run `movie-finder migrate` first")
        with open_datasets(self._folder) as files:
            return await _explained(self._run(files, restart=restart))

    async def _run(self, files: dict[Dataset, DatasetFile], *, restart: bool) -> Report:
        key = identity(self._folder, self._choice, BATCH)
        async with self._database.transaction() as session:
            imports = ImdbImportRepository(session)
            await imports.forget_abandoned()
            if restart:
                await imports.forget(key)
            done = await imports.done(key)
        if done:
            log.info("going on with an import that was broken off", batches_written=len(done))
        people = People()
        async with self._watched("names", files[NAMES]):
            await asyncio.to_thread(people.read, files[NAMES], self._findings)
        with closing(DatasetFile(self._folder, RATINGS)) as ratings:
            order = await asyncio.to_thread(order_of, ratings)
        titles = Titles(files, order, people, self._choice, self._findings)
        async with self._watched("titles", files[BASICS]):
            await self._write(key, titles.batches(done))
        return await self._finish(key)

    async def _write(self, key: str, batches: Iterator[Batch]) -> None:
        """Write batches, several at a time, while the next one is read."""
        reading = asyncio.Lock()

        async def write() -> None:
            while True:
                async with reading:
                    batch = await asyncio.to_thread(next, batches, None)
                if batch is None:
                    return
                await self._database.write(partial(_store, key, batch))
                self._written += len(batch.titles)

        try:
            async with asyncio.TaskGroup() as writers:
                for _ in range(WRITERS):
                    writers.create_task(write())
        except ExceptionGroup as failures:  # one of them: the first ends the others
            raise failures.exceptions[0] from None

    async def _finish(self, key: str) -> Report:
        async with self._database.reading() as session:
            await ImdbImportRepository(session).tidy()
        async with self._database.transaction() as session:
            imports = ImdbImportRepository(session)
            taken, added, updated = await imports.numbers(key)
            await imports.forget(key)
        log.info("imported", taken=taken, added=added, updated=updated)
        return Report(taken, added, updated, self._findings)

    @asynccontextmanager
    async def _watched(self, step: str, file: DatasetFile) -> AsyncIterator[None]:
        async def show() -> None:
            while True:
                self._progress.show(step, file.position, file.size, self._written)
                await asyncio.sleep(SHOWN_EVERY_SECONDS)

        showing = asyncio.create_task(show())
        try:
            yield
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing
        self._progress.show(step, file.size, file.size, self._written)


async def _store(key: str, batch: Batch, session: AsyncSession) -> None:
    imports = ImdbImportRepository(session)
    if not await imports.begin(key, batch.number):
        return  # by another start of the same import, which runs beside this one
    added, updated = await imports.write(batch.titles)
    await imports.end(key, batch.number, taken=len(batch.titles), added=added, updated=updated)


async def _explained(work: Awaitable[T]) -> T:
    """What `work` gives, and what the database says where it fails."""
    try:
        return await work
    except DBAPIError as error:
        reason: object = getattr(error.orig, "__cause__", None) or error.orig
    except (DatabaseUnavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = error
    raise DatasetImportStopped(f"the database failed: {str(reason).rstrip('.')}. {ADVICE}")
