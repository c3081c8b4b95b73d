"""Whether the service runs, and whether it can do its work."""

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from tests.conftest import make_settings, new_database, started
from tests.problem_documents import problem


async def test_the_process_is_alive_whatever_the_host(empty_client: httpx.AsyncClient) -> None:
    for host in ("localhost", "10.1.2.3:8000", "evil.example", "", "no host", "\x7f"):
        response = await empty_client.get("/health/live", headers={"host": host})
        assert (response.status_code, response.json()) == (200, {"status": "ok"}), host


async def test_the_process_is_ready_with_a_migrated_database(empty_client: httpx.AsyncClient) -> None:
    response = await empty_client.get("/health/ready")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_readiness_checks_the_host(empty_client: httpx.AsyncClient) -> None:
    problem(await empty_client.get("/health/ready", headers={"host": "evil.example"}), 400, "unknown_host")


async def test_an_empty_database_is_not_ready(administrator: AsyncEngine) -> None:
    async with new_database(administrator) as url, started(make_settings(url)) as (_, client):
        response = await client.get("/health/ready")
        problem(response, 503, "not_migrated")
        assert int(response.headers["Retry-After"]) > 0
        assert (await client.get("/health/live")).status_code == 200


async def test_readiness_follows_the_revision(administrator: AsyncEngine, migrated: str) -> None:
    async with new_database(administrator, migrated) as url, started(make_settings(url)) as (_, client):
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        async with engine.connect() as connection:
            # A newer release has migrated while this one still serves.
            await connection.execute(text("UPDATE alembic_version SET version_num = 'ffff'"))
            assert (await client.get("/health/ready")).status_code == 200
            await connection.execute(text("DELETE FROM alembic_version"))
            problem(await client.get("/health/ready"), 503, "not_migrated")
        await engine.dispose()
