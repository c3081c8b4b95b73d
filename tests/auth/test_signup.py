"""Making an account, over HTTP."""

import asyncio

import httpx
import pytest
from asgi_lifespan import LifespanManager
from sqlalchemy import URL

from app.main import create_app
from tests.accounts import ADA, OTHER, PASSWORD, Service
from tests.conftest import make_settings
from tests.json_schema import Json
from tests.problem_documents import fields, problem

# 64 characters before the @ are the most (RFC 5321 section 4.5.3.1.1), and 63 in a label.
LABELS = ".".join(["a" * 63, "b" * 63, "c" * 57])


async def test_a_new_account_is_unproved_and_of_the_default_tier(service: Service) -> None:
    answer = await service.post("/signup/", email=ADA, password=PASSWORD)
    assert answer.status_code == 201
    assert answer.json() == {"id": answer.json()["id"], "email": ADA, "email_verified": False}
    info = (await service.me(await service.log_in())).json()
    assert info["id"] == answer.json()["id"]
    assert info["account_tier"] == {"code": "free", "name": "Free", "daily_ai_search_limit": 3}
    assert await service.value("SELECT is_staff OR NOT is_active FROM users") is False


async def test_a_signup_orders_the_mail_that_proves_the_address(service: Service) -> None:
    user_id = await service.sign_up()
    assert await service.mails() == [{"user_id": user_id, "template": "verify_email"}]


async def test_the_password_is_stored_as_an_argon2id_hash_and_sent_back_to_nobody(service: Service) -> None:
    answer = await service.post("/signup/", email=ADA, password=PASSWORD)
    stored = await service.value("SELECT password FROM users")
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in answer.text
    assert stored not in answer.text


async def test_unless_told_otherwise_a_hash_costs_what_rfc_9106_recommends(accounts_url: URL, service: Service) -> None:
    async with LifespanManager(create_app(make_settings(accounts_url))) as manager:
        transport = httpx.ASGITransport(manager.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.post("/signup/", json={"email": ADA, "password": PASSWORD})).status_code == 201
    assert (await service.value("SELECT password FROM users")).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


@pytest.mark.parametrize("again", [ADA, "ADA@example.com", "Ada@EXAMPLE.com", f"  {ADA} "])
async def test_an_address_is_taken_however_it_is_written(service: Service, again: str) -> None:
    await service.sign_up()
    problem(await service.post("/signup/", email=again, password=OTHER), 409, "email_taken")
    assert await service.value("SELECT count(*) FROM users") == 1
    assert len(await service.mails()) == 1
    await service.log_in()


async def test_an_address_is_kept_in_lower_case(service: Service) -> None:
    answer = await service.post("/signup/", email="Ada.Lovelace@Example.COM", password=PASSWORD)
    assert answer.json()["email"] == "ada.lovelace@example.com"
    await service.log_in("ADA.LOVELACE@example.com")


async def test_of_two_signups_at_the_same_instant_one_wins_and_the_other_is_told(service: Service) -> None:
    for number in range(5):
        email = f"ada{number}@example.com"
        both = [service.post("/signup/", email=address, password=PASSWORD) for address in (email, email.upper())]
        answers = sorted(await asyncio.gather(*both), key=lambda answer: answer.status_code)
        assert answers[0].status_code == 201
        problem(answers[1], 409, "email_taken")
    assert await service.value("SELECT count(*) FROM users") == 5


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", "password_length"),
        ("a\x00nul inside", "invalid_text"),
        ("no UTF-8: \ufffd", "invalid_text"),
        ("tR0ub4d", "password_length"),
        ("y" * 129, "password_length"),
        ("7" * 5000, "password_length"),
        ("83920174652", "password_all_digits"),
        ("٨٣٩٢٠١٧٤٦٥٢", "password_all_digits"),
        ("password1", "password_common"),
        ("PassWord1", "password_common"),
        ("iloveyou1", "password_common"),
        ("ada.lovelace@example.com", "password_close_to_email"),
        ("Ada.Lovelace@Example", "password_close_to_email"),
        ("lovelace1", "password_close_to_email"),
        ("LOVELACE99", "password_close_to_email"),
    ],
)
async def test_a_bad_password_is_refused_by_name(service: Service, password: str, code: str) -> None:
    answer = await service.post("/signup/", email="ada.lovelace@example.com", password=password)
    assert fields(answer) == {"password"}
    assert [error["code"] for error in answer.json()["errors"]] == [code]
    assert not password or f'"{password}' not in answer.text
    assert await service.value("SELECT count(*) FROM users") == 0


