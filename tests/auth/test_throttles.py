"""The throttles of accounts, over HTTP."""

import asyncio
import logging
from typing import Any

import httpx
import pytest
from sqlalchemy import URL

from tests.accounts import Counting, Service, opened
from tests.conftest import Start

ADA, GRACE = "ada@example.com", "grace@example.com"
PASSWORD, WRONG = "a long walk at night", "a short swim at noon"
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"
RATELIMIT = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


def at(address: str, client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client of the same application that has this address."""
    app = client._transport.app  # type: ignore[attr-defined]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def sign_up(client: httpx.AsyncClient, email: str = ADA) -> httpx.Response:
    return await client.post("/signup/", json={"email": email, "password": PASSWORD})


async def log_in(client: httpx.AsyncClient, password: str = PASSWORD, email: str = ADA) -> httpx.Response:
    return await client.post("/token/", json={"email": email, "password": password})


async def statuses(client: httpx.AsyncClient, *passwords: str, email: str = ADA) -> list[int]:
    return [(await log_in(client, password, email)).status_code for password in passwords]


async def test_failures_are_counted_by_account_and_address_and_an_owner_gets_in_elsewhere(start: Start) -> None:
    async with start(throttle_login="100/minute,2/minute") as client:
        for email in (ADA, GRACE):
            await sign_up(client, email)
        here, elsewhere = at(HERE, client), at(ELSEWHERE, client)
        assert await statuses(here, WRONG, WRONG, WRONG) == [401, 401, 429]
        assert await statuses(here, PASSWORD) == [429]
        # However it is written, it is the same account; another account from here is not its business.
        assert await statuses(here, PASSWORD, email=f" {ADA.upper()}") == [429]
        assert await statuses(here, PASSWORD, email=GRACE) == [200]
        assert await statuses(elsewhere, PASSWORD, WRONG, PASSWORD) == [200, 401, 200]


async def test_an_account_that_is_not_there_is_throttled_like_any_other(start: Start) -> None:
    async with start(throttle_login="100/minute,2/minute") as client:
        assert await statuses(client, WRONG, WRONG, WRONG, email="nobody@example.com") == [401, 401, 429]


async def test_a_success_is_no_failure_and_wipes_none_out(start: Start) -> None:
    async with start(throttle_login="100/minute,2/minute") as client:
        await sign_up(client)
        tried = (PASSWORD, PASSWORD, PASSWORD, WRONG, PASSWORD, WRONG)
        assert await statuses(client, *tried) == [200, 200, 200, 401, 200, 401]
        assert await statuses(client, PASSWORD) == [429]


async def test_every_attempt_counts_by_address(start: Start) -> None:
    async with start(throttle_login="3/minute") as client:
        await sign_up(client)
        here = at(HERE, client)
        assert await statuses(here, PASSWORD, WRONG) == [200, 401]
        assert await statuses(here, WRONG, email=GRACE) == [401]
        assert await statuses(here, PASSWORD) == [429]
        assert await statuses(at(ELSEWHERE, client), PASSWORD) == [200]


async def test_of_fifty_guesses_at_once_exactly_the_limit_are_hashed(accounts_url: URL, service: Service) -> None:
    await service.sign_up()
    hasher = Counting()
    async with opened(accounts_url, hasher, throttle_login="30/minute,4/minute") as counted:
        guesses = [f"guess number {number}" for number in range(50)]
        answers = await asyncio.gather(*(log_in(counted.client, guess) for guess in guesses))
    assert sorted(answer.status_code for answer in answers) == [401] * 4 + [429] * 46
    assert len(hasher.calls) == 4


async def test_the_password_form_and_json_count_together(start: Start) -> None:
    async with start(throttle_login="2/minute") as client:
        form = {"grant_type": "password", "username": ADA, "password": WRONG}
        assert (await client.post("/token/", data=form)).status_code == 401
        assert await statuses(client, WRONG, WRONG) == [401, 429]
        assert (await client.post("/token/", data=form)).status_code == 429


async def test_waiting_as_long_as_retry_after_says_lets_the_owner_in(start: Start) -> None:
    async with start(throttle_login="100/minute,2/2seconds") as client:
        await sign_up(client)
        assert await statuses(client, WRONG, WRONG) == [401, 401]
        refused = await log_in(client)
        assert refused.status_code == 429
        await asyncio.sleep(int(refused.headers["Retry-After"]))
        assert await statuses(client, PASSWORD) == [200]


async def test_a_refusal_is_a_problem_that_a_browser_may_read(start: Start) -> None:
    async with start(throttle_signup="1/hour", cors_allowed_origins=["https://app.example"]) as client:
        client.headers["Origin"] = "https://app.example"
        await sign_up(client)
        refused = await sign_up(client, GRACE)
        assert refused.headers["content-type"] == "application/problem+json"
        assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
        assert 3590 < int(refused.headers["Retry-After"]) <= 3600
        assert RATELIMIT | {"Retry-After"} <= set(refused.headers["Access-Control-Expose-Headers"].split(", "))
        assert all(len(refused.headers.get_list(name)) == 1 for name in RATELIMIT)


async def test_signups_count_by_address_also_when_the_account_is_there(start: Start) -> None:
    async with start(throttle_signup="3/hour") as client:
        here = at(HERE, client)
        found = [(await sign_up(here, email)).status_code for email in (ADA, ADA, GRACE, "third@example.com")]
        assert found == [201, 409, 201, 429]
        assert (await sign_up(at(ELSEWHERE, client), "third@example.com")).status_code == 201


async def test_what_is_refused_for_its_input_counts_for_nothing(start: Start) -> None:
    async with start(throttle_signup="1/hour", throttle_login="1/hour", throttle_reset="1/hour") as client:
        bad: list[Any] = [[], {}, {"email": ADA}, {"email": ADA, "password": ""}]
        for path in ("/signup/", "/token/"):
            for body in bad:
                assert (await client.post(path, json=body)).status_code == 422
        for body in ({}, {"email": "no"}):
            assert (await client.post("/users/reset_password/", json=body)).status_code == 422
        assert (await client.post("/users/reset_password/confirm/", json={"token": "x"})).status_code == 422
        assert (await client.post("/users/verify_email/resend/")).status_code == 401
        assert (await client.post("/token/", content="x", headers={"Content-Type": "text/plain"})).status_code == 415
        assert (await client.options("/token/")).status_code == 405
        assert (await client.head("/token/")).status_code == 405
        assert (await sign_up(client)).status_code == 201
        assert (await log_in(client)).status_code == 200
        assert (await client.post("/users/reset_password/", json={"email": ADA})).status_code == 202


async def test_reset_mails_count_by_account_and_by_address(start: Start) -> None:
    async with start(throttle_reset="4/hour,2/hour") as client:
        here = at(HERE, client)

        async def ask(by: httpx.AsyncClient, email: str) -> int:
            return (await by.post("/users/reset_password/", json={"email": email})).status_code

        assert [await ask(here, email) for email in (ADA, ADA.upper(), ADA)] == [202, 202, 429]
        assert [await ask(here, email) for email in (GRACE, GRACE, "third@example.com")] == [202, 202, 429]
        assert await ask(at(ELSEWHERE, client), ADA) == 202


async def test_new_passwords_by_mail_count_by_address(start: Start) -> None:
    async with start(throttle_reset="2/hour") as client:
        here = at(HERE, client)
        body = {"token": "guessed", "new_password": PASSWORD}
        found = [(await here.post("/users/reset_password/confirm/", json=body)).status_code for _ in range(3)]
        assert found == [400, 400, 429]


async def test_verification_mails_count_by_account_and_by_address(start: Start) -> None:
    async with start(throttle_reset="3/hour,2/hour") as client:
        here = at(HERE, client)
        tokens = []
        for email in (ADA, GRACE):
            await sign_up(here, email)
            tokens.append((await log_in(here, email=email)).json()["access"])

        async def resend(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return (await here.post("/users/verify_email/resend/", headers=headers)).status_code

        assert [await resend(tokens[0]) for _ in range(3)] == [202, 202, 429]
        assert [await resend(tokens[1]) for _ in range(2)] == [202, 429]


async def test_a_client_behind_a_trusted_proxy_is_counted_by_its_own_address(start: Start) -> None:
    async with start(throttle_login="1/minute") as client:
        for address in (HERE, ELSEWHERE, "2001:db8::1"):
            client.headers["X-Forwarded-For"] = address
            assert await statuses(client, WRONG, WRONG) == [401, 429]
        client.headers["X-Forwarded-For"] = "2001:db8::2"
        assert await statuses(client, WRONG) == [429]
        # Who is no proxy is counted by the connection, whatever it says of itself.
        stranger = at("203.0.113.9", client)
        for claim in (HERE, "192.0.2.99"):
            stranger.headers["X-Forwarded-For"] = claim
            found = (await log_in(stranger, WRONG)).status_code
        assert found == 429


async def test_no_log_line_names_the_account(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="slowapi"):
        async with start(throttle_login="1/minute") as client:
            assert await statuses(client, WRONG, WRONG) == [401, 429]
    assert ADA not in caplog.text


async def test_every_throttled_operation_says_so(empty_client: httpx.AsyncClient) -> None:
    document = (await empty_client.get("/api/schema/")).json()
    paths = [path for path, item in document["paths"].items() for one in item.values() if "429" in one["responses"]]
    assert {
        "/signup/",
        "/token/",
        "/users/verify_email/resend/",
        "/users/reset_password/",
        "/users/reset_password/confirm/",
    } <= set(paths)


async def test_a_stolen_access_token_tries_no_passwords_out(start: Start) -> None:
    async with start(throttle_login="100/minute,3/minute") as client:
        await sign_up(client)
        client.headers["Authorization"] = f"Bearer {(await log_in(client)).json()['access']}"
        change = {"old_password": WRONG, "new_password": "a slow ride at dawn"}
        assert (await client.patch("/users/change_password/", json=change)).status_code == 400
        assert (await client.request("DELETE", "/users/me/", json={"password": WRONG})).status_code == 400
        assert (await client.post("/users/me/delete/", json={"password": WRONG})).status_code == 400
        assert (await client.patch("/users/change_password/", json=change)).status_code == 429
        assert (await client.request("DELETE", "/users/me/", json={"password": PASSWORD})).status_code == 429
        assert (await client.get("/users/personal-info/")).status_code == 200
