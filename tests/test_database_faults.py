"""What a client sees while PostgreSQL is slow, full, away or back again."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from tests.conftest import Start, make_settings, new_database, started
from tests.problem_documents import problem


@asynccontextmanager
async def connected(url: URL, *, autocommit: bool = True) -> AsyncIterator[AsyncConnection]:
    """A connection beside the application's."""
    level = "AUTOCOMMIT" if autocommit else "READ COMMITTED"
    engine = create_async_engine(url, isolation_level=level, poolclass=NullPool)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


OF_THIS_DATABASE = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"


async def until_nothing(connection: AsyncConnection, count: str) -> None:
    """Waits until a query counts nothing."""
    async with asyncio.timeout(10):
        while await connection.scalar(text(count)):  # noqa: ASYNC110 - there is nothing else to wait for
            await asyncio.sleep(0.01)


async def timed(request: asyncio.Task[httpx.Response]) -> tuple[httpx.Response, float]:
    """An answer, and the seconds it took from now on."""
    begun = time.monotonic()
    return await request, time.monotonic() - begun


def ask(client: httpx.AsyncClient, path: str) -> asyncio.Task[httpx.Response]:
    return asyncio.ensure_future(client.get(path))


async def test_within_five_seconds_a_slow_query_and_a_full_pool_are_told_of(empty_url: URL) -> None:
    async with (
        started(make_settings(empty_url, db_pool_size=3)) as (_, client),
        connected(empty_url, autocommit=False) as other,
    ):
        await client.get("/movies/")
        await other.execute(text("LOCK TABLE movies IN ACCESS EXCLUSIVE MODE"))
        slow = [ask(client, path) for path in ("/movies/", "/movies/1/", "/movies/?title=x")]
        await until_nothing(
            other, f"SELECT {len(slow)} - count(*) FROM pg_locks WHERE {OF_THIS_DATABASE} AND NOT granted"
        )
        waiting = [ask(client, path) for path in ("/structures/", "/health/ready", "/movies/?search=x")]
        assert (await client.get("/health/live")).status_code == 200
        for request in waiting:
            response, seconds = await timed(request)
            problem(response, 503, "database_unavailable")
            assert int(response.headers["Retry-After"]) > 0
            assert seconds < 4
        for request in slow:
            response, seconds = await timed(request)
            problem(response, 503, "query_timeout")
            assert int(response.headers["Retry-After"]) > 0
            assert seconds < 5
        await other.rollback()
        assert (await client.get("/movies/")).status_code == 200


async def test_when_every_connection_was_cut_the_next_request_succeeds(
    client: httpx.AsyncClient, sample_url: URL
) -> None:
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
    alive = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with connected(sample_url) as other:
        for _ in range(2):
            answers = await asyncio.gather(*(client.get("/movies/?limit=1") for _ in range(6)))
            assert {answer.status_code for answer in answers} == {200}
            assert int(await other.scalar(text(f"{cut} AND pid <> pg_backend_pid()")) or 0) > 0
            await until_nothing(other, alive)
            await asyncio.sleep(0.3)  # a backend is off the list before its socket is closed
            answers = await asyncio.gather(*(client.get("/movies/?limit=1") for _ in range(8)))
            assert {answer.status_code for answer in answers} == {200}


async def test_a_connection_cut_in_the_middle_is_told_of_and_the_next_request_succeeds(
    client: httpx.AsyncClient, sample_url: URL
) -> None:
    async with connected(sample_url, autocommit=False) as locker, connected(sample_url) as other:
        await locker.execute(text("LOCK TABLE movies IN ACCESS EXCLUSIVE MODE"))
        request = ask(client, "/movies/")
        waiting = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        await until_nothing(other, f"SELECT 1 - count(*) {waiting}")
        await other.execute(text(f"SELECT pg_terminate_backend(pid) {waiting}"))
        problem(await request, 503, "database_unavailable")
        await locker.rollback()
        assert (await client.get("/movies/")).status_code == 200


async def test_while_the_database_is_gone_answers_are_503_and_afterwards_all_is_well(
    administrator: AsyncEngine, filled: str
) -> None:
    async with new_database(administrator, filled) as url, started(make_settings(url)) as (_, client):
        assert (await client.get("/health/ready")).status_code == 200
        async with administrator.connect() as connection:
            await connection.execute(text(f'DROP DATABASE "{url.database}" WITH (FORCE)'))
            for path in ("/health/ready", "/movies/", "/movies/1/", "/structures/"):
                begun = time.monotonic()
                response = await client.get(path)
                problem(response, 503, "database_unavailable", case=path)
                assert int(response.headers["Retry-After"]) > 0
                assert time.monotonic() - begun < 5, path
            assert (await client.get("/health/live")).status_code == 200
            problem(await client.get("/movies/0/"), 404)
            await connection.execute(text(f'CREATE DATABASE "{url.database}" TEMPLATE "{filled}"'))
        assert (await client.get("/health/ready")).status_code == 200
        assert (await client.get("/movies/")).json()["count"] == 464


@pytest.mark.parametrize("host", ["127.0.0.1", "nowhere.invalid"])
async def test_a_server_that_is_not_there_is_told_of_and_does_not_stop_the_start(start: Start, host: str) -> None:
    async with start(database_url=f"postgresql://nobody:secret@{host}:1/nothing") as client:
        response = await client.get("/movies/")
        problem(response, 503, "database_unavailable")
        assert "secret" not in response.text
