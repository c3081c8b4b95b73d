"""Changing a password while logged in, over HTTP."""

import asyncio

import httpx
import pytest

from tests.accounts import ADA, GRACE, OTHER, PASSWORD, Pair, Service, django_hash, read
from tests.json_schema import Json
from tests.problem_documents import fields, problem

THIRD = "a slow dance on a roof"


async def change(service: Service, pair: Pair, old: Json = PASSWORD, new: Json = OTHER) -> httpx.Response:
    return await service.ask("PATCH", "/users/change_password/", pair["access"], old_password=old, new_password=new)


async def test_a_change_gives_a_pair_that_no_cache_may_keep(service: Service) -> None:
    pair = await service.begin()
    answer = await change(service, pair)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    new = answer.json()
    assert set(new) == {"access", "refresh"}
    assert read(new["access"])["session_version"] == 2
    assert not await service.has_ended(new)
    await service.log_in(password=OTHER)
    problem(await service.post("/token/", email=ADA, password=PASSWORD), 401, "invalid_credentials")


async def test_every_older_token_ends_at_once_and_no_other_account_s(service: Service) -> None:
    first, grace = await service.begin(), await service.begin(GRACE)
    elsewhere = await service.log_in()
    following = await service.refreshed(first)
    user_id = read(first["access"])["user_id"]
    open_tokens = [
        (purpose, await service.mail_token(purpose, user_id)) for purpose in ("reset_password", "verify_email")
    ]
    new = (await change(service, following)).json()
    for pair in (first, following, elsewhere):
        assert await service.has_ended(pair)
    for purpose, token in open_tokens:
        path, more = ("reset_password/confirm", {"new_password": THIRD})
        if purpose == "verify_email":
            path, more = ("verify_email", {})
        problem(await service.post(f"/users/{path}/", token=token, **more), 400, "invalid_token")
    assert not await service.has_ended(new)
    assert not await service.has_ended(grace)
    assert await service.value("SELECT count(*) FROM token_families") == 2


async def test_a_wrong_old_password_changes_nothing(service: Service) -> None:
    pair = await service.begin()
    before = await service.value("SELECT users::text FROM users")
    for old in (OTHER, PASSWORD.upper(), f"{PASSWORD} ", "x" * 1024):
        problem(await change(service, pair, old, THIRD), 400, "wrong_password")
        problem(await change(service, pair, old, "short"), 400, "wrong_password")
    assert await service.value("SELECT users::text FROM users") == before
    assert not await service.has_ended(pair)


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ("", "password_length"),
        ("short", "password_length"),
        ("x" * 129, "password_length"),
        ("83920174652", "password_all_digits"),
        ("password1", "password_common"),
        (ADA, "password_close_to_email"),
        ("a\ud800 surrogate", "invalid_text"),
        ("a\x00nul inside", "invalid_text"),
        (7, "string_type"),
        (None, "string_type"),
    ],
)
async def test_a_bad_new_password_is_refused_by_name_and_changes_nothing(
    service: Service, new: Json, code: str
) -> None:
    pair = await service.begin()
    before = await service.value("SELECT users::text FROM users")
    answer = await change(service, pair, new=new)
    assert fields(answer) == {"new_password"}
    assert [error["code"] for error in answer.json()["errors"]] == [code]
    assert await service.value("SELECT users::text FROM users") == before
    assert not await service.has_ended(pair)


async def test_an_old_password_that_is_none_is_refused_by_name(service: Service) -> None:
    pair = await service.begin()
    for old in ("", None, 7, "x" * 1025, "a\ud800"):
        assert fields(await change(service, pair, old)) == {"old_password"}
    problem(
        await service.client.patch(
            "/users/change_password/", content=b"{}", headers={"Authorization": f"Bearer {pair['access']}"}
        ),
        415,
        "unsupported_media_type",
    )


async def test_of_two_changes_at_once_one_wins(service: Service) -> None:
    pair = await service.begin()
    answers = await asyncio.gather(change(service, pair, new=OTHER), change(service, pair, new=THIRD))
    assert sorted(answer.status_code for answer in answers) in ([200, 400], [200, 401])
    winner = next(number for number, answer in enumerate(answers) if answer.status_code == 200)
    assert not await service.has_ended(answers[winner].json())
    await service.log_in(password=(OTHER, THIRD)[winner])
    lost = await service.post("/token/", email=ADA, password=(THIRD, OTHER)[winner])
    problem(lost, 401, "invalid_credentials")
    assert await service.value("SELECT session_version FROM users") == 2


async def test_a_change_that_comes_too_late_is_refused(service: Service) -> None:
    pair = await service.begin()
    async with service.database.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE users SET password = 'changed', session_version = 2")
        late = asyncio.create_task(change(service, pair))
        await service.waits_for_a_lock()
    problem(await late, 400, "wrong_password")
    assert await service.value("SELECT password FROM users") == "changed"


async def test_a_refresh_at_the_same_time_as_a_change_keeps_no_session_alive(service: Service) -> None:
    await service.sign_up()
    password, new = PASSWORD, OTHER
    for _ in range(5):
        pair = await service.log_in(password=password)
        changed, refreshed = await asyncio.gather(change(service, pair, password, new), service.refresh(pair))
        assert changed.status_code == 200
        if refreshed.status_code == 200:
            assert await service.has_ended(refreshed.json())
        assert not await service.has_ended(changed.json())
        password, new = new, password


async def test_an_account_without_a_password_has_no_old_one(service: Service) -> None:
    pair = await service.begin()
    for stored in ("NULL", "'!unusable'"):
        await service.execute(f"UPDATE users SET password = {stored}")
        for old in (PASSWORD, "nobody's password", "!unusable"):
            problem(await change(service, pair, old), 400, "wrong_password")


async def test_a_django_password_can_be_changed(service: Service) -> None:
    pair = await service.begin()
    await service.execute("UPDATE users SET password = :p", p=django_hash(PASSWORD, 1000))
    assert (await change(service, pair)).status_code == 200
    assert (await service.value("SELECT password FROM users")).startswith("$argon2id$")
    await service.log_in(password=OTHER)
