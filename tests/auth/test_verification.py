"""Proving an address and setting a new password, by the tokens of mails."""

import asyncio

import pytest

from tests.accounts import ADA, GRACE, OTHER, PASSWORD, Service
from tests.json_schema import Json
from tests.problem_documents import fields, problem

VERIFY, RESEND = "/users/verify_email/", "/users/verify_email/resend/"
RESET, CONFIRM = "/users/reset_password/", "/users/reset_password/confirm/"
THIRD = "a slow dance on a roof"


async def proved(service: Service) -> bool:
    found: bool = await service.value("SELECT email_verified FROM users WHERE email = :email", email=ADA)
    return found


async def test_the_token_of_a_mail_proves_the_address_once(service: Service) -> None:
    user_id = await service.sign_up()
    await service.sign_up(GRACE)
    token = await service.mail_token("verify_email", user_id)
    answer = await service.post(VERIFY, token=token)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await proved(service)
    assert await service.value("SELECT count(*) FROM users WHERE email_verified") == 1
    problem(await service.post(VERIFY, token=token), 400, "invalid_token")
    assert (await service.me(await service.log_in())).json()["email_verified"] is True


async def test_proving_an_address_ends_no_session(service: Service) -> None:
    pair = await service.begin()
    user_id = (await service.me(pair)).json()["id"]
    await service.post(VERIFY, token=await service.mail_token("verify_email", user_id))
    assert not await service.has_ended(pair)


async def test_each_of_several_mails_works(service: Service) -> None:
    user_id = await service.sign_up()
    tokens = [await service.mail_token("verify_email", user_id) for _ in range(2)]
    assert [(await service.post(VERIFY, token=token)).status_code for token in tokens] == [204, 204]


@pytest.mark.parametrize("purpose", ["verify_email", "reset_password"])
async def test_only_a_hash_of_a_token_is_stored(service: Service, purpose: str) -> None:
    token = await service.mail_token(purpose, await service.sign_up())
    assert len(token) >= 43
    assert token not in await service.value("SELECT one_time_tokens::text FROM one_time_tokens")
    assert await service.value("SELECT octet_length(digest) FROM one_time_tokens") == 32


@pytest.mark.parametrize(("path", "purpose"), [(VERIFY, "verify_email"), (CONFIRM, "reset_password")])
async def test_a_token_that_is_expired_cut_unknown_or_for_something_else_is_refused(
    service: Service, path: str, purpose: str
) -> None:
    user_id = await service.sign_up()
    before = await service.value("SELECT users::text FROM users")
    good = await service.mail_token(purpose, user_id)
    others = [
        await service.mail_token(other, user_id)
        for other in ("verify_email", "reset_password", "oauth_code", "")
        if other != purpose
    ]
    for token in (
        await service.mail_token(purpose, user_id, minutes=-0.01),
        *others,
        good[:-1],
        good + "A",
        good.swapcase(),
        f" {good}",
        "x",
        "é" * 4096,
        "' OR 1=1 --",
        (await service.log_in())["access"],
    ):
        answer = await service.post(path, token=token, new_password=OTHER)
        problem(answer, 400, "invalid_token", case=token)
        assert "WWW-Authenticate" not in answer.headers
    await service.execute("UPDATE users SET last_login_at = NULL")
    assert await service.value("SELECT users::text FROM users") == before
    assert (await service.post(path, token=good, new_password=OTHER)).status_code == 204


@pytest.mark.parametrize("path", [VERIFY, CONFIRM])
async def test_what_is_no_token_at_all_is_refused_by_name(service: Service, path: str) -> None:
    for token in ("", None, 7, "x" * 4097, "a\x00", "a\ud800", ["x"]):
        assert fields(await service.post(path, token=token, new_password=OTHER)) == {"token"}
    problem(await service.client.post(path, content=b"{}"), 415, "unsupported_media_type")


