"""Whose browser comes back from Google: what is stolen, replayed or forged is refused."""

import time
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from app.auth.google_state import LoginSeal
from tests.auth.google.conftest import CALLBACK, CHALLENGE, LOGIN, StartHere, another, begin, finish
from tests.conftest import SECRET_KEY
from tests.doubles.oidc import (
    consented,
)


async def test_a_callback_in_a_browser_that_did_not_begin_it_is_refused(browser: httpx.AsyncClient) -> None:
    callback = await consented(await begin(browser, next="https://app.example.com/mine", state="mine"))
    victim = another(browser)
    assert await finish(victim, callback) == {
        "at": "https://app.example.com/signed-in",
        "lang": "en",
        "error": "oauth_failed",
    }
    await begin(victim)
    assert (await finish(victim, callback))["error"] == "oauth_failed"
    assert "code" in await finish(browser, callback)


async def test_a_callback_works_once(browser: httpx.AsyncClient) -> None:
    callback = await consented(await begin(browser))
    cookies = dict(browser.cookies)
    assert "code" in await finish(browser, callback)
    assert not dict(browser.cookies)
    assert (await finish(browser, callback))["error"] == "oauth_failed"
    browser.cookies.update(cookies)
    assert (await finish(browser, callback))["error"] == "oauth_failed"


@pytest.mark.parametrize(
    "query", ["", "?code=4/x", "?state=&code=4/x", "?state=%00&code=%00", "?state=a%FFb&code=4/x", "?error=x"]
)
async def test_a_callback_out_of_nowhere_is_refused(browser: httpx.AsyncClient, query: str) -> None:
    browser.cookies.set("google_login_e3b0c44298fc1c14", "forged")
    assert (await finish(browser, CALLBACK + query))["error"] == "oauth_failed"


async def test_a_cookie_that_was_changed_or_is_another_login_s_is_not_taken(browser: httpx.AsyncClient) -> None:
    callback = await consented(await begin(browser))
    [(name, sealed)] = browser.cookies.items()
    other = another(browser)
    await begin(other)
    for value in (next(iter(other.cookies.values())), sealed[:-8] + "AAAAAAA=", "x", "gAAAAA==", "%C3%A9"):
        answer = await another(browser).get(callback, headers={"cookie": f"{name}={value}"})
        assert "error=oauth_failed" in answer.headers["location"]
    raw = await another(browser).get(callback, headers=[(b"cookie", f"{name}=".encode() + b"\xff\xe9")])
    assert "error=oauth_failed" in raw.headers["location"]


@pytest.mark.parametrize(("age", "lands"), [(590, "code"), (610, "error")])
async def test_a_login_may_take_ten_minutes(browser: httpx.AsyncClient, age: int, lands: str) -> None:
    callback = await consented(await begin(browser))
    [(name, sealed)] = browser.cookies.items()
    fernet = LoginSeal([SECRET_KEY])._fernet
    aged = fernet.encrypt_at_time(fernet.decrypt(sealed.encode()), int(time.time()) - age).decode()
    answer = await another(browser).get(callback, headers={"cookie": f"{name}={aged}"})
    assert f"{lands}=" in answer.headers["location"]


async def test_two_tabs_do_not_stand_in_each_other_s_way(browser: httpx.AsyncClient) -> None:
    first, second = [await begin(browser, state=name) for name in ("first", "second")]
    for url, name in ((second, "second"), (first, "first")):
        landed = await finish(browser, await consented(url))
        assert landed["state"] == name
        assert "code" in landed


async def test_the_cookie_is_kept_from_scripts_and_from_other_paths_and_tells_nothing(
    start: StartHere,
) -> None:
    for debug in (False, True):
        async with start(debug=debug) as client:
            response = await client.get(LOGIN, params={"state": "front"})
        asked = dict(parse_qsl(urlsplit(response.headers["location"]).query))
        [(name, morsel)] = SimpleCookie(response.headers["set-cookie"]).items()
        assert (morsel["path"], morsel["max-age"], morsel["samesite"]) == (CALLBACK, "600", "lax")
        assert (bool(morsel["httponly"]), bool(morsel["secure"])) == (True, not debug)
        assert not any(secret in name + morsel.value for secret in (asked["nonce"], asked["state"], "front"))
        assert len(response.headers["set-cookie"]) < 4096


async def test_the_longest_inputs_still_fit_into_a_cookie(browser: httpx.AsyncClient) -> None:
    longest = "https://app.example.com/".ljust(1024, "'")
    response = await browser.get(LOGIN, params={"next": longest, "state": '"' * 512, "code_challenge": CHALLENGE})
    assert len(response.headers["set-cookie"]) < 4096
    landed = await finish(browser, await consented(response.headers["location"]))
    assert landed["state"] == '"' * 512
    assert (await browser.get(LOGIN, params={"next": longest + "x"})).status_code == 422


async def test_a_login_outlives_the_change_of_the_secret_key(start: StartHere) -> None:
    new = "another-key-of-at-least-32-bytes-here"
    async with start() as before:
        callback = await consented(await begin(before))
    async with start(secret_key=new, secret_key_fallbacks=[SECRET_KEY]) as after:
        after.cookies.update(before.cookies)
        assert "code" in await finish(after, callback)
