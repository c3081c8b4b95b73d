"""Logging in, over HTTP."""

import asyncio
import json

import pytest
from sqlalchemy import URL

from app.auth.passwords import AT_ONCE, Argon2id
from tests.accounts import ADA, GRACE, OTHER, PASSWORD, Counting, Service, django_hash, opened, read
from tests.json_schema import Json
from tests.problem_documents import fields, problem

FORM = {"grant_type": "password", "username": ADA, "password": PASSWORD}


async def test_a_login_gives_a_pair_that_no_cache_may_keep(service: Service) -> None:
    user_id = await service.sign_up()
    answer = await service.post("/token/", email=ADA, password=PASSWORD)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    pair = answer.json()
    assert set(pair) == {"access", "refresh"}
    access, refresh = read(pair["access"]), read(pair["refresh"])
    assert access["user_id"] == refresh["user_id"] == user_id
    assert access["iss"] == refresh["iss"] == "movie-finder"
    assert (access["token_type"], refresh["token_type"]) == ("access", "refresh")
    assert access["jti"] != refresh["jti"]
    assert access["exp"] - access["iat"] == 3600
    assert refresh["exp"] - refresh["iat"] == 7 * 24 * 3600
    assert (await service.me(pair)).json()["id"] == user_id


async def test_the_ages_of_tokens_are_settings(accounts_url: URL, service: Service) -> None:
    await service.sign_up()
    async with opened(accounts_url, access_token_minutes=5, refresh_token_days=1) as other:
        pair = {name: read(token) for name, token in (await other.log_in()).items()}
    assert pair["access"]["exp"] - pair["access"]["iat"] == 300
    assert pair["refresh"]["exp"] - pair["refresh"]["iat"] == 24 * 3600


async def test_the_oauth2_form_gives_the_same_pair_under_its_names_too(service: Service) -> None:
    user_id = await service.sign_up()
    answer = await service.client.post("/token/", data=FORM)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    pair = answer.json()
    assert set(pair) == {"access", "refresh", "access_token", "token_type"}
    assert (pair["access_token"], pair["token_type"]) == (pair["access"], "bearer")
    assert (await service.me({"access": pair["access_token"]})).json()["id"] == user_id
    assert (await service.refresh(pair)).status_code == 200


async def test_the_media_type_s_case_and_parameters_do_not_matter(service: Service) -> None:
    await service.sign_up()
    body = json.dumps({"email": ADA, "password": PASSWORD}).encode()
    for media_type in ("application/json; charset=utf-8", "Application/JSON", "application/json;x=y"):
        answer = await service.client.post("/token/", content=body, headers={"Content-Type": media_type})
        assert answer.status_code == 200, media_type
    form = b"username=ada%40example.com&password=a+long+walk+at+night"
    media_type = "Application/X-WWW-Form-URLencoded; charset=UTF-8"
    answer = await service.client.post("/token/", content=form, headers={"Content-Type": media_type})
    assert answer.status_code == 200


@pytest.mark.parametrize("email", [ADA, "ADA@EXAMPLE.COM", "Ada@example.com", f" {ADA}\n"])
async def test_an_address_is_known_however_it_is_written(service: Service, email: str) -> None:
    await service.sign_up()
    await service.log_in(email)


async def test_a_login_is_noted(service: Service) -> None:
    await service.sign_up()
    assert await service.value("SELECT last_login_at FROM users") is None
    await service.log_in()
    assert await service.value("SELECT now() - last_login_at < interval '1 minute' FROM users")


async def strangers(service: Service) -> dict[str, tuple[str, str]]:
    """Everybody who does not get in, and why."""
    for email in (ADA, GRACE):
        await service.sign_up(email)
    await service.execute("UPDATE users SET is_active = false WHERE email = :email", email=GRACE)
    await service.add_user("google@example.com", google_subject="1")
    await service.add_user("unusable@example.com", password="!Zr0nxT5UvXkQe1bGmhPq2wZr0nxT5UvXkQe1bGmh")
    await service.add_user("empty@example.com", password="")
    return {
        "wrong": (ADA, OTHER),
        "unknown": ("nobody@example.com", PASSWORD),
        "no address": ("nobody", PASSWORD),
        "inactive": (GRACE, PASSWORD),
        "inactive and wrong": (GRACE, OTHER),
        "without a password": ("google@example.com", PASSWORD),
        "nobody's password": ("google@example.com", "nobody's password"),
        "unknown with nobody's password": ("nobody@example.com", "nobody's password"),
        "unusable": ("unusable@example.com", "!Zr0nxT5UvXkQe1bGmhPq2wZr0nxT5UvXkQe1bGmh"),
        "an empty hash": ("empty@example.com", PASSWORD),
    }


async def test_whoever_does_not_get_in_is_told_the_same(service: Service) -> None:
    found = []
    for case, (email, password) in (await strangers(service)).items():
        for sent in (
            {"json": {"email": email, "password": password}},
            {"data": {"username": email, "password": password}},
        ):
            answer = await service.client.post("/token/", **sent)  # type: ignore[arg-type]
            document = problem(answer, 401, "invalid_credentials", case=case)
            assert answer.headers["WWW-Authenticate"] == "Bearer", case
            assert "access" not in answer.text, case
            found.append(
                (document["detail"], {name: answer.headers[name] for name in answer.headers if "id" not in name})
            )
    assert all(one == found[0] for one in found)
    assert await service.value("SELECT count(*) FROM token_families") == 0
    assert await service.value("SELECT count(last_login_at) FROM users") == 0