@pytest.mark.parametrize(
    "password",
    [
        "tR0ub4do",
        "y" * 127 + "z",
        "слова для входа",
        "  blanks around  ",
        "🎬🎬🎬🎬🎬🎬🎬🎬",
        "Ada went to the cinema on a rainy evening and saw a film",
    ],
)
async def test_any_other_password_is_taken_as_it_is(service: Service, password: str) -> None:
    await service.sign_up("ada.lovelace@example.com", password)
    await service.log_in("ada.lovelace@example.com", password)
    almost = await service.post("/token/", email="ada.lovelace@example.com", password=password[:-1])
    problem(almost, 401, "invalid_credentials")


@pytest.mark.parametrize(
    "email",
    [
        "",
        " ",
        "ada",
        "ada@",
        "@example.com",
        "ada@example",
        "ada@localhost",
        "ada@@example.com",
        "ada@example..com",
        "ada lovelace@example.com",
        "ada@example.com, grace@example.com",
        "ada@example.com\r\nBcc: grace@example.com",
        "a\x00da@example.com",
        "a\ufffdda@example.com",
        "ada@[127.0.0.1]",
        f"a@{'b' * 64}.com",
        f"{'a' * 64}@{LABELS}.info",
        "a" * 10_000 + "@example.com",
        7,
        None,
        [ADA],
    ],
)
async def test_what_is_no_address_is_refused_by_name(service: Service, email: Json) -> None:
    assert fields(await service.post("/signup/", email=email, password=PASSWORD)) == {"email"}
    assert await service.value("SELECT count(*) FROM users") == 0


async def test_a_lone_surrogate_is_no_text(service: Service) -> None:
    assert fields(await service.post("/signup/", email="a\ud800@example.com", password=PASSWORD)) == {"email"}
    assert fields(await service.post("/signup/", email=ADA, password="a long \ud800 at night")) == {"password"}


async def test_the_longest_address_that_mail_can_be_sent_to_is_taken(service: Service) -> None:
    # RFC 5321 section 4.5.3.1.3, less the brackets of a path: 254.
    longest = f"{'a' * 64}@{LABELS}"
    longest += ".de" if len(longest) == 251 else ".com"
    assert len(longest) == 254
    assert await service.sign_up(longest)
    await service.log_in(longest.upper())
    assert fields(await service.post("/signup/", email=f"{longest}m", password=PASSWORD)) == {"email"}
    assert fields(await service.post("/signup/", email=f"{longest}mm", password=PASSWORD)) == {"email"}


async def test_an_address_that_grows_as_it_is_lowered_is_taken_or_refused_by_name(service: Service) -> None:
    short = "İİ@example.com"
    answer = await service.post("/signup/", email=short, password=PASSWORD)
    assert answer.status_code == 201
    await service.log_in(short)
    for count in (20, 40, 60):
        answer = await service.post("/signup/", email=f"{'İ' * count}@{LABELS[:180]}.com", password=PASSWORD)
        assert answer.status_code in {201, 422}, answer.text
        if answer.status_code == 422:
            assert fields(answer) == {"email"}
        else:
            assert len(answer.json()["email"]) <= 255


async def test_every_field_at_fault_is_named(service: Service) -> None:
    assert fields(await service.post("/signup/", email="ada", password="short")) == {"email", "password"}
    assert fields(await service.post("/signup/")) == {"email", "password"}
    assert fields(await service.client.post("/signup/", json=[])) == {"body"}
    assert fields(await service.post("/signup/", email=ADA, password=12345678)) == {"password"}


async def test_what_else_a_client_sends_changes_nothing(service: Service) -> None:
    more = {"is_staff": True, "is_active": False, "email_verified": True, "account_tier": "admin", "id": 7}
    answer = await service.post("/signup/", email=ADA, password=PASSWORD, **more)
    assert answer.status_code == 201
    found = await service.value("SELECT is_staff OR email_verified OR NOT is_active FROM users")
    assert found is False
    assert (await service.me(await service.log_in())).json()["account_tier"]["code"] == "free"
