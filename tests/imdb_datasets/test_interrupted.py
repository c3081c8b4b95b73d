"""An import that is broken off: what is written is whole, and the same command goes on from there."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from app.imdb_datasets.choice import Choice
from app.imdb_datasets.files import BASICS, identity
from app.imdb_datasets.problems import DatasetImportStopped
from app.imdb_datasets.titles import BATCH
from bench.imdb_files import write_datasets
from tests.conftest import ROOT, SECRET_KEY
from tests.imdb_datasets.conftest import EVERYTHING, Catalogue, Files, title

FULL_DISK = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE 'could not extend file "base/1/2": No space left on device' USING ERRCODE = 'disk_full'; END $$
"""
INCOMPLETE = "SELECT count(*) FROM movies WHERE imdb_rating IS NULL OR cardinality(directors) = 0 OR year IS NULL"
WAITING = """
SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


@pytest.fixture
async def other(catalogue: Catalogue) -> AsyncIterator[asyncpg.Connection]:
    """Somebody else's connection."""
    connection = await asyncpg.connect(catalogue.url.set(drivername="postgresql").render_as_string(hide_password=False))
    yield connection
    await connection.close()


@asynccontextmanager
async def storing(other: asyncpg.Connection, imdb_id: str) -> AsyncIterator[None]:
    """Somebody else stores a title, and takes their time; then thinks better of it."""
    transaction = other.transaction()
    await transaction.start()
    await other.execute(f"INSERT INTO movies (imdb_id, title, folded_title) VALUES ('{imdb_id}', 'A', 'a')")
    yield
    await transaction.rollback()


async def waiters(catalogue: Catalogue, number: int = 1) -> list[int]:
    """The connections that wait for somebody else, once there are so many."""
    while len(found := await catalogue.rows(WAITING)) < number:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return [pid for (pid,) in found]