async def test_every_attempt_costs_one_hash_of_the_same_kind_whoever_it_is(accounts_url: URL, service: Service) -> None:
    hasher = Counting()
    async with opened(accounts_url, hasher) as counted:
        cases = await strangers(counted)
        cases["right"] = (ADA, PASSWORD)
        spent = set()
        for case, (email, password) in cases.items():
            hasher.calls.clear()
            answer = await counted.post("/token/", email=email, password=password)
            assert answer.status_code == (200 if case == "right" else 401), case
            assert len(hasher.calls) == 1, (case, hasher.calls)
            spent.update(hasher.calls)
    assert spent == {"verify $argon2id$v=19$m=8,t=1,p=1"}
    assert await service.value("SELECT count(*) FROM token_families") == 1


async def test_a_form_that_cannot_be_read_is_refused_by_name(service: Service) -> None:
    for body in (b"", b"username", b"&&&=", b"username=&password=", b"grant_type=password", b"%ff=%ff"):
        answer = await service.client.post(
            "/token/", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert fields(answer, case=body) == {"username", "password"}
    for name, body in {
        "username": b"username=%00&password=x",
        "password": b"username=ada%40example.com&password=" + b"x" * 1025,
        "grant_type": b"grant_type=refresh_token&username=ada%40example.com&password=x",
    }.items():
        answer = await service.client.post(
            "/token/", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert fields(answer, case=body) == {name}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nul", b'{"email":', b"\xff\xfe\x00", b"[" * 60_000, b'{"a":' * 10_000, b"1" * 5000, b"{'email': 1}"],
    ids=lambda body: repr(body[:8]),
)
async def test_a_body_that_is_no_json_is_refused(service: Service, body: bytes) -> None:
    answer = await service.client.post("/token/", content=body, headers={"Content-Type": "application/json"})
    assert fields(answer) == {"body"}


@pytest.mark.parametrize(
    ("body", "faulty"),
    [
        ([], {"body"}),
        (None, {"body"}),
        ("x", {"body"}),
        (float("nan"), {"body"}),
        ({}, {"email", "password"}),
        ({"email": ADA}, {"password"}),
        ({"email": None, "password": PASSWORD}, {"email"}),
        ({"email": "a" * 256, "password": PASSWORD}, {"email"}),
        ({"email": "a\x00", "password": PASSWORD}, {"email"}),
        ({"email": "a\ud800", "password": PASSWORD}, {"email"}),
        ({"email": ADA, "password": "a\ud800"}, {"password"}),
        ({"email": ADA, "password": ""}, {"password"}),
        ({"email": ADA, "password": "x" * 1025}, {"password"}),
        ({"email": ADA, "password": 7}, {"password"}),
        ({"username": ADA, "password": PASSWORD}, {"email"}),
    ],
)
async def test_json_of_another_shape_is_refused_by_name(service: Service, body: Json, faulty: set[str]) -> None:
    sent = json.dumps(body).encode()
    answer = await service.client.post("/token/", content=sent, headers={"Content-Type": "application/json"})
    assert fields(answer) == faulty


@pytest.mark.parametrize("media_type", [None, "text/plain", "multipart/form-data; boundary=x", "application/xml"])
async def test_a_body_of_another_media_type_is_refused(service: Service, media_type: str | None) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    problem(await service.client.post("/token/", content=b"{}", headers=headers), 415, "unsupported_media_type")


async def test_a_password_that_was_changed_while_it_was_checked_lets_nobody_in(service: Service) -> None:
    await service.sign_up()
    for change in ("password = '!', session_version = 2", "is_active = false"):
        async with service.database.transaction() as session:
            locked = await session.connection()
            await locked.exec_driver_sql(f"UPDATE users SET {change}")
            late = asyncio.create_task(service.post("/token/", email=ADA, password=PASSWORD))
            await service.waits_for_a_lock()
        problem(await late, 401, "invalid_credentials")
        await service.execute("TRUNCATE users CASCADE")
        await service.sign_up()


async def test_many_logins_at_once_all_get_in(service: Service) -> None:
    await service.sign_up()
    pairs = await asyncio.gather(*(service.log_in() for _ in range(10 * AT_ONCE)))
    assert len({pair["refresh"] for pair in pairs}) == len(pairs)
    assert not any([await service.has_ended(pair) for pair in pairs])


async def test_a_hash_of_other_parameters_is_replaced_at_the_next_login(service: Service) -> None:
    await service.add_user(password=Argon2id(passes=1, kibibytes=16, lanes=1).hash(PASSWORD))
    await service.log_in()
    stored = await service.value("SELECT password FROM users")
    assert stored.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    await service.log_in()
    assert await service.value("SELECT password FROM users") == stored
    assert django_hash(PASSWORD, 1) != stored
