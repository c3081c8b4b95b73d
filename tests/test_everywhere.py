"""What holds at every address, taken from the OpenAPI document so that new ones are covered."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.problem_documents import problem
from tests.sample_application import raw_request, sample_application

FRONT_END = "https://front.example"
# To a stranger, without Google's keys, and where there is no collection.
REFUSED = {
    "/users/personal-info/": 401,
    "/users/me/export/": 401,
    "/watch_later/list/": 401,
    "/watch_later/statistics/": 401,
    "/watch_later/import/1/": 401,
    "/watch_later/export/": 401,
    "/collections/1/import/1/": 401,
    "/collections/1/export/": 404,
    "/collections/1/": 404,
    "/collections/1/movies/": 404,
    "/collections/1/page/": 404,
    "/movies/recommendations/": 401,
    "/accounts/google/login/": 503,
    "/accounts/google/login/callback/": 400,
}
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
UNDOCUMENTED = {
    path: {"GET"}
    for path in (
        "/",
        "/api/schema/",
        "/api/swagger/",
        "/api/swagger/oauth2-redirect",
        "/api/redoc/",
        "/api/static/swagger-ui.css",
    )
}


@pytest.fixture(scope="module")
async def client(administrator: AsyncEngine, filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with sample_application(administrator, filled, cors_allowed_origins=[FRONT_END]) as (_, client):
        yield client


async def resources(client: httpx.AsyncClient) -> dict[str, set[str]]:
    """Every path, with 1 for an id, and its methods."""
    document = (await client.get("/api/schema/")).json()
    documented = {
        path.replace("{id}", "1").replace("{job}", "1"): {name.upper() for name in item}
        for path, item in document["paths"].items()
    }
    assert "/movies/1/" in documented
    return documented | UNDOCUMENTED


def headers(response: httpx.Response) -> dict[str, str]:
    """The headers without the request's id, and the second in which a cookie was taken back."""
    told = {name: value for name, value in response.headers.items() if name != "x-request-id"}
    return {name: re.sub("expires=[^;]*", "", value) for name, value in told.items()}


async def test_head_is_answered_like_get_without_the_body(client: httpx.AsyncClient) -> None:
    for path, methods in (await resources(client)).items():
        get, head = await client.get(path), await raw_request(client, "HEAD", path)
        assert head.content == b"", path
        assert (head.status_code, headers(head)) == (get.status_code, headers(get)), path
        expected = {REFUSED.get(path, 200), 307} if "GET" in methods else {405}
        assert head.status_code in expected, path


async def test_head_is_answered_like_get_on_errors_and_redirects_too(client: httpx.AsyncClient) -> None:
    for path in ("/nowhere/", "/movies/0/", "/movies/999999/", "/movies/?limit=0", "/movies", "/movies/search/"):
        get, head = await client.get(path), await raw_request(client, "HEAD", path)
        assert head.content == b"", path
        assert (head.status_code, headers(head)) == (get.status_code, headers(get)), path


async def test_a_wrong_method_is_refused_with_every_right_one(client: httpx.AsyncClient) -> None:
    for path, methods in (await resources(client)).items():
        allowed = methods | ({"HEAD"} if "GET" in methods else set())
        for method in sorted((METHODS | {"HEAD", "OPTIONS", "TRACE", "PROPFIND", "get"}) - allowed):
            response = await client.send(wrongly_cased(client, method, path))
            case = (method, path)
            if method == "HEAD":
                assert response.status_code == 405, case
            else:
                problem(response, 405, "method_not_allowed", case=case)
            assert set(response.headers["Allow"].split(", ")) == allowed, case


def wrongly_cased(client: httpx.AsyncClient, method: str, path: str) -> httpx.Request:
    """A request with its method as written: httpx would write it in capitals."""
    request = client.build_request(method, path)
    request.method = method
    return request


async def test_a_name_below_movies_that_is_no_id_is_nowhere_for_every_method(client: httpx.AsyncClient) -> None:
    for path in ("/movies/0/", "/movies/top_secret/", "/movies/1/2/", "/nowhere/", "/movies//", "/API/schema/"):
        for method in sorted(METHODS | {"OPTIONS"}):
            problem(await client.request(method, path), 404, "not_found", case=(method, path))


