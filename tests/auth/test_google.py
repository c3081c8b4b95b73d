"""Logging in with Google: the real application, a real database, and a real provider on loopback."""

import asyncio
import hashlib
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http.cookies import SimpleCookie
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.auth.google_state import LoginSeal
from app.core.database import Database
from app.upstream import services
from tests.conftest import SECRET_KEY, make_settings, new_database, started
from tests.doubles.oidc import (
    CLIENT_SECRET,
    DISCOVERY,
    ELSEWHERE,
    GMAIL,
    UNVERIFIED,
    WORKSPACE,
    OidcDouble,
    Person,
    consented,
    signed_by_none,
    signed_by_public_key,
)
from tests.doubles.server import Reply

LOGIN, CALLBACK, REDEEM = "/accounts/google/login/", "/accounts/google/login/callback/", "/token/oauth/"
FRONTEND = "https://app.example.com/signed-in?lang=en#top"
VERIFIER = "a-verifier-of-the-front-end-s-own-0123456789abc"
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PASSWORD = "a long walk at night"


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
    assert "eyJ" not in response.headers["location"]
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


# Which account


@pytest.mark.parametrize("person", [GMAIL, WORKSPACE, ELSEWHERE], ids=lambda person: person["email"])
async def test_whoever_is_new_gets_an_account(browser: httpx.AsyncClient, provider: OidcDouble, person: Person) -> None:
    provider.person = person
    info = await me(browser, await tokens(browser))
    assert info.json()["email"] == person["email"]
    assert info.json()["email_verified"] is True
    assert info.json()["account_tier"]["code"] == "free"


async def test_a_google_account_is_known_by_its_subject_whatever_becomes_of_its_address(
    browser: httpx.AsyncClient, provider: OidcDouble, database: Database
) -> None:
    await tokens(browser)
    provider.person = {**GMAIL, "email": "lovelace@gmail.com", "email_verified": False}
    await add_user(database, "lovelace@gmail.com")
    info = await me(browser, await tokens(browser))
    assert info.json()["email"] == "ada@gmail.com"
    assert [user.last_login_at is not None for user in await users(database)] == [True, False]


@pytest.mark.parametrize("person", [{**GMAIL, "email": "Ada@Gmail.com"}, WORKSPACE], ids=lambda person: person["email"])
async def test_an_account_is_linked_where_google_is_the_authority_for_its_address_and_keeps_what_it_has(
    browser: httpx.AsyncClient, provider: OidcDouble, database: Database, person: Person
) -> None:
    provider.person = person
    await add_user(database, person["email"].lower())
    await tokens(browser)
    [user] = await users(database)
    assert (user.google_subject, user.password, user.session_version) == (person["sub"], "x", 1)


@pytest.mark.parametrize(
    "person",
    [
        ELSEWHERE,
        UNVERIFIED,
        {**GMAIL, "email_verified": False},
        {**WORKSPACE, "email_verified": False},
        {**ELSEWHERE, "hd": ""},
        {**ELSEWHERE, "email": "ada@gmail.com.example.com"},
        {**ELSEWHERE, "email": "ada@notgmail.com"},
    ],
    ids=str,
)
@pytest.mark.parametrize("proved", [True, False])
async def test_an_account_may_not_be_entered_on_google_s_word_for_an_address_that_is_not_google_s(
    browser: httpx.AsyncClient, provider: OidcDouble, database: Database, person: Person, *, proved: bool
) -> None:
    provider.person = person
    await add_user(database, person["email"], email_verified=proved)
    assert await log_in(browser, state="s") == {
        "at": "https://app.example.com/signed-in",
        "lang": "en",
        "state": "s",
        "error": "account_exists",
    }
    assert (await users(database))[0].google_subject is None


async def test_an_account_that_has_another_google_account_is_not_given_to_this_one(
    browser: httpx.AsyncClient, database: Database
) -> None:
    await add_user(database, "ada@gmail.com", google_subject="7")
    assert (await log_in(browser))["error"] == "account_exists"
    await execute(database, "UPDATE users SET email_verified = false")
    assert "code" in await log_in(browser)
    [user] = await users(database)
    assert (user.google_subject, user.email_verified) == ("1001", True)


async def test_who_lay_in_wait_in_an_account_with_another_s_address_finds_nothing_left(
    browser: httpx.AsyncClient, database: Database
) -> None:
    squatter = another(browser)
    await squatter.post("/signup/", json={"email": "ada@gmail.com", "password": PASSWORD})
    session = (await squatter.post("/token/", json={"email": "ada@gmail.com", "password": PASSWORD})).json()
    [user] = await users(database)
    digest = hashlib.sha256(b"from-a-mail").hexdigest()
    await execute(
        database,
        "INSERT INTO one_time_tokens (digest, purpose, user_id, expires_at)"
        f" VALUES (decode('{digest}', 'hex'), 'reset_password', {user.id}, now() + interval '1 hour')",
    )
    ada = await tokens(browser)
    assert (await me(squatter, session)).status_code == 401
    assert (await squatter.post("/token/refresh/", json={"refresh": session["refresh"]})).status_code == 401
    again = await squatter.post("/token/", json={"email": "ada@gmail.com", "password": PASSWORD})
    assert again.status_code == 401
    reset = {"token": "from-a-mail", "new_password": "a short swim at noon"}
    assert (await squatter.post("/users/reset_password/confirm/", json=reset)).status_code == 400
    info = (await me(browser, ada)).json()
    assert (info["id"], info["email_verified"]) == (user.id, True)


