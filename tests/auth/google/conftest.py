"""A browser at the real application, a real database, and a real provider on loopback."""

import asyncio
import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import Database
from tests.conftest import make_settings, new_database, started
from tests.doubles.oidc import (
    OidcDouble,
    consented,
)

LOGIN, CALLBACK, REDEEM = "/accounts/google/login/", "/accounts/google/login/callback/", "/token/oauth/"
FRONTEND = "https://app.example.com/signed-in?lang=en#top"
VERIFIER = "a-verifier-of-the-front-end-s-own-0123456789abc"
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PASSWORD = "a long walk at night"
# As a JWT begins; without its point, one of some six thousand codes has the letters by chance.
TOKEN = r"eyJ[\w-]+\."


class StartHere(Protocol):
    """Starts a service on this module's database, and gives a browser at it."""

    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]: ...


# One database and one service for all: a hundred of each would take minutes.
@pytest.fixture(scope="module")
async def url(administrator: AsyncEngine, migrated: str) -> AsyncIterator[URL]:
    async with new_database(administrator, migrated) as url:
        yield url


@pytest.fixture(scope="module")
async def shared_provider() -> AsyncIterator[OidcDouble]:
    async with OidcDouble() as server:
        yield server


@pytest.fixture(scope="module")
async def with_front_end(url: URL, shared_provider: OidcDouble) -> AsyncIterator[httpx.AsyncClient]:
    async with started(make_settings(url, **shared_provider.settings, frontend_url=FRONTEND)) as (_, client):
        yield client


@pytest.fixture(scope="module")
async def without_front_end(url: URL, shared_provider: OidcDouble) -> AsyncIterator[httpx.AsyncClient]:
    async with started(make_settings(url, **shared_provider.settings)) as (_, client):
        yield client


@pytest.fixture(scope="module")
async def shared_database(url: URL) -> AsyncIterator[Database]:
    database = Database(url, pool_size=2)
    yield database
    await database.close()


@pytest.fixture
async def database(shared_database: Database) -> AsyncIterator[Database]:
    yield shared_database
    await execute(shared_database, "TRUNCATE users CASCADE")


@pytest.fixture
def provider(shared_provider: OidcDouble) -> OidcDouble:
    shared_provider.behave()
    return shared_provider


@pytest.fixture
def browser(with_front_end: httpx.AsyncClient, provider: OidcDouble, database: Database) -> httpx.AsyncClient:  # noqa: ARG001
    """A browser at a service with a front end."""
    return another(with_front_end)


@pytest.fixture
def bare(without_front_end: httpx.AsyncClient, provider: OidcDouble, database: Database) -> httpx.AsyncClient:  # noqa: ARG001
    """A browser at a service without one."""
    return another(without_front_end)


@pytest.fixture
def start(url: URL, provider: OidcDouble, database: Database) -> StartHere:  # noqa: ARG001
    @asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        given = {**provider.settings, "frontend_url": FRONTEND, **settings}
        async with started(make_settings(url, **given)) as (_, client):
            yield another(client)

    return start


def another(browser: httpx.AsyncClient) -> httpx.AsyncClient:
    """Somebody else's browser at the same service."""
    return httpx.AsyncClient(transport=browser._transport, base_url="https://localhost")


async def begin(browser: httpx.AsyncClient, **asked: str) -> str:
    """Google's address that the browser is sent to."""
    response = await browser.get(LOGIN, params=asked)
    assert response.status_code == 302, response.text
    assert response.headers["cache-control"] == "no-store"
    return response.headers["location"]


async def finish(browser: httpx.AsyncClient, callback: str) -> dict[str, str]:
    """What the front end finds in its address."""
    response = await browser.get(callback)
    assert response.status_code == 302, response.text
    assert response.headers["cache-control"] == "no-store"
    landed = urlsplit(response.headers["location"])
    assert not re.search(TOKEN, response.headers["location"])
    assert not response.content
    return {"at": f"{landed.scheme}://{landed.netloc}{landed.path}", **dict(parse_qsl(landed.query))}


async def log_in(browser: httpx.AsyncClient, **asked: str) -> dict[str, str]:
    return await finish(browser, await consented(await begin(browser, **asked)))


async def redeem(browser: httpx.AsyncClient, code: str, **more: Any) -> httpx.Response:
    response = await browser.post(REDEEM, json={"code": code, **more})
    if response.status_code == 200:
        assert response.headers["cache-control"] == "no-store"
    return response


async def tokens(browser: httpx.AsyncClient) -> dict[str, str]:
    response = await redeem(browser, (await log_in(browser))["code"])
    assert response.status_code == 200, response.text
    pair: dict[str, str] = response.json()
    assert set(pair) == {"access", "refresh"}
    return pair


async def me(browser: httpx.AsyncClient, pair: dict[str, str]) -> httpx.Response:
    return await browser.get("/users/personal-info/", headers={"authorization": f"Bearer {pair['access']}"})


async def add_user(database: Database, email: str, **values: Any) -> int:
    values = {
        "email": email,
        "email_verified": True,
        "password": "x",
        "google_subject": None,
        "is_active": True,
    } | values
    async with database.transaction() as session:
        added = await session.execute(
            text(
                "INSERT INTO users (email, email_verified, password, google_subject, is_active, account_tier_id)"
                " SELECT :email, :email_verified, :password, :google_subject, :is_active, id"
                " FROM account_tiers WHERE is_default RETURNING id"
            ),
            values,
        )
        user_id: int = added.scalar_one()
    return user_id


async def users(database: Database) -> list[Any]:
    async with database.reading() as session:
        return list((await session.execute(text("SELECT * FROM users ORDER BY id"))).all())


async def execute(database: Database, statement: str) -> None:
    async with database.transaction() as session:
        await session.execute(text(statement))


async def somebody_waits_for_a_lock(database: Database) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with database.reading() as session:
        while not (await session.execute(waiting)).scalar():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