@pytest.mark.parametrize(("path", "purpose"), [(VERIFY, "verify_email"), (CONFIRM, "reset_password")])
async def test_of_two_uses_at_once_one_works(service: Service, path: str, purpose: str) -> None:
    token = await service.mail_token(purpose, await service.sign_up())
    answers = await asyncio.gather(*(service.post(path, token=token, new_password=OTHER) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [204, 400]


async def test_another_mail_is_ordered_only_while_the_address_is_not_proved(service: Service) -> None:
    pair = await service.begin()
    user_id = (await service.me(pair)).json()["id"]
    mail = {"user_id": user_id, "template": "verify_email"}
    answer = await service.ask("POST", RESEND, pair["access"])
    assert answer.status_code == 202
    assert await service.mails() == [mail, mail]
    await service.execute("UPDATE users SET email_verified = true")
    assert (await service.ask("POST", RESEND, pair["access"])).status_code == 202
    assert await service.mails() == [mail, mail]


async def test_a_reset_is_answered_the_same_whether_or_not_there_is_an_account(service: Service) -> None:
    user_id = await service.sign_up()
    gone = await service.add_user(GRACE, is_active=False)
    google = await service.add_user("google@example.com", google_subject="1")
    seen = []
    for email in (ADA, "ADA@Example.COM", GRACE, "google@example.com", "nobody@example.com"):
        answer = await service.post(RESET, email=email)
        seen.append(
            (answer.status_code, answer.content, {n: v for n, v in answer.headers.items() if n != "x-request-id"})
        )
    assert all(one == seen[0] for one in seen)
    assert seen[0][:2] == (202, b"")
    ordered = [mail["user_id"] for mail in await service.mails() if mail["template"] == "reset_password"]
    assert ordered == [user_id, user_id, google]
    assert gone not in ordered


async def test_asking_for_a_reset_changes_nothing_yet(service: Service) -> None:
    pair = await service.begin()
    await service.post(RESET, email=ADA)
    assert not await service.has_ended(pair)
    await service.log_in()


@pytest.mark.parametrize("email", ["", "ada", None, 7, "a\x00@example.com", "a" * 300 + "@example.com"])
async def test_a_reset_for_what_is_no_address_is_refused_by_name(service: Service, email: Json) -> None:
    assert fields(await service.post(RESET, email=email)) == {"email"}
    assert await service.mails() == []


async def test_a_reset_sets_the_password_proves_the_address_and_ends_every_session(service: Service) -> None:
    first, grace = await service.begin(), await service.begin(GRACE)
    second = await service.log_in()
    user_id = (await service.me(first)).json()["id"]
    tokens = [await service.mail_token("reset_password", user_id) for _ in range(2)]
    verification = await service.mail_token("verify_email", user_id)
    answer = await service.post(CONFIRM, token=tokens[0], new_password=OTHER)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await proved(service)
    for pair in (first, second):
        assert await service.has_ended(pair)
    assert not await service.has_ended(grace)
    problem(await service.post("/token/", email=ADA, password=PASSWORD), 401, "invalid_credentials")
    assert not await service.has_ended(await service.log_in(password=OTHER))
    # Every other mail that is under way is worthless.
    problem(await service.post(CONFIRM, token=tokens[1], new_password=THIRD), 400, "invalid_token")
    problem(await service.post(VERIFY, token=verification), 400, "invalid_token")


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ("short", "password_length"),
        ("x" * 129, "password_length"),
        ("83920174652", "password_all_digits"),
        ("password1", "password_common"),
        (ADA, "password_close_to_email"),
        ("a\x00nul inside", "invalid_text"),
        (None, "string_type"),
    ],
)
async def test_a_weak_password_does_not_use_the_token_up(service: Service, new: Json, code: str) -> None:
    token = await service.mail_token("reset_password", await service.sign_up())
    answer = await service.post(CONFIRM, token=token, new_password=new)
    assert fields(answer) == {"new_password"}
    assert [error["code"] for error in answer.json()["errors"]] == [code]
    assert not await proved(service)
    assert (await service.post(CONFIRM, token=token, new_password=OTHER)).status_code == 204
    await service.log_in(password=OTHER)


async def test_a_deactivated_account_is_not_reset(service: Service) -> None:
    user_id = await service.sign_up()
    token = await service.mail_token("reset_password", user_id)
    await service.execute("UPDATE users SET is_active = false")
    before = await service.value("SELECT users::text FROM users")
    problem(await service.post(CONFIRM, token=token, new_password=OTHER), 400, "invalid_token")
    assert await service.value("SELECT users::text FROM users") == before


async def test_a_deleted_account_s_tokens_are_gone_with_it(service: Service) -> None:
    user_id = await service.sign_up()
    tokens = [await service.mail_token(purpose, user_id) for purpose in ("verify_email", "reset_password")]
    await service.execute("DELETE FROM users")
    for path, token in zip((VERIFY, CONFIRM), tokens, strict=True):
        problem(await service.post(path, token=token, new_password=OTHER), 400, "invalid_token")


async def test_a_reset_gives_an_account_without_a_password_one(service: Service) -> None:
    user_id = await service.add_user(google_subject="1", email_verified=True)
    token = await service.mail_token("reset_password", user_id)
    assert (await service.post(CONFIRM, token=token, new_password=OTHER)).status_code == 204
    await service.log_in(password=OTHER)
    assert await service.value("SELECT google_subject FROM users") == "1"


async def test_a_reset_cuts_a_google_account_from_an_address_that_was_never_proved(service: Service) -> None:
    user_id = await service.add_user(google_subject="a stranger's")
    token = await service.mail_token("reset_password", user_id)
    assert (await service.post(CONFIRM, token=token, new_password=OTHER)).status_code == 204
    assert await service.value("SELECT google_subject FROM users") is None
    assert await proved(service)
