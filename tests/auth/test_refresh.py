"""Staying logged in, and logging out, over HTTP."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import URL

from app.auth.repository import purge_expired
from tests.accounts import GRACE, Pair, Service, claims, opened, read, signed
from tests.conftest import SECRET_KEY
from tests.problem_documents import fields, problem

# Longer than a race.
LATER = 3


async def test_a_refresh_gives_the_next_pair_that_no_cache_may_keep(service: Service) -> None:
    first = await service.begin()
    answer = await service.refresh(first)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    second = answer.json()
    assert set(second) == {"access", "refresh"}
    assert second["refresh"] != first["refresh"]
    assert read(second["refresh"])["family"] == read(first["refresh"])["family"]
    assert read(second["refresh"])["auth_time"] == read(first["refresh"])["auth_time"]
    assert (await service.me(second)).status_code == 200
    # The older access token of a refresh is as good as before.
    assert (await service.me(first)).status_code == 200


async def test_refreshing_goes_on_and_on(service: Service) -> None:
    pair = await service.begin()
    for _ in range(10):
        pair = await service.refreshed(pair)
    assert await service.value("SELECT count(*) FROM token_families") == 1


async def test_a_token_used_a_moment_ago_is_spent_and_nothing_else_happens(service: Service) -> None:
    first = await service.begin()
    second = await service.refreshed(first)
    before = await service.value("SELECT token_families::text FROM token_families")
    for _ in range(3):
        answer = await service.refresh(first)
        problem(answer, 401, "token_spent")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "access" not in answer.json()
    assert await service.value("SELECT token_families::text FROM token_families") == before
    assert not await service.has_ended(second)


async def test_a_token_used_just_under_two_seconds_ago_is_spent_and_just_over_is_not(service: Service) -> None:
    first = await service.begin()
    await service.refreshed(first)
    await service.execute("UPDATE token_families SET rotated_at = now() - interval '1.2 seconds'")
    problem(await service.refresh(first), 401, "token_spent")
    await service.execute("UPDATE token_families SET rotated_at = now() - interval '2.01 seconds'")
    await service.refreshed(first)


async def test_an_answer_that_was_lost_is_replaced_by_another(service: Service) -> None:
    first = await service.begin()
    lost = await service.refreshed(first)
    await service.later(LATER)
    second = await service.refreshed(first)
    assert second["refresh"] != lost["refresh"]
    third = await service.refreshed(second)
    assert not await service.has_ended(third)


async def test_a_successor_that_was_replaced_is_taken_for_stolen(service: Service) -> None:
    first = await service.begin()
    replaced = await service.refreshed(first)
    await service.later(LATER)
    second = await service.refreshed(first)
    problem(await service.refresh(replaced), 401, "token_reused")
    problem(await service.refresh(second), 401, "invalid_token")


async def test_the_replacement_is_a_rotation_of_its_own(service: Service) -> None:
    first = await service.begin()
    await service.refreshed(first)
    await service.later(LATER)
    await service.refreshed(first)
    problem(await service.refresh(first), 401, "token_spent")


@pytest.mark.parametrize("pause", [0, LATER, 3600])
async def test_a_token_whose_successor_was_used_ends_the_whole_family(service: Service, pause: int) -> None:
    first = await service.begin()
    elsewhere = await service.log_in()
    other = await service.begin(GRACE)
    second = await service.refreshed(first)
    third = await service.refreshed(second)
    await service.later(pause)
    answer = await service.refresh(first)
    problem(answer, 401, "token_reused")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    for pair in (first, second, third):
        problem(await service.refresh(pair), 401, "invalid_token")
    # Another login of the same account, and another account, are not touched.
    assert not await service.has_ended(elsewhere)
    assert not await service.has_ended(other)


async def test_of_refreshes_at_the_same_instant_one_gets_the_pair_and_the_others_are_told(service: Service) -> None:
    pair = await service.begin()
    for _ in range(3):
        answers = await asyncio.gather(*(service.refresh(pair) for _ in range(5)))
        winners = [answer.json() for answer in answers if answer.status_code == 200]
        assert len(winners) == 1
        for answer in answers:
            if answer.status_code != 200:
                problem(answer, 401, "token_spent")
        [pair] = winners
    assert not await service.has_ended(pair)


async def test_of_two_late_repetitions_at_the_same_instant_one_gets_a_pair(service: Service) -> None:
    first = await service.begin()
    await service.refreshed(first)
    await service.later(LATER)
    answers = await asyncio.gather(service.refresh(first), service.refresh(first))
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    [pair] = [answer.json() for answer in answers if answer.status_code == 200]
    assert not await service.has_ended(pair)


async def test_a_client_may_keep_its_first_token_for_a_week(service: Service) -> None:
    first = await service.begin()
    for _ in range(7 * 24):
        await service.later(3600)
        following = await service.refreshed(first)
    assert (await service.me(following)).status_code == 200
    assert await service.value("SELECT count(*) FROM token_families") == 1


async def test_a_token_past_its_time_is_refused(accounts_url: URL, service: Service) -> None:
    pair = await service.begin()
    old = read(pair["refresh"])
    late = signed({**old, "exp": old["iat"] - 1})
    problem(await service.refresh({"refresh": late}), 401, "invalid_token")
    await service.execute("UPDATE token_families SET expires_at = now() - interval '1 second'")
    problem(await service.refresh(pair), 401, "invalid_token")
    async with opened(accounts_url) as other:
        problem(await other.refresh(pair), 401, "invalid_token")


async def test_each_refresh_gives_the_family_its_whole_time_again(service: Service) -> None:
    pair = await service.begin()
    await service.execute("UPDATE token_families SET expires_at = now() + interval '1 minute'")
    await service.refreshed(pair)
    left: timedelta = await service.value("SELECT expires_at - now() FROM token_families")
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)


async def test_what_is_no_refresh_token_of_ours_is_refused(service: Service) -> None:
    pair = await service.begin()
    good = read(pair["refresh"])
    for case, token in {
        "an access token": pair["access"],
        "nonsense": "x",
        "dots": "..",
        "cut": pair["refresh"][:-5],
        "changed": pair["refresh"].replace(".", ".A", 1),
        "another key": signed(good, "another-key-of-thirty-two-bytes-and-more"),
        "no family": signed({name: value for name, value in good.items() if name != "family"}),
        "an unknown family": signed({**good, "family": good["jti"]}),
        "a family that is none": signed({**good, "family": "1"}),
        "another account's": signed({**good, "user_id": good["user_id"] + 1}),
        "an ended session's": signed({**good, "session_version": 2}),
        "a future session's": signed({**good, "session_version": 0}),
        "Django's": signed({**good, "iss": None}),
    }.items():
        answer = await service.refresh({"refresh": token})
        problem(answer, 401, "invalid_token", case=case)
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"', case
    assert not await service.has_ended(pair)


async def test_an_account_cannot_spend_another_s_family(service: Service) -> None:
    ada, grace = await service.begin(), await service.begin(GRACE)
    forged = signed({**read(ada["refresh"]), "user_id": read(grace["refresh"])["user_id"]}, SECRET_KEY + "!")
    problem(await service.refresh({"refresh": forged}), 401, "invalid_token")
    assert not await service.has_ended(ada)


async def test_a_body_without_a_token_is_refused_by_name(service: Service) -> None:
    for path in ("/token/refresh/", "/token/revoke/"):
        for value in (None, "", 7, "x" * 4097, "\x00"):
            assert fields(await service.post(path, refresh=value)) == {"refresh"}
        assert fields(await service.post(path)) == {"refresh"}
        problem(await service.client.post(path, content=b"{}"), 415, "unsupported_media_type")


async def test_a_deactivated_or_deleted_account_gets_no_pair(service: Service) -> None:
    ada, grace = await service.begin(), await service.begin(GRACE)
    await service.execute("UPDATE users SET is_active = false WHERE email = :email", email=GRACE)
    assert await service.has_ended(grace)
    await service.execute("UPDATE users SET is_active = true")
    assert not await service.has_ended(grace)
    await service.execute("DELETE FROM users")
    assert await service.has_ended(ada)


async def test_logging_out_ends_the_family_and_is_always_204(service: Service) -> None:
    first = await service.begin()
    elsewhere = await service.log_in()
    second = await service.refreshed(first)
    third = await service.refreshed(second)
    # An older token of the family will do: who logs out means the login.
    for token in (first["refresh"], first["refresh"], third["refresh"], third["access"], "x", "..", "é" * 100):
        answer = await service.post("/token/revoke/", refresh=token)
        assert (answer.status_code, answer.content) == (204, b"")
    for pair in (first, second, third):
        problem(await service.refresh(pair), 401, "invalid_token")
    assert not await service.has_ended(elsewhere)


async def test_logging_out_twice_at_once_and_while_refreshing_ends_the_family(service: Service) -> None:
    pair = await service.begin()
    body = {"refresh": pair["refresh"]}
    answers = await asyncio.gather(
        service.post("/token/revoke/", **body), service.refresh(pair), service.post("/token/revoke/", **body)
    )
    assert answers[0].status_code == answers[2].status_code == 204
    assert await service.value("SELECT count(*) FROM token_families") == 0
    following: Pair = answers[1].json() if answers[1].status_code == 200 else pair
    problem(await service.refresh(following), 401, "invalid_token")


async def test_a_forged_token_logs_nobody_out(service: Service) -> None:
    pair = await service.begin()
    forged = signed(read(pair["refresh"]), "another-key-of-thirty-two-bytes-and-more")
    assert (await service.post("/token/revoke/", refresh=forged)).status_code == 204
    without_family = signed(claims(1, token_type="refresh"))
    assert (await service.post("/token/revoke/", refresh=without_family)).status_code == 204
    assert not await service.has_ended(pair)


async def test_what_has_expired_is_forgotten_and_nothing_else(service: Service) -> None:
    user_id = await service.sign_up()
    await service.log_in()
    await service.execute("UPDATE token_families SET expires_at = now() - interval '1 second'")
    pair = await service.log_in()
    await service.mail_token("reset_password", user_id, minutes=-1)
    await service.mail_token("reset_password", user_id)
    async with service.database.transaction() as session:
        await purge_expired(session)
    assert await service.value("SELECT count(*) FROM token_families") == 1
    assert await service.value("SELECT count(*) FROM one_time_tokens") == 1
    assert not await service.has_ended(pair)
