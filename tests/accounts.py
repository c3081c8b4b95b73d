"""What clients of the accounts do, and what tests see behind them."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import URL, text

from app.auth.passwords import Argon2id
from app.auth.repository import OneTimeTokenRepository, UserRepository
from app.core.database import Database
from tests.conftest import CHEAP, SECRET_KEY, make_settings, started
from tests.json_schema import Json

ADA, GRACE = "ada@example.com", "grace@example.com"
PASSWORD, OTHER = "a long walk at night", "a short swim at noon"
Pair = dict[str, str]
JSON = {"Content-Type": "application/json"}
# The limits have tests of their own.
GENEROUS = dict.fromkeys(("throttle_login", "throttle_signup", "throttle_reset"), "10000/minute")


@dataclass(frozen=True)
class Service:
    """A service with its database, and a client for it."""

    client: httpx.AsyncClient
    database: Database
    url: URL

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.client.post(path, content=json.dumps(body), headers=JSON)

    async def ask(self, method: str, path: str, access: str, **body: Any) -> httpx.Response:
        """A request of who has the access token."""
        headers = {"Authorization": f"Bearer {access}"}
        if not body:
            return await self.client.request(method, path, headers=headers)
        return await self.client.request(method, path, content=json.dumps(body), headers=headers | JSON)

    async def sign_up(self, email: str = ADA, password: str = PASSWORD) -> int:
        answer = await self.post("/signup/", email=email, password=password)
        assert answer.status_code == 201, answer.text
        user_id: int = answer.json()["id"]
        return user_id

    async def log_in(self, email: str = ADA, password: str = PASSWORD) -> Pair:
        answer = await self.post("/token/", email=email, password=password)
        assert answer.status_code == 200, answer.text
        pair: Pair = answer.json()
        return pair

    async def begin(self, email: str = ADA) -> Pair:
        """The tokens of a new account."""
        await self.sign_up(email)
        return await self.log_in(email)

    async def refresh(self, pair: Pair) -> httpx.Response:
        return await self.post("/token/refresh/", refresh=pair["refresh"])

    async def refreshed(self, pair: Pair) -> Pair:
        answer = await self.refresh(pair)
        assert answer.status_code == 200, answer.text
        following: Pair = answer.json()
        return following

    async def me(self, pair: Pair) -> httpx.Response:
        return await self.ask("GET", "/users/personal-info/", pair["access"])

    async def has_ended(self, pair: Pair) -> bool:
        """Whether neither of the tokens is taken any more."""
        found = {(await self.me(pair)).status_code, (await self.refresh(pair)).status_code}
        assert found in ({200}, {401}), found
        return found == {401}

    async def execute(self, statement: str, **values: Any) -> None:
        async with self.database.transaction() as session:
            await session.execute(text(statement), values)

    async def value(self, query: str, **values: Any) -> Json:
        async with self.database.reading() as session:
            return (await session.execute(text(query), values)).scalar()

    async def waits_for_a_lock(self) -> None:
        """Return once a statement of somebody else's waits for a lock."""
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        while not await self.value(waiting):  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def mails(self) -> list[dict[str, Any]]:
        """The mails that have been ordered."""
        async with self.database.reading() as session:
            found = await session.execute(text("SELECT convert_from(payload, 'utf-8') FROM jobs ORDER BY id"))
            return [json.loads(payload) for payload in found.scalars()]

    async def later(self, seconds: float) -> None:
        """Let the last rotations be so much longer ago."""
        await self.execute("UPDATE token_families SET rotated_at = rotated_at - make_interval(secs => :s)", s=seconds)

    async def add_user(self, email: str = ADA, **values: Any) -> int:
        async with self.database.transaction() as session:
            user_id = await UserRepository(session).add(email, **values)
            assert user_id is not None
            return user_id

    async def mail_token(self, purpose: str, user_id: int, minutes: float = 60) -> str:
        """The token of a mail that was sent."""
        async with self.database.transaction() as session:
            return await OneTimeTokenRepository(session).add(purpose, user_id, timedelta(minutes=minutes))


class Counting(Argon2id):
    """The real hasher, at next to no cost, that notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__(passes=1, kibibytes=8, lanes=1)
        self.calls: list[str] = []

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002
        self.calls.append(f"verify {str(hash).rpartition('$')[0].rpartition('$')[0]}")
        return super().verify(password, hash)

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.calls.append("hash")
        return super().hash(password, salt=salt)


@asynccontextmanager
async def opened(url: URL, argon2id: Argon2id = CHEAP, /, **settings: Any) -> AsyncIterator[Service]:
    """A service on the database at `url`."""
    database = Database(url, pool_size=2)
    async with started(make_settings(url, **{**GENEROUS, **settings}), argon2id) as (_, client):
        yield Service(client, database, url)
    await database.close()


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(claims: Json, key: str = SECRET_KEY, *, digest: str = "sha256", **header: Any) -> str:
    """A token as RFC 7519 has it, made without the service's library."""
    parts = [json.dumps({"alg": "HS256", "typ": "JWT", **header}), json.dumps(claims)]
    body = ".".join(base64url(part.encode()) for part in parts)
    return f"{body}.{base64url(hmac.digest(key.encode(), body.encode(), digest))}"


def read(token: str) -> dict[str, Any]:
    """The claims of a token, unverified."""
    body = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def claims(user_id: Json, /, **changes: Any) -> dict[str, Any]:
    """What a good access token says; with None, a claim is left out."""
    now = int(time.time())
    good = {
        "iss": "movie-finder",
        "token_type": "access",
        "user_id": user_id,
        "session_version": 1,
        "auth_time": now,
        "jti": str(uuid4()),
        "iat": now,
        "exp": now + 60,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def django_hash(password: str, iterations: int = 870_000) -> str:
    """A password as Django 5.1 stores it, made by hashlib alone."""
    salt = "Zr0nxT5UvXkQe1bGmhPq2w"
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), iterations)
    return f"pbkdf2_sha256${iterations}${salt}${base64.b64encode(digest).decode()}"
