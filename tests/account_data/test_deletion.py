"""Deleting an account."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest

from tests.accounts import ADA, GRACE, OTHER, PASSWORD, Pair, Service, claims, django_hash, read, signed
from tests.problem_documents import fields, problem

WAYS = [("DELETE", "/users/me/"), ("POST", "/users/me/delete/")]
pytestmark = pytest.mark.parametrize("way", WAYS, ids=lambda way: way[0])
Way = tuple[str, str]


async def delete(service: Service, way: Way, pair: Pair, **body: Any) -> httpx.Response:
    return await service.ask(*way, pair["access"], **body)


async def count(service: Service, table: str) -> int:
    found: int = await service.value(f"SELECT count(*) FROM {table}")
    return found


async def without_password(service: Service) -> Pair:
    """The tokens of an account that has none."""
    pair = await service.begin()
    await service.execute("UPDATE users SET password = NULL, google_subject = '1001'")
    return pair


def logged_in_ago(pair: Pair, seconds: float) -> Pair:
    """The access token of a login so long ago."""
    return {"access": signed({**read(pair["access"]), "auth_time": int(time.time() - seconds)})}


async def test_the_password_deletes_the_account_and_all_that_it_owns(service: Service, way: Way) -> None:
    pair, grace = await service.begin(), await service.begin(GRACE)
    user_id = read(pair["access"])["user_id"]
    tokens = [await service.mail_token(purpose, user_id) for purpose in ("verify_email", "reset_password")]
    answer = await delete(service, way, pair, password=PASSWORD)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await service.value("SELECT array_agg(email) FROM users") == [GRACE]
    assert await count(service, "token_families") == 1
    assert await count(service, "one_time_tokens") == 0
    assert await service.has_ended(pair)
    problem(await service.post("/users/verify_email/", token=tokens[0]), 400, "invalid_token")
    problem(await service.post("/token/", email=ADA, password=PASSWORD), 401, "invalid_credentials")
    assert not await service.has_ended(grace)


async def test_every_table_that_knows_a_user_is_emptied_with_it(service: Service, way: Way) -> None:
    pair = await service.begin()
    left = await service.value(
        "SELECT array_agg(conrelid::regclass::text) FROM pg_constraint"
        " WHERE confrelid = 'users'::regclass AND contype = 'f' AND confdeltype NOT IN ('c', 'n')"
    )
    assert left is None
    assert (await delete(service, way, pair, password=PASSWORD)).status_code == 204


async def test_the_address_is_free_again_and_the_new_account_another(service: Service, way: Way) -> None:
    pair = await service.begin()
    await delete(service, way, pair, password=PASSWORD)
    assert await service.sign_up() != read(pair["access"])["user_id"]
    assert await service.has_ended(pair)


async def test_a_wrong_or_missing_password_deletes_nothing(service: Service, way: Way) -> None:
    pair = await service.begin()
    for body in ({"password": OTHER}, {"password": f"{PASSWORD} "}, {"password": None}, {"other": "x"}, {}):
        problem(await delete(service, way, pair, **body), 400, "wrong_password", case=body)
    assert not await service.has_ended(pair)


async def test_a_fresh_login_does_not_replace_the_password_of_an_account_that_has_one(
    service: Service, way: Way
) -> None:
    pair = await service.begin()
    await service.execute("UPDATE users SET google_subject = '1001'")
    problem(await delete(service, way, pair), 400, "wrong_password")
    assert await count(service, "users") == 1


async def test_a_django_password_will_do_and_an_unusable_one_will_not(service: Service, way: Way) -> None:
    pair = await service.begin()
    await service.execute("UPDATE users SET password = '!unusable'")
    problem(await delete(service, way, pair, password="!unusable"), 400, "wrong_password")
    await service.execute("UPDATE users SET password = :p", p=django_hash(PASSWORD, 1000))
    assert (await delete(service, way, pair, password=PASSWORD)).status_code == 204


@pytest.mark.parametrize("body", [{}, {"password": None}, {"password": "whatever it is"}])
async def test_an_account_without_a_password_needs_a_login_of_the_last_five_minutes(
    service: Service, way: Way, body: dict[str, Any]
) -> None:
    pair = await without_password(service)
    for seconds in (303, 3600, 7 * 24 * 3600):
        problem(await delete(service, way, logged_in_ago(pair, seconds), **body), 403, "recent_login_required")
    assert await count(service, "users") == 1
    assert (await delete(service, way, logged_in_ago(pair, 290), **body)).status_code == 204
    assert await count(service, "users") == 0


async def test_a_refresh_makes_no_login_younger(service: Service, way: Way) -> None:
    pair = await without_password(service)
    old = int(time.time()) - 600
    pair = {name: signed({**read(token), "auth_time": old}) for name, token in pair.items()}
    for _ in range(2):
        pair = await service.refreshed(pair)
        assert read(pair["access"])["auth_time"] == read(pair["refresh"])["auth_time"] == old
        problem(await delete(service, way, pair), 403, "recent_login_required")


async def test_a_password_of_another_shape_is_refused_by_name(service: Service, way: Way) -> None:
    pair = await service.begin()
    for value in ("", 7, "x" * 1025, ["x"], "a\ud800"):
        assert fields(await delete(service, way, pair, password=value)) == {"password"}
    headers = {"Authorization": f"Bearer {pair['access']}", "Content-Type": "application/json"}
    assert fields(await service.client.request(*way, content=b"{", headers=headers)) == {"body"}
    plain = {**headers, "Content-Type": "text/plain"}
    body = json.dumps({"password": PASSWORD}).encode()
    problem(await service.client.request(*way, content=body, headers=plain), 415, "unsupported_media_type")
    assert await count(service, "users") == 1


async def test_two_deletions_at_once_do_not_stand_in_each_other_s_way(service: Service, way: Way) -> None:
    pair = await service.begin()
    answers = await asyncio.gather(*(delete(service, way, pair, password=PASSWORD) for _ in range(2)))
    assert {answer.status_code for answer in answers} <= {204, 401}
    assert 204 in {answer.status_code for answer in answers}
    problem(await delete(service, way, pair, password=PASSWORD), 401, "invalid_token")


async def test_a_token_that_says_nothing_of_the_login_s_time_deletes_nothing(service: Service, way: Way) -> None:
    pair = await without_password(service)
    bare = signed(claims(read(pair["access"])["user_id"], auth_time=None))
    problem(await delete(service, way, {"access": bare}), 401, "invalid_token")


async def test_a_password_that_was_changed_meanwhile_is_not_proof_any_more(service: Service, way: Way) -> None:
    pair = await service.begin()
    assert (
        await service.ask("PATCH", "/users/change_password/", pair["access"], old_password=PASSWORD, new_password=OTHER)
    ).status_code == 200
    problem(await delete(service, way, pair, password=PASSWORD), 401, "invalid_token")
    fresh = await service.log_in(password=OTHER)
    problem(await delete(service, way, fresh, password=PASSWORD), 400, "wrong_password")
