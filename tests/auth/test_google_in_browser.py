"""Logging in with Google as a person does: in Chromium, at a service that is a process, by way of a real provider."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from playwright.async_api import Browser, Page, expect
from sqlalchemy import URL

from tests.conftest import SECRET_KEY
from tests.doubles.oidc import OidcDouble
from tests.doubles.server import Call, LoopbackServer, Reply
from tests.processes import Service, running

VERIFIER = "a-verifier-of-the-front-end-s-own-0123456789abc"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class FrontEnd(LoopbackServer):
    """A page, wherever one looks."""

    def reply(self, call: Call) -> Reply:  # noqa: ARG002
        return Reply(b"<!doctype html><title>Front end</title><h1>Front end</h1>", content_type="text/html")


@pytest.fixture
async def front_end() -> AsyncIterator[FrontEnd]:
    async with FrontEnd() as server:
        yield server


@pytest.fixture
async def provider() -> AsyncIterator[OidcDouble]:
    async with OidcDouble() as server:
        yield server


@pytest.fixture
async def service(tmp_path: Path, empty_url: URL, provider: OidcDouble, front_end: FrontEnd) -> AsyncIterator[Service]:
    """The service, as a process."""
    google = {name.upper(): value for name, value in provider.settings.items()}
    url = empty_url.render_as_string(hide_password=False)
    process = running(
        "serve", tmp_path, SECRET_KEY=SECRET_KEY, DATABASE_URL=url, FRONTEND_URL=f"{front_end.url}/", **google
    )
    service = await asyncio.to_thread(process.__enter__)  # the loop has others to serve meanwhile
    yield service
    await asyncio.to_thread(process.__exit__, None, None, None)


async def test_a_person_logs_in_cancels_and_leaves_nothing_behind(
    browser: Browser, service: Service, front_end: FrontEnd
) -> None:
    context = await browser.new_context()
    page, other = await context.new_page(), await context.new_page()
    asked = {"next": f"{front_end.url}/welcome?tab=1", "state": "front", "code_challenge": CHALLENGE}
    login = f"{service.url}/accounts/google/login/?{urlencode(asked)}"
    await page.goto(login)
    await other.goto(f"{service.url}/accounts/google/login/")
    kept = await context.cookies(f"{service.url}/accounts/google/login/callback/")
    assert [(cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) for cookie in kept] == [(True, True, "Lax")] * 2
    assert not await context.cookies(service.url)

    await page.get_by_role("button", name="Continue as ada@gmail.com").click()
    landed = await at_the_front_end(page)
    assert (landed.pop("tab"), landed.pop("state"), set(landed)) == (["1"], ["front"], {"code"})
    async with httpx.AsyncClient(base_url=service.url) as program:
        sent = {"code": landed["code"][0], "code_verifier": VERIFIER}
        pair = (await program.post("/token/oauth/", json=sent)).json()
        bearer = {"authorization": f"Bearer {pair['access']}"}
        assert (await program.get("/users/personal-info/", headers=bearer)).json()["email"] == "ada@gmail.com"

    await other.get_by_role("link", name="Cancel").click()
    assert await at_the_front_end(other) == {"error": ["oauth_failed"]}
    assert not await context.cookies(f"{service.url}/accounts/google/login/callback/")
    # Where somebody came from does not tell the front end what passed between us and Google.
    referrers = {call.headers.get("referer", "") for call in front_end.calls if call.path in {"/", "/welcome"}}
    assert not any("=" in referrer for referrer in referrers)
    await context.close()


async def at_the_front_end(page: Page) -> dict[str, list[str]]:
    await expect(page.get_by_role("heading", name="Front end")).to_be_visible()
    return parse_qs(urlsplit(page.url).query)
