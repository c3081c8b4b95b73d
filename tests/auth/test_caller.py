"""Who a request comes from."""

import pytest

from tests.accounts import ADA, GRACE, Service, claims, signed
from tests.log_lines import log_lines
from tests.problem_documents import problem

INFO = "/users/personal-info/"
BEHIND_A_LOGIN = [
    ("GET", INFO),
    ("PATCH", "/users/change_password/"),
    ("POST", "/users/verify_email/resend/"),
    ("GET", "/users/me/export/"),
    ("DELETE", "/users/me/"),
    ("POST", "/users/me/delete/"),
]
BODY = {"old_password": "x", "new_password": "y", "password": "z"}


@pytest.mark.parametrize(("method", "path"), BEHIND_A_LOGIN)
async def test_nobody_is_asked_to_log_in(service: Service, method: str, path: str) -> None:
    body = {} if method == "GET" else {"json": BODY}
    answer = await service.client.request(method, path, **body)  # type: ignore[arg-type]
    problem(answer, 401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), BEHIND_A_LOGIN)
async def test_a_bad_token_is_refused(service: Service, method: str, path: str) -> None:
    body = {} if method == "GET" else {"json": BODY}
    answer = await service.client.request(method, path, headers={"Authorization": "Bearer x"}, **body)  # type: ignore[arg-type]
    problem(answer, 401, "invalid_token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


async def test_an_account_sees_what_is_known_of_it(service: Service) -> None:
    pair = await service.begin()
    info = (await service.me(pair)).json()
    assert info == {
        "id": info["id"],
        "email": ADA,
        "email_verified": False,
        "created_at": info["created_at"],
        "account_tier": {"code": "free", "name": "Free", "daily_ai_search_limit": 3},
        "ai_searches_left": 3,
    }
    assert info["created_at"].endswith("Z")


async def test_a_tier_that_is_changed_holds_at_once(service: Service) -> None:
    pair = await service.begin()
    await service.execute(
        "UPDATE users SET account_tier_id = (SELECT id FROM account_tiers WHERE code = 'admin'), email_verified = true"
    )
    info = (await service.me(pair)).json()
    assert info["account_tier"]["code"] == "admin"
    assert info["email_verified"] is True
    assert info["ai_searches_left"] == info["account_tier"]["daily_ai_search_limit"]


async def test_each_sees_its_own(service: Service) -> None:
    ada, grace = await service.begin(), await service.begin(GRACE)
    assert (await service.me(ada)).json()["email"] == ADA
    assert (await service.me(grace)).json()["email"] == GRACE


@pytest.mark.parametrize("header", ["Bearer {}", "bearer {}", "BEARER {}", "Bearer   {}", "Bearer {} "])
async def test_the_scheme_s_case_and_blanks_do_not_matter(service: Service, header: str) -> None:
    pair = await service.begin()
    answer = await service.client.get(INFO, headers={"Authorization": header.format(pair["access"])})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header", ["", " ", "Bearer", "Bearer ", "{}", "Basic {}", "Token {}", "Bearer{}", "Bearer {0} {0}", "Bearer,{}"]
)
async def test_a_header_that_proves_nobody_is_refused_and_not_taken_for_none(service: Service, header: str) -> None:
    pair = await service.begin()
    answer = await service.client.get(INFO, headers={"Authorization": header.format(pair["access"])})
    problem(answer, 401, "invalid_token")


async def test_a_token_in_a_query_or_a_cookie_is_none(service: Service) -> None:
    pair = await service.begin()
    access = pair["access"]
    for answer in (
        await service.client.get(INFO, params={"access_token": access, "token": access}),
        await service.client.get(INFO, headers={"Cookie": f"access={access}; Authorization={access}"}),
    ):
        problem(answer, 401, "not_authenticated")


@pytest.mark.parametrize("path", [INFO, "/movies/", "/collections/"])
async def test_a_deactivated_deleted_or_ended_account_is_refused_at_once(service: Service, path: str) -> None:
    access = (await service.begin())["access"]
    for change in ("is_active = false", "is_active = true, session_version = session_version + 1"):
        assert (await service.ask("GET", path, access)).status_code == 200
        await service.execute(f"UPDATE users SET {change}")
        problem(await service.ask("GET", path, access), 401, "invalid_token")
        await service.execute("UPDATE users SET is_active = true, session_version = 1")
    await service.execute("DELETE FROM users")
    problem(await service.ask("GET", path, access), 401, "invalid_token")


async def test_an_id_that_never_was_is_refused(service: Service) -> None:
    for user_id in (2**40, 2**63 - 1):
        problem(await service.me({"access": signed(claims(user_id))}), 401, "invalid_token")


async def test_the_requests_log_line_says_who_asked(service: Service) -> None:
    pair = await service.begin()
    user_id = await service.value("SELECT id FROM users")
    with log_lines() as lines:
        await service.me(pair)
        await service.client.get("/movies/")
        await service.me({"access": pair["access"] + "x"})
    assert [line["user_id"] for line in lines if line["event"] == "request"] == [user_id, None, None]
