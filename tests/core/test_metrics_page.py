"""`/metrics`: who may read it, what it tells, and that no bad day of the database's keeps it."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core import figures, metrics
from app.core.database import Database
from app.core.database_errors import DatabaseUnavailable
from app.core.jobs import enqueue
from tests.accounts import ADA, GRACE, Service, opened
from tests.conftest import make_settings, new_database, started
from tests.metrics_text import Samples
from tests.processes import free_port
from tests.sample_application import connecting_from


@pytest.fixture(scope="module")
async def service(administrator: AsyncEngine, filled: str) -> AsyncIterator[Service]:
    async with new_database(administrator, filled) as url, opened(url) as service:
        yield service


@pytest.fixture(autouse=True)
def never_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "FRESH_SECONDS", 0.0)


async def scraped(client: httpx.AsyncClient) -> Samples:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return Samples(answer.text)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("::1", 200),
        ("10.1.2.3", 200),
        ("192.168.1.1", 200),
        ("fd00::1", 200),
        ("::ffff:10.1.2.3", 200),
        ("192.0.2.1", 404),
        ("::ffff:192.0.2.1", 404),
        ("2001:db8::1", 404),
        ("testclient", 404),
    ],
)
async def test_it_is_for_private_networks_alone(service: Service, address: str, status: int) -> None:
    async with connecting_from(service.client, address) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == status
    if status == 404:
        assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        ("127.0.0.1", "192.0.2.1", 404),
        ("127.0.0.1", "10.0.0.1, 192.0.2.1", 404),
        ("127.0.0.1", "192.0.2.1, 10.0.0.1", 200),
        ("192.0.2.1", "10.0.0.1", 404),
    ],
)
async def test_behind_a_proxy_the_clients_own_address_counts(
    service: Service, peer: str, forwarded: str, status: int
) -> None:
    async with connecting_from(service.client, peer) as client:
        assert (await client.get("/metrics", headers={"X-Forwarded-For": forwarded})).status_code == status


async def test_it_is_no_operation_of_the_api_and_answers_head(service: Service) -> None:
    assert "/metrics" not in (await service.client.get("/api/schema/")).json()["paths"]
    assert (await service.client.head("/metrics")).status_code == 200


async def test_it_can_be_turned_off_and_its_networks_chosen(service: Service) -> None:
    async with started(make_settings(service.url, metrics_enabled=False)) as (_, client):
        assert (await client.get("/metrics")).status_code == 404
    async with started(make_settings(service.url, metrics_allowed_networks="192.0.2.0/24")) as (_, client):
        assert (await client.get("/metrics")).status_code == 404
        async with connecting_from(client, "192.0.2.1") as allowed:
            assert (await allowed.get("/metrics")).status_code == 200


async def test_requests_are_counted_by_the_routes_template(service: Service) -> None:
    asked = [
        ("GET", "/movies/1/", "/movies/{id}/", "GET", "200"),
        ("HEAD", "/movies/2/", "/movies/{id}/", "HEAD", "200"),
        ("GET", "/movies/999999999/", "/movies/{id}/", "GET", "404"),
        ("GET", "/nowhere/", "none", "GET", "404"),
        ("BREW", "/movies/", "/movies/", "other", "405"),
        ("GET", "/admin/login", "/admin/login", "GET", "200"),
    ]
    before = await scraped(service.client)
    for method, path, *_ in asked:
        await service.client.request(method, path)
    after = await scraped(service.client)
    for _, _, route, method, status in asked:
        name, labels = "request_seconds_count", {"route": route, "method": method, "status": status}
        assert after.total(name, **labels) == before.total(name, **labels) + 1, labels


async def test_statements_and_the_pool_are_counted(service: Service) -> None:
    before = await scraped(service.client)
    async with service.database.reading() as session:
        await session.execute(text("SELECT 1"))
        during = await scraped(service.client)
    after = await scraped(service.client)
    assert during.total("sql_seconds_count") > before.total("sql_seconds_count")
    in_use = [found.total("database_connections_in_use", pool="requests") for found in (before, during, after)]
    assert in_use == [in_use[0], in_use[0] + 1, in_use[0]]
    assert during.total("database_connections", pool="requests") >= 8 + 2


async def test_a_pool_whose_connections_break_is_not_in_use(service: Service, administrator: AsyncEngine) -> None:
    before = (await scraped(service.client)).total("database_connections_in_use")
    async with new_database(administrator) as url:
        lost = Database(url, pool_size=1)
        async with lost.reading() as session:
            await session.execute(text("SELECT 1"))
        async with administrator.connect() as connection:
            await connection.execute(text(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS false'))
            await connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
                {"name": url.database},
            )
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                async with lost.reading() as session:
                    await session.execute(text("SELECT 1"))
        await lost.close()
    assert (await scraped(service.client)).total("database_connections_in_use") == before


async def test_jobs_and_the_mail_outbox_are_counted(service: Service) -> None:
    await service.execute("DELETE FROM jobs")
    empty = await scraped(service.client)
    assert empty.value("jobs", task="send_mail", state="waiting") == 0
    assert empty.value("jobs_oldest_waiting_seconds", task="send_mail") == 0
    await service.sign_up(ADA)
    async with service.database.transaction() as session:
        await enqueue(session, "made up")
        await session.execute(text("UPDATE jobs SET status = 'failed' WHERE entrypoint = 'made up'"))
        await session.execute(text("UPDATE jobs SET created = now() - interval '1 hour' WHERE status = 'queued'"))
    found = await scraped(service.client)
    assert found.value("jobs", task="send_mail", state="waiting") == 1
    assert found.value("jobs", task="made up", state="failed") == 1
    assert 3600 <= (found.value("jobs_oldest_waiting_seconds", task="send_mail") or 0) < 3700


async def test_the_ai_quota_is_told_by_tier(service: Service) -> None:
    one, other = [await service.add_user(f"{number}@example.com") for number in range(2)]
    yesterdays = await service.add_user(GRACE)
    limit = await service.value("SELECT daily_ai_search_limit FROM account_tiers WHERE code = 'free'")
    today, yesterday = ("(now() AT TIME ZONE 'UTC')::date", "(now() AT TIME ZONE 'UTC')::date - 1")
    for user, day, used in [(one, today, 1), (other, today, limit), (yesterdays, yesterday, limit)]:
        await service.execute(
            f"INSERT INTO ai_usage (user_id, day, used) VALUES (:user, {day}, :used)", user=user, used=used
        )
    found = await scraped(service.client)
    assert found.value("ai_searches_today", tier="free") == limit + 1
    assert found.value("ai_users_at_limit", tier="free") == 1
    assert found.value("ai_searches_today", tier="premium") == 0


async def test_the_database_is_asked_once_in_a_while(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "FRESH_SECONDS", 60.0)
    async with started(make_settings(service.url)) as (_, client):
        await client.get("/metrics")
        before = (await scraped(client)).total("sql_seconds_count")
        await asyncio.gather(*(client.get("/metrics") for _ in range(20)))
        assert (await scraped(client)).total("sql_seconds_count") == before


async def test_a_database_that_is_away_makes_it_neither_fail_nor_hang(server_url: URL) -> None:
    nobody = server_url.set(host="127.0.0.1", port=free_port(), query={})
    async with started(make_settings(nobody)) as (_, client):
        found = await scraped(client)
    assert found.value("database_up") == 0
    assert found.value("jobs", task="send_mail", state="waiting") is None


async def test_a_database_that_hangs_is_not_waited_for() -> None:
    released = asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        frozen = URL.create("postgresql+asyncpg", "nobody", None, "127.0.0.1", port, "nothing")
        async with started(make_settings(frozen)) as (_, client):
            began = time.monotonic()
            first, second = [await scraped(client) for _ in range(2)]
            assert time.monotonic() - began < 4.0  # each waits a second, and the connection would be given up after 2.5
        released.set()
    assert (first.value("database_up"), second.value("database_up")) == (0, 0)


def test_a_worker_that_just_begins_or_has_just_died_breaks_no_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    (tmp_path / "counter_1.db").touch()  # as it is before anything is in it
    (tmp_path / "counter_2.db").symlink_to(tmp_path / "gone")  # listed, and not there
    assert metrics.shown([]) == b""
    metrics.forget_worker(2, tmp_path)
