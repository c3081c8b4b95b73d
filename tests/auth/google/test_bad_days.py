"""Google away, slow or forged; and what a log tells of a login."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from sqlalchemy import URL

from app.core.database import Database
from app.upstream import services
from tests.auth.google.conftest import (
    CALLBACK,
    CHALLENGE,
    LOGIN,
    VERIFIER,
    StartHere,
    begin,
    finish,
    log_in,
    redeem,
    users,
)
from tests.conftest import make_settings
from tests.doubles.oidc import (
    CLIENT_SECRET,
    DISCOVERY,
    OidcDouble,
    Person,
    consented,
    signed_by_none,
    signed_by_public_key,
)
from tests.doubles.server import Reply


async def test_without_a_client_id_nobody_logs_in_with_google(start: StartHere) -> None:
    async with start(google_client_id=None, google_client_secret=None) as client:
        response = await client.get(LOGIN)
        assert (response.status_code, response.json()["code"]) == (503, "google_not_configured")
        assert "retry-after" in response.headers
        assert (await finish(client, f"{CALLBACK}?code=a&state=b"))["error"] == "oauth_failed"


BAD_DAYS = [Reply(status=500), Reply(b"<html>"), Reply(drop=True), Reply(hang=True)]


@pytest.mark.parametrize("reply", BAD_DAYS, ids=["broken", "garbled", "dropped", "slow"])
async def test_when_google_does_not_answer_everybody_is_told_in_time(
    start: StartHere, provider: OidcDouble, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    monkeypatch.setattr(services, "GOOGLE_DEADLINE_SECONDS", 0.6)
    async with start() as client:
        provider.faults[DISCOVERY] = reply
        started = time.monotonic()
        response = await client.get(LOGIN)
        assert (response.status_code, response.json()["code"]) == (503, "google_unavailable")
        assert "retry-after" in response.headers
        del provider.faults[DISCOVERY]
        callback = await consented(await begin(client, state="s"))
        provider.faults["/token"] = reply
        landed = await finish(client, callback)
        assert (landed["error"], landed["state"]) == ("oauth_failed", "s")
        assert time.monotonic() - started < 15  # without a deadline: never


@pytest.mark.parametrize(
    "changes", [{"aud": "another"}, {"nonce": "another"}, {"exp": 1}, {"iss": "https://evil.example"}], ids=str
)
async def test_an_id_token_for_another_is_no_login(
    browser: httpx.AsyncClient, provider: OidcDouble, database: Database, changes: dict[str, Any]
) -> None:
    provider.changes = changes
    assert (await log_in(browser))["error"] == "oauth_failed"
    assert await users(database) == []


@pytest.mark.parametrize("sign", [signed_by_none, signed_by_public_key])
async def test_an_id_token_that_anybody_could_have_made_is_no_login(
    browser: httpx.AsyncClient, provider: OidcDouble, database: Database, sign: Callable[[Person], str]
) -> None:
    provider.sign = sign
    assert (await log_in(browser))["error"] == "oauth_failed"
    assert await users(database) == []


async def test_no_connection_is_held_while_google_is_waited_for(start: StartHere, provider: OidcDouble) -> None:
    async with start(db_pool_size=1) as client:
        callback = await consented(await begin(client))
        provider.latency = 0.5
        landing = asyncio.create_task(finish(client, callback))
        while provider.in_flight == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert (await client.get("/health/ready")).status_code == 200
        assert provider.in_flight
        assert "code" in await landing


async def test_no_secret_is_in_any_log_line(
    start: StartHere, provider: OidcDouble, capfd: pytest.CaptureFixture[str]
) -> None:
    async with start(log_level="DEBUG") as client:
        url = await begin(client, code_challenge=CHALLENGE)
        sealed = list(client.cookies.values())
        callback = await consented(url)
        code = (await finish(client, callback))["code"]
        pair = (await redeem(client, code, code_verifier=VERIFIER)).json()
        provider.changes = {"nonce": "another"}
        await finish(client, await consented(await begin(client)))
    said = "".join(capfd.readouterr())
    assert "login with Google failed" in said
    asked, returned = dict(parse_qsl(urlsplit(url).query)), dict(parse_qsl(urlsplit(callback).query))
    secrets = [CLIENT_SECRET, asked["state"], asked["nonce"], returned["code"], code, VERIFIER, *sealed, *pair.values()]
    assert not [secret for secret in secrets if secret in said]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"google_client_id": "id", "google_client_secret": None}, "go together"),
        ({"google_client_secret": "secret"}, "go together"),
        ({"frontend_url": "app.example.com"}, "FRONTEND_URL"),
        ({"frontend_url": "https://user@app.example.com"}, "FRONTEND_URL"),
        ({"oauth_redirect_origins": ["*"]}, "OAUTH_REDIRECT_ORIGINS"),
        ({"oauth_redirect_origins": ["https://app.example.com/page"]}, "OAUTH_REDIRECT_ORIGINS"),
        ({"google_discovery_url": "http://accounts.google.com/"}, "GOOGLE_DISCOVERY_URL"),
        ({"google_discovery_url": "ftp://localhost/"}, "GOOGLE_DISCOVERY_URL"),
    ],
)
def test_settings_that_contradict_each_other_stop_the_start(url: URL, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        make_settings(url, **settings)
    assert "secret_key" not in str(caught.value).partition("[type")[0]