async def test_every_answer_carries_a_request_id_of_its_own(client: httpx.AsyncClient) -> None:
    seen = [
        (await client.get(path)).headers["X-Request-ID"] for path in [*await resources(client), "/nowhere/", "/movies"]
    ]
    assert all(seen)
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("sent", ["7", "a-b_c.D9", "x" * 128, "0d0e8a6c-2f5b-4b1e-9d3c-7a5f1e2d3c4b"])
async def test_a_sane_request_id_comes_back(client: httpx.AsyncClient, sent: str) -> None:
    for path in ("/health/live", "/nowhere/", "/movies/?limit=0", "/movies"):
        assert (await client.get(path, headers={"X-Request-ID": sent})).headers["X-Request-ID"] == sent, path


@pytest.mark.parametrize(
    "sent",
    [
        "",
        " ",
        "x" * 129,
        "x" * 10_000,
        "two words",
        "tab\ttab",
        "line\nline",
        "line\r\nSet-Cookie: a=b",
        "é",
        "<b>",
        "a;b",
    ],
)
async def test_any_other_request_id_is_replaced(client: httpx.AsyncClient, sent: str) -> None:
    for path in ("/health/live", "/nowhere/"):
        response = await client.get(path, headers=[(b"X-Request-ID", sent.encode())])
        assert response.headers["X-Request-ID"].isalnum(), path
        assert sent not in response.headers["X-Request-ID"] or not sent, path
        assert "Set-Cookie" not in response.headers


Call = dict[str, Any]
CALLS: dict[int, Call] = {
    200: {"method": "GET", "url": "/movies/"},
    307: {"method": "GET", "url": "/movies"},
    400: {"method": "GET", "url": "/movies/", "headers": {"host": "evil.example"}},
    404: {"method": "GET", "url": "/movies/999999/"},
    405: {"method": "DELETE", "url": "/movies/"},
    413: {"method": "POST", "url": "/movies/search/", "content": b" " * 200_000},
    415: {"method": "POST", "url": "/movies/search/", "content": b"{}"},
    422: {"method": "GET", "url": "/movies/?limit=0"},
}


@pytest.mark.parametrize("status", CALLS)
async def test_a_front_end_of_ours_may_read_every_answer(client: httpx.AsyncClient, status: int) -> None:
    call = CALLS[status]
    response = await client.request(**{**call, "headers": {**call.get("headers", {}), "Origin": FRONT_END}})
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == FRONT_END
    assert "Origin" in response.headers["Vary"]
    exposed = set(response.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"Retry-After", "X-Request-ID", "X-Search-Source"} <= exposed


@pytest.mark.parametrize("status", CALLS)
async def test_another_origin_may_not(client: httpx.AsyncClient, status: int) -> None:
    call = CALLS[status]
    for origin in ("https://evil.example", f"{FRONT_END}.evil.example", "http://front.example", "null"):
        response = await client.request(**{**call, "headers": {**call.get("headers", {}), "Origin": origin}})
        assert response.status_code == status
        assert "Access-Control-Allow-Origin" not in response.headers, origin


async def test_every_header_that_an_operation_documents_is_exposed(client: httpx.AsyncClient) -> None:
    document = (await client.get("/api/schema/")).json()
    documented = {
        header
        for item in document["paths"].values()
        for operation in item.values()
        for response in operation["responses"].values()
        for header in response.get("headers", {})
    }
    response = await client.get("/health/live", headers={"Origin": FRONT_END})
    assert documented <= set(response.headers["Access-Control-Expose-Headers"].split(", "))


async def test_a_preflight_is_answered_everywhere_for_every_method_and_header_in_use(client: httpx.AsyncClient) -> None:
    for path, methods in (await resources(client)).items():
        for method in methods:
            asked = {
                "Origin": FRONT_END,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "authorization, content-type, x-request-id",
            }
            response = await client.options(path, headers=asked)
            assert response.status_code == 200, (path, method)
            assert response.headers["Access-Control-Allow-Origin"] == FRONT_END
            assert method in response.headers["Access-Control-Allow-Methods"].split(", ")


async def test_a_preflight_of_another_origin_is_refused(client: httpx.AsyncClient) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    response = await client.options("/movies/search/", headers=asked)
    assert response.status_code == 400
    assert "Access-Control-Allow-Origin" not in response.headers


async def test_without_a_front_end_no_origin_may_read_anything(administrator: AsyncEngine, filled: str) -> None:
    async with sample_application(administrator, filled) as (_, client):
        response = await client.get("/movies/", headers={"Origin": FRONT_END})
    assert "Access-Control-Allow-Origin" not in response.headers
