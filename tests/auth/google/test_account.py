"""Which account somebody with a Google account gets into."""

import asyncio
import hashlib
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.core.database import Database
from tests.auth.google.conftest import (
    PASSWORD,
    add_user,
    another,
    begin,
    execute,
    finish,
    log_in,
    me,
    redeem,
    somebody_waits_for_a_lock,
    tokens,
    users,
)
from tests.doubles.oidc import (
    ELSEWHERE,
    GMAIL,
    UNVERIFIED,
    WORKSPACE,
    OidcDouble,
    Person,
    consented,
)


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
