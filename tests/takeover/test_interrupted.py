"""A takeover that is broken off leaves nothing behind."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from app.core.database_errors import DatabaseUnavailable
from app.takeover.problems import TakeoverRefused
from app.takeover.service import move_over
from tests.accounts import Service
from tests.conftest import ROOT, SECRET_KEY
from tests.doubles.django import DjangoDatabase
from tests.takeover.awkward import fill

# Within a transaction pg_stat_activity stays as it was first seen; this does not.
WAITING = """
    SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database
    WHERE NOT granted AND datname = current_database()
"""
EVERYTHING = """
    SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM movies) + (SELECT count(*) FROM likes)
        + (SELECT count(*) FROM genres) + (SELECT count(*) FROM collections)
"""


@asynccontextmanager
async def held(connection: asyncpg.Connection, table: str) -> AsyncIterator[None]:
    """Nobody else reads the table until the block ends."""
    async with connection.transaction():
        await connection.execute(f"LOCK TABLE {table}")
        yield


@pytest.fixture
async def here(service: Service) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the service's database."""
    connection = await asyncpg.connect(service.url.set(drivername="postgresql").render_as_string(hide_password=False))
    yield connection
    await connection.close()


async def waiter(connection: asyncpg.Connection) -> int:
    """Who waits for a lock in the connection's database, once somebody does."""
    while (pid := await connection.fetchval(WAITING)) is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return int(pid)


async def test_a_source_that_breaks_off_leaves_nothing_behind(django: DjangoDatabase, service: Service) -> None:
    await fill(django)
    async with held(django.connection, "collection_collection"):
        moving = asyncio.create_task(move_over(service.database, django.dsn))
        await django.connection.execute("SELECT pg_terminate_backend($1)", await waiter(django.connection))
        with pytest.raises(TakeoverRefused, match="the Django service's tables cannot be read: "):
            await moving
    assert await service.value(EVERYTHING) == 0


async def test_a_database_that_breaks_off_while_rows_are_read_leaves_nothing_behind(
    django: DjangoDatabase, service: Service, here: asyncpg.Connection
) -> None:
    await fill(django)
    async with held(django.connection, "collection_collection"):
        moving = asyncio.create_task(move_over(service.database, django.dsn))
        await waiter(django.connection)
        others = "pid <> pg_backend_pid() AND query LIKE 'COPY%' AND datname = current_database()"
        await here.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    with pytest.raises(DatabaseUnavailable):
        await moving
    assert await service.value(EVERYTHING) == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGTERM, 130)])
async def test_a_kill_in_the_middle_leaves_nothing_behind_and_the_next_run_does_it_all(
    django: DjangoDatabase, service: Service, here: asyncpg.Connection, tmp_path: Path, number: int, status: int
) -> None:
    await fill(django)
    url = service.url.render_as_string(hide_password=False)
    environment = {"PYTHONPATH": str(ROOT), "SECRET_KEY": SECRET_KEY, "DATABASE_URL": url, "LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "app.cli", "import-django", django.dsn]
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
        # The trigger that makes a collection's counts comes after users, movies and likes have been written.
        async with held(here, "collection_counts"):
            pid = await waiter(here)
            process.send_signal(number)
            assert await process.wait() == status
            # The server notices when the statement ends; a client that is gone gets no commit.
            await here.execute("SELECT pg_terminate_backend($1)", pid)
    assert await service.value(EVERYTHING) == 0
    await move_over(service.database, django.dsn)
    assert await service.value(EVERYTHING) > 0


async def test_what_is_written_there_meanwhile_does_not_tear_what_is_read(
    django: DjangoDatabase, service: Service
) -> None:
    await fill(django)
    async with held(django.connection, "movie_movie"):
        moving = asyncio.create_task(move_over(service.database, django.dsn))
        await waiter(django.connection)
        await django.add("auth_app_user", id=30, email="late@example.com")
        await django.add("movie_movie", id=30, imdb_id="tt0000030")
        await django.add("movie_likemovie", id=30, user_id=30, movie_id=30)
    report = await moving
    assert {line.name: line.there for line in report.lines if line.name in {"movies", "likes"}} == {
        "movies": 6,
        "likes": 8,
    }
