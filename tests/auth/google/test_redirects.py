"""Where the browser is led: to the front end, and nowhere else."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from sqlalchemy import text

from app.core.database import Database
from tests.auth.google.conftest import (
    CALLBACK,
    CHALLENGE,
    LOGIN,
    StartHere,
    add_user,
    begin,
    finish,
    log_in,
    me,
    somebody_waits_for_a_lock,
)
from tests.doubles.oidc import (
    consented,
)


async def test_a_person_who_cancels_is_sent_back_with_an_error(browser: httpx.AsyncClient) -> None:
    asked = dict(parse_qsl(urlsplit(await begin(browser, state="front state")).query))
    landed = await finish(browser, f"{CALLBACK}?error=access_denied&state={asked['state']}")
    assert landed == {
        "at": "https://app.example.com/signed-in",
        "lang": "en",
        "state": "front state",
        "error": "oauth_failed",
    }
    assert not dict(browser.cookies)


async def test_the_redirect_keeps_the_front_end_s_query_and_fragment_but_for_our_names(
    browser: httpx.AsyncClient,
) -> None:
    destination = "https://app.example.com/a%20b/?code=theirs&error=theirs&state=theirs&tab=1#/route"
    back = await browser.get(await consented(await begin(browser, next=destination, state="a&b=c")))
    location = urlsplit(back.headers["location"])
    assert (location.path, location.fragment) == ("/a%20b/", "/route")
    assert [name for name, _ in parse_qsl(location.query)] == ["tab", "code", "state"]
    assert dict(parse_qsl(location.query))["state"] == "a&b=c"


@pytest.mark.parametrize(
    "destination",
    [
        "https://app.example.com",
        "https://APP.example.com:443/x?y#z",
        "http://localhost:3000/",
        "https://two.example.com",
    ],
)
async def test_the_front_end_may_choose_among_its_origins(start: StartHere, destination: str) -> None:
    origins = ["http://localhost:3000", "https://two.example.com/"]
    async with start(oauth_redirect_origins=origins) as client:
        landed = await log_in(client, next=destination)
    assert landed["at"].lower().startswith(destination.lower().partition("?")[0].rstrip("/"))
    assert "code" in landed


@pytest.mark.parametrize(
    "destination",
    [
        "",
        "/",
        "//app.example.com/",
        "///app.example.com/",
        "https:app.example.com",
        "https:///app.example.com/",
        "http://app.example.com/",
        "https://app.example.com:444/",
        "https://app.example.com:99999999/",
        "https://app.example.com.evil.example/",
        "https://evil.example/?https://app.example.com/",
        "https://app.example.com@evil.example/",
        "https://evil.example@app.example.com/",
        "https://app.example.com:443@evil.example/",
        "https://app.example.com\\@evil.example/",
        "https://evil.example\\@app.example.com/",
        "https://evil.example\\.app.example.com/",
        "https:\\\\app.example.com/",
        "https://app.example.com\\",
        'https://app.example.com/"><script>',
        "https://app.example.com%2f@evil.example/",
        "https://app.example.com\t/",
        "https://app.example.com/\n",
        "https://app.example.com/\r\nSet-Cookie: a=b",
        " https://app.example.com/",
        "https://app.example.com/ ",
        "https://app.example.com/\x00",
        "https://app.example.com./",
        "https://\u0430pp.example.com/",
        "https://app.example.com/é",
        "https://[app.example.com]/",
        "https://[::1/",
        "javascript:alert(1)//https://app.example.com/",
        "javascript://app.example.com/%0aalert(1)",
        "data:text/html,x",
        "ftp://app.example.com/",
        "HTTPS//app.example.com",
        "https://app.example.com\ud800/",
    ],
)
async def test_the_browser_is_sent_nowhere_else(browser: httpx.AsyncClient, destination: str) -> None:
    raw = "".join(f"%{byte:02x}" for byte in destination.encode("utf-8", "surrogatepass"))
    response = await browser.get(f"{LOGIN}?next={raw}")
    assert response.status_code == 422, response.headers
    assert response.json()["errors"][0]["field"] == "next"
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    "query",
    [
        "state=",
        "state=%00",
        "state=%0a",
        "state=" + "x" * 513,
        "code_challenge=short",
        f"code_challenge={CHALLENGE}%3d",
        f"code_challenge={CHALLENGE}%0a",
        "state=a&state=b",
    ],
)
async def test_a_state_or_challenge_that_is_none_is_refused(browser: httpx.AsyncClient, query: str) -> None:
    assert (await browser.get(f"{LOGIN}?{query}")).status_code == 422


async def test_the_callback_s_address_is_the_one_that_the_client_sees(browser: httpx.AsyncClient) -> None:
    forwarded = {"x-forwarded-proto": "https", "x-forwarded-host": "localhost:8443"}
    response = await browser.get("http://localhost" + LOGIN, headers=forwarded)
    asked = dict(parse_qsl(urlsplit(response.headers["location"]).query))
    assert asked["redirect_uri"] == f"https://localhost:8443{CALLBACK}"


async def test_without_a_front_end_the_callback_answers_with_the_tokens(bare: httpx.AsyncClient) -> None:
    response = await bare.get(await consented(await begin(bare)))
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert set(response.json()) == {"access", "refresh"}
    assert (await me(bare, response.json())).json()["email"] == "ada@gmail.com"
    assert (await bare.get(LOGIN, params={"next": "https://app.example.com/"})).status_code == 422


@pytest.mark.parametrize(
    ("email", "values", "code"),
    [
        ("ada@gmail.com", {"is_active": False}, "oauth_failed"),
        ("ada@gmail.com", {"google_subject": "7"}, "account_exists"),
    ],
)
async def test_without_a_front_end_the_callback_answers_with_a_problem(
    bare: httpx.AsyncClient, database: Database, email: str, values: dict[str, Any], code: str
) -> None:
    await add_user(database, email, **values)
    for callback in (await consented(await begin(bare)), CALLBACK):
        response = await bare.get(callback)
        assert response.status_code == 400
        assert response.json()["code"] == (code if callback != CALLBACK else "oauth_failed")
        assert response.headers["content-type"] == "application/problem+json"
        assert "eyJ" not in response.text
    assert not dict(bare.cookies)


async def test_an_account_deactivated_in_the_same_moment_gets_no_tokens(
    bare: httpx.AsyncClient, database: Database
) -> None:
    await add_user(database, "ada@gmail.com", google_subject="1001")
    callback = await consented(await begin(bare))
    async with database.transaction() as session:
        await session.execute(text("UPDATE users SET is_active = false"))
        answer = asyncio.create_task(bare.get(callback))
        await somebody_waits_for_a_lock(database)
    assert (await answer).status_code == 400
