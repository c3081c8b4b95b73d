"""The one-time code that is worth a pair of tokens."""

import asyncio

import httpx
import pytest
from sqlalchemy import text

from app.core.database import Database
from tests.auth.google.conftest import CHALLENGE, REDEEM, VERIFIER, execute, log_in, redeem


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
