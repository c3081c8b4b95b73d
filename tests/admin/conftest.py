"""The staff's pages, and somebody at them."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.admin.administration import Administration
from app.admin.staff import COOKIE, StaffSessions
from app.auth.passwords import Passwords
from app.auth.repository import UserRepository
from app.core.database import Database
from tests.conftest import CHEAP, SECRET_KEY, make_settings, new_database, started

PASSWORD = "a long walk at night"
BOSS, ADA = "boss@example.com", "ada@example.com"
# Their session version: a password was set once.
BOSS_VERSION = 2
ORIGIN = "https://localhost"


class Visitor:
    """A browser as far as HTTP goes: it keeps cookies, and sends forms with what their page held."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def token(self, path: str = "/admin/login") -> str:
        """The token of a page's form."""
        found = re.search(r'name="csrftoken" value="([^"]+)"', (await self.client.get(path)).text)
        assert found is not None
        return found[1]

    async def send(self, path: str, **fields: str) -> httpx.Response:
        """Open a form, and send it."""
        return await self.client.post(path, data={"csrftoken": await self.token(path), **fields})

    async def log_in(self, email: str = BOSS, password: str = PASSWORD) -> httpx.Response:
        """Log in at the login page."""
        return await self.send("/admin/login", username=email, password=password)

    def carry(self, cookie: str) -> None:
        """Have this as the session's cookie."""
        self.client.cookies.set(COOKIE, cookie, domain="localhost.local", path="/admin")

    async def is_in(self) -> bool:
        """Whether the pages open."""
        return (await self.client.get("/admin/users/list")).status_code == 200

    async def delete(self, table: str, pk: int) -> httpx.Response:
        """Delete a row, as the list's script does."""
        headers = {"X-CSRFToken": await self.token("/admin/users/edit?pk=1")}
        return await self.client.post(f"/admin/_api/{table}/row-action?name=delete&pk={pk}", headers=headers)

    async def shown(self, path: str) -> str:
        """A page as its reader has it."""
        page = await self.client.get(path)
        assert page.status_code == 200, page.text
        return words(page)


def words(page: httpx.Response) -> str:
    """The text of a page."""
    body = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", page.text)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


class Site:
    """A running service, its database, and visitors to it."""

    def __init__(self, api: httpx.AsyncClient, database: Database) -> None:
        self.api = api
        self.database = database

    def visitor(self, **options: Any) -> Visitor:
        """Somebody who has not been here."""
        transport = self.api._transport
        return Visitor(httpx.AsyncClient(transport=transport, **{"base_url": ORIGIN, **options}))

    async def boss(self) -> Visitor:
        """An administrator, logged in."""
        visitor = self.visitor()
        visitor.carry(StaffSessions([SECRET_KEY]).issue(1, BOSS_VERSION))
        return visitor

    async def tokens(self, email: str = ADA, password: str = PASSWORD) -> dict[str, str]:
        """A user's token pair."""
        pair: dict[str, str] = (await self.api.post("/token/", json={"email": email, "password": password})).json()
        return pair

    async def personal_info(self, access: str) -> httpx.Response:
        """What the API tells the user."""
        return await self.api.get("/users/personal-info/", headers={"Authorization": f"Bearer {access}"})

    async def scalar(self, query: str) -> Any:  # noqa: ANN401
        """One value from the database."""
        async with self.database.reading() as session:
            return (await session.execute(text(query))).scalar()

    async def execute(self, statement: str) -> None:
        """Change the database behind the service's back."""
        async with self.database.transaction() as session:
            await session.execute(text(statement))


@asynccontextmanager
async def running_site(url: URL, **settings: Any) -> AsyncIterator[Site]:
    """The service, with some settings."""
    database = Database(url, pool_size=2)
    async with started(make_settings(url, **settings)) as (_, api):
        yield Site(api, database)
    await database.close()


@pytest.fixture(scope="session")
async def staffed(administrator: AsyncEngine, filled: str) -> AsyncIterator[str]:
    """The name of a database to make others of: the sample catalogue, an administrator (id 1) and a user (id 2)."""
    async with new_database(administrator, filled) as url:
        database, passwords = Database(url), Passwords(CHEAP)
        await Administration(database).make_administrator(BOSS, PASSWORD, passwords)
        async with database.transaction() as session:
            assert await UserRepository(session).add(ADA, password=await passwords.hash(PASSWORD)) == 2
        await database.close()
        assert url.database is not None
        yield url.database


@pytest.fixture
async def staffed_url(administrator: AsyncEngine, staffed: str) -> AsyncIterator[URL]:
    """A database with the sample catalogue, an administrator and a user."""
    async with new_database(administrator, staffed) as url:
        yield url


@pytest.fixture
async def site(staffed_url: URL) -> AsyncIterator[Site]:
    """The service with the sample catalogue, an administrator and a user."""
    async with running_site(staffed_url) as site:
        yield site