@pytest.mark.parametrize("known_by", [{"google_subject": "1001"}, {"email_verified": False}, {}])
async def test_a_deactivated_account_is_refused_and_left_as_it_is(
    browser: httpx.AsyncClient, database: Database, known_by: dict[str, Any]
) -> None:
    await add_user(database, "ada@gmail.com", is_active=False, **known_by)
    before = await users(database)
    assert (await log_in(browser))["error"] == "oauth_failed"
    assert await users(database) == before


async def test_an_address_that_google_has_not_seen_proved_is_not_proved_here_and_gets_a_mail(
    browser: httpx.AsyncClient, provider: OidcDouble, database: Database
) -> None:
    provider.person = UNVERIFIED
    info = await me(browser, await tokens(browser))
    assert info.json()["email_verified"] is False
    async with database.reading() as session:
        ordered = (await session.execute(text("SELECT convert_from(payload, 'utf-8') FROM jobs"))).scalars().all()
    assert any("verify_email" in payload for payload in ordered)


@pytest.mark.parametrize(
    "email", ["ada", "ada@localhost", "ada@@gmail.com", "a" * 300 + "@gmail.com", "a\x00a@gmail.com"]
)
async def test_an_address_that_no_signup_would_take_makes_no_account(
    browser: httpx.AsyncClient, provider: OidcDouble, database: Database, email: str
) -> None:
    provider.person = {**GMAIL, "email": email}
    assert (await log_in(browser))["error"] == "oauth_failed"
    assert await users(database) == []


async def test_two_callbacks_at_once_for_one_new_address_make_one_account(
    browser: httpx.AsyncClient, provider: OidcDouble, database: Database
) -> None:
    callbacks = [await consented(await begin(browser)) for _ in range(3)]
    provider.person = {**GMAIL, "email": "lovelace@gmail.com"}
    callbacks += [await consented(await begin(browser)) for _ in range(2)]
    landed = await asyncio.gather(*(finish(browser, callback) for callback in callbacks))
    answers = [await redeem(browser, landing["code"]) for landing in landed]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len(await users(database)) == 1


async def test_an_account_that_is_deleted_meanwhile_is_made_anew(
    browser: httpx.AsyncClient, database: Database
) -> None:
    old = await add_user(database, "ada@gmail.com")
    callback = await consented(await begin(browser))
    async with database.transaction() as session:
        await session.execute(text("SELECT FROM users FOR UPDATE"))
        landing = asyncio.create_task(finish(browser, callback))
        await somebody_waits_for_a_lock(database)
        await session.execute(text("DELETE FROM users"))
    assert "code" in await landing
    [user] = await users(database)
    assert user.id != old


# Whose browser


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


# Where to


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


# Without a front end


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


# The code


async def test_a_code_works_once(browser: httpx.AsyncClient) -> None:
    code = (await log_in(browser))["code"]
    answers = await asyncio.gather(*(redeem(browser, code) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]
    again = await redeem(browser, code)
    assert (again.status_code, again.json()["code"]) == (401, "invalid_code")
    assert again.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "wrong", [{}, {"code_verifier": "b" * 43}, {"code_verifier": CHALLENGE}, {"code_verifier": "é"}]
)
async def test_a_code_with_a_challenge_is_nothing_without_its_verifier_and_is_used_up_by_a_wrong_one(
    browser: httpx.AsyncClient, wrong: dict[str, str]
) -> None:
    code = (await log_in(browser, code_challenge=CHALLENGE))["code"]
    assert (await redeem(browser, code, **wrong)).status_code == 401
    assert (await redeem(browser, code, code_verifier=VERIFIER)).status_code == 401
    code = (await log_in(browser, code_challenge=CHALLENGE))["code"]
    assert (await redeem(browser, code, code_verifier=VERIFIER)).status_code == 200


async def test_a_verifier_where_no_challenge_was_given_is_refused(browser: httpx.AsyncClient) -> None:
    code = (await log_in(browser))["code"]
    assert (await redeem(browser, code, code_verifier=VERIFIER)).status_code == 401


async def test_a_code_is_good_for_a_minute(browser: httpx.AsyncClient, database: Database) -> None:
    code = (await log_in(browser))["code"]
    async with database.reading() as session:
        age = text("SELECT extract(epoch FROM expires_at - now()) FROM one_time_tokens")
        assert 50 < float((await session.execute(age)).scalar_one()) <= 60
    await execute(database, "UPDATE one_time_tokens SET expires_at = now()")
    assert (await redeem(browser, code)).status_code == 401


async def test_a_code_of_an_account_that_was_deactivated_since_is_refused(
    browser: httpx.AsyncClient, database: Database
) -> None:
    code = (await log_in(browser))["code"]
    await execute(database, "UPDATE users SET is_active = false")
    assert (await redeem(browser, code)).status_code == 401


@pytest.mark.parametrize(
    "body", [{}, {"code": ""}, {"code": 7}, {"code": "a\x00"}, {"code": "a", "code_verifier": ""}, []]
)
async def test_what_is_no_code_is_refused(browser: httpx.AsyncClient, body: object) -> None:
    assert (await browser.post(REDEEM, json=body)).status_code == 422
    assert (await redeem(browser, "made-up")).status_code == 401


# Google, on bad days


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
        assert time.monotonic() - started < 2


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


# The settings


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