@asynccontextmanager
async def importing(catalogue: Catalogue, files: Files, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`movie-finder import-imdb` in a process of its own."""
    url = catalogue.url.render_as_string(hide_password=False)
    environment = {"PYTHONPATH": str(ROOT), "SECRET_KEY": SECRET_KEY, "DATABASE_URL": url, "LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "app.cli", "import-imdb", str(files.folder)]
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=log.parent, env=environment, stdout=file, stderr=file
        )
        yield process
        await process.wait()


async def test_a_killed_import_is_gone_on_with_and_leaves_no_half_title(
    files: Files, catalogue: Catalogue, other: asyncpg.Connection, tmp_path: Path
) -> None:
    write_datasets(files.folder, titles=BATCH + 100, people=500, cast=1)
    async with (
        storing(other, f"tt{BATCH + 50:07}"),
        importing(catalogue, files, tmp_path / "log") as process,
    ):
        [pid] = await waiters(catalogue)
        while await catalogue.value("SELECT count(*) FROM imdb_import_batches") == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        await other.execute("SELECT pg_terminate_backend($1)", pid)
    assert await catalogue.value("SELECT count(*) FROM movies") == BATCH
    assert await catalogue.value(INCOMPLETE) == 0
    report = await catalogue.load(files, Choice())
    assert (report.taken, report.added, report.updated) == (BATCH + 100, BATCH + 100, 0)  # the first batch's included
    assert await catalogue.value("SELECT count(*) FROM movies") == BATCH + 100
    assert await catalogue.value(INCOMPLETE) == 0
    assert await catalogue.value("SELECT count(*) FROM imdb_import_batches") == 0


async def test_an_import_that_is_told_to_stop_does(
    files: Files, catalogue: Catalogue, other: asyncpg.Connection, tmp_path: Path
) -> None:
    files.write_inception()
    async with storing(other, "tt1375666"), importing(catalogue, files, tmp_path / "log") as process:
        await waiters(catalogue)
        process.terminate()
        assert await process.wait() == 130
    assert await catalogue.value("SELECT count(*) FROM movies") == 0


async def broken_off(files: Files, catalogue: Catalogue) -> None:
    """As if an import of everything had been broken off after its first batch."""
    key = identity(files.folder, EVERYTHING, BATCH)
    await catalogue.execute(f"INSERT INTO imdb_import_batches (files, number) VALUES ('{key}', 0)")


async def test_what_is_written_is_written_anew_only_when_asked_for(files: Files, catalogue: Catalogue) -> None:
    files.write_inception()
    await broken_off(files, catalogue)
    await catalogue.load(files)
    assert await catalogue.value("SELECT count(*) FROM movies") == 0
    files.write_inception()
    await broken_off(files, catalogue)
    await catalogue.load(files, restart=True)
    assert await catalogue.value("SELECT count(*) FROM movies") == 1


async def test_other_files_or_another_choice_are_another_import(files: Files, catalogue: Catalogue) -> None:
    files.write_inception()
    await broken_off(files, catalogue)
    await catalogue.load(files, Choice(min_votes=7))
    assert await catalogue.value("SELECT count(*) FROM movies") == 1
    files.write(BASICS, title("tt0000002"), title("tt0000003"))
    await catalogue.load(files)
    assert await catalogue.value("SELECT count(*) FROM movies") == 3


async def test_an_import_that_nobody_goes_on_with_is_forgotten(files: Files, catalogue: Catalogue) -> None:
    files.write_inception()
    await broken_off(files, catalogue)
    await catalogue.execute("UPDATE imdb_import_batches SET written_at = now() - interval '31 days'")
    await catalogue.load(files)
    assert await catalogue.value("SELECT count(*) FROM movies") == 1


async def test_two_imports_of_the_same_files_share_the_work(
    files: Files, catalogue: Catalogue, other: asyncpg.Connection
) -> None:
    files.write_inception()
    second = Catalogue(catalogue.url)
    async with storing(other, "tt1375666"):
        imports = [asyncio.create_task(place.load(files)) for place in (catalogue, second)]
        await waiters(catalogue, 2)
    reports = await asyncio.gather(*imports)
    await second.database.close()
    assert max(report.added for report in reports) == 1
    assert await catalogue.value("SELECT count(*) FROM movies") == 1


async def test_a_title_that_somebody_else_stores_meanwhile_is_filled(
    files: Files, catalogue: Catalogue, other: asyncpg.Connection
) -> None:
    files.write_inception()
    async with other.transaction():
        await other.execute(
            "INSERT INTO movies (imdb_id, title, folded_title, plot) VALUES ('tt1375666', 'A', 'a', 'P')"
        )
        loading = asyncio.create_task(catalogue.load(files))
        await waiters(catalogue)
    report = await loading
    assert (report.added, report.updated) == (0, 1)
    movie = await catalogue.movie("tt1375666")
    assert (movie["title"], movie["plot"]) == ("Inception", "P")


async def test_a_full_disk_is_told_and_what_was_written_stays(files: Files, catalogue: Catalogue) -> None:
    files.write(BASICS, title("tt0000001"))
    await catalogue.load(files)
    files.write_inception()
    await catalogue.execute(FULL_DISK, "CREATE TRIGGER full_disk AFTER INSERT ON titles EXECUTE FUNCTION full_disk()")
    with pytest.raises(DatasetImportStopped) as stopped:
        await catalogue.load(files)
    assert str(stopped.value) == (
        'the database failed: could not extend file "base/1/2": No space left on device. '
        "What was written before that stays: the same command goes on from there."
    )
    assert await catalogue.rows("SELECT imdb_id FROM movies") == [("tt0000001",)]
    await catalogue.execute("DROP TRIGGER full_disk ON titles")
    assert (await catalogue.load(files)).added == 1


async def test_a_database_that_is_gone_in_the_middle_is_told(
    files: Files, catalogue: Catalogue, other: asyncpg.Connection
) -> None:
    files.write_inception()
    async with storing(other, "tt1375666"):
        loading = asyncio.create_task(catalogue.load(files))
        [pid] = await waiters(catalogue)
        await other.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(
            DatasetImportStopped,
            match=r"failed: The database cannot be reached at the moment. Try again shortly\. What",
        ):
            await loading
    assert await catalogue.value("SELECT count(*) FROM movies") == 0
