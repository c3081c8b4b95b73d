"""No input of any kind gives a 5xx, and what is refused is refused in words, field by field.

Operations, parameters and bodies come from the OpenAPI document, so that new ones are covered as they are added.
"""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote, quote_from_bytes, unquote

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.accounts import GENEROUS
from tests.json_schema import Json, resolved
from tests.json_schema import example as example_of
from tests.problem_documents import fields, problem
from tests.sample_application import Headers, raw_request, sample_application

# As they stand in a URL.
VALUES: dict[str, str] = {
    "empty": "",
    "blank": "%20%09",
    "a word": "abc",
    "too long": "a" * 10_000,
    "too long in bytes": "%C3%A9" * 10_000,
    "NUL": "%00",
    "NUL inside": "a%00b",
    "a surrogate's bytes": "%ED%A0%80",
    "no UTF-8": "%FF%FE",
    "an overlong slash": "%C0%AF",
    "cut UTF-8": "%E2%82",
    "bad percent-encoding": "%zz",
    "a lone percent sign": "%",
    "half a percent-encoding": "a%2",
    "percent sign": "%25",
    "underscore": "_",
    "backslash": "%5C",
    "apostrophe": "'",
    "quotation mark": "%22",
    "SQL": "';--",
    "more SQL": "1%20OR%201=1);DROP%20TABLE%20movies;--",
    "a placeholder": "$1%20:x%20%25s%20%25(x)s%20{0}",
    "a tag": "%3Cscript%3Ealert(1)%3C/script%3E",
    "right to left": quote("\N{RIGHT-TO-LEFT OVERRIDE}\N{ARABIC LETTER ALEF}"),
    "an emoji of several": quote("\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}"),
    "combining characters": quote("e" + "\N{COMBINING ACUTE ACCENT}" * 50),
    "only combining characters": quote("\N{COMBINING ACUTE ACCENT}" * 3),
    "a byte order mark": quote("\ufeff"),
    "a non-character": quote("\uffff"),
    "beyond 16 bits": quote("\U0010ffff"),
    "newlines": "a%0D%0AX-Injected:%201",
    "zero": "0",
    "below zero": "-1",
    "past 32 bits": str(2**31),
    "past 63 bits": str(2**63),
    "past 64 bits": str(2**64),
    "1 with 30 zeros": str(10**30),
    "5,000 digits": "9" * 5_000,
    "a fraction": "1.5",
    "past any float": "1e400",
    "nearly nothing": "1e-400",
    "NaN": "NaN",
    "infinity": "Infinity",
    "below infinity": "-inf",
    "an underscored number": "1_0",
    "a wide digit": "%EF%BC%91",
    "an array": "[1]",
    "an object": "{%22a%22:1}",
    "null": "null",
    "a regular expression": "(((((a%2B)%2B)%2B)%2B)%2B)!",
    "a path": "..%2F..%2F..%2Fetc%2Fpasswd",
    "ampersands": "%26%26=%3D",
}
BODIES: dict[str, Any] = {
    "null": None,
    "a truth": True,
    "zero": 0,
    "below zero": -1,
    "past 64 bits": 2**64,
    "1 with 30 zeros": 10**30,
    "a fraction": 1.5,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "an array": [],
    "an array of it": ["a"],
    "an object": {},
    "deep": json.loads("[" * 400 + "]" * 400),
}


JSON: Headers = [(b"content-type", b"application/json")]
HERSELF = {"email": "grace@example.com", "password": "a slow dance on a roof"}
# tests/auth/google/ sends hostile parameters there, to a service with a provider.
GOOGLE = "/accounts/google/"
# What becomes of a body whose form is right: the examples' tokens and codes are not there.
OUTCOMES = {
    "/signup/": {201, 409},
    "/token/": {200, 401},  # the signups before have made one with the examples' address
    "/token/refresh/": {401},
    "/token/revoke/": {204},
    "/token/oauth/": {401},
    "/users/change_password/": {400},
    "/users/verify_email/": {400},
    "/users/reset_password/": {202},
    "/users/reset_password/confirm/": {400},
    "/users/me/": {400},
    "/users/me/delete/": {400},
    "/movies/search/": {200},
    "/movies/ai/search/": {200, 503},
    "/movies/ai/search/stream/": {200},
    "/watch_later/create/": {200, 201},
    "/collections/": {201},
    "/collections/{id}/": {200},
}
# What does nothing where there is nothing to undo.
ALWAYS = {"/movies/{id}/unlike/": 200, "/watch_later/{id}/destroy/": 204}


@pytest.fixture(scope="module")
async def client(administrator: AsyncEngine, filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with sample_application(administrator, filled, **GENEROUS) as (_, client):
        await client.post("/signup/", json=HERSELF)
        yield client


@pytest.fixture(scope="module")
async def sender(client: httpx.AsyncClient) -> Headers:
    """The headers of an account whose password is not the one of the examples."""
    access = (await client.post("/token/", json=HERSELF)).json()["access"]
    headers = {"Authorization": f"Bearer {access}"}
    # Hers is what the number 1 in a path names.
    assert (await client.post("/collections/", json={"name": "Heists"}, headers=headers)).json()["id"] == 1
    return [*JSON, (b"authorization", headers["Authorization"].encode())]


@pytest.fixture(scope="module")
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    whole: dict[str, Any] = (await client.get("/api/schema/")).json()
    return whole


def check(response: httpx.Response, case: object) -> None:
    """`response` is an answer, a way to one, or a refusal in the contract's words."""
    assert response.status_code < 500 or "ai_not_configured" in response.text, (case, response.text)
    if response.status_code >= 400:
        problem(response, response.status_code, case=case)
    else:
        assert response.status_code in {200, 201, 202, 204, 307}, case
    for value in response.headers.values():
        assert "\r" not in value, case
        assert "\n" not in value, case
    assert "x-injected" not in response.headers, case


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def has_body(operation: dict[str, Any]) -> bool:
    """Whether an operation takes JSON; hostile files are sent in tests/imports and tests/watch_later."""
    return "application/json" in operation.get("requestBody", {}).get("content", {})


def body_of(document: dict[str, Any], operation: dict[str, Any]) -> Json:
    """The example of an operation's body."""
    return example_of(document, operation["requestBody"]["content"]["application/json"]["schema"])


def parameters(document: dict[str, Any], kind: str) -> list[tuple[str, str, str, bytes]]:
    """Every parameter of this kind: method, path, name, and the body to send along."""
    found = []
    for method, path, operation in operations(document):
        body = json.dumps(body_of(document, operation)).encode() if has_body(operation) else b""
        if path.startswith(GOOGLE):
            continue
        found += [(method, path, p["name"], body) for p in operation.get("parameters", []) if p["in"] == kind]
    assert found
    return found


@pytest.mark.parametrize("case", VALUES)
async def test_every_query_parameter_takes_a_value_or_refuses_it_by_name(
    client: httpx.AsyncClient, document: dict[str, Any], sender: Headers, case: str
) -> None:
    for method, path, name, body in parameters(document, "query"):
        target = f"{path.replace('{id}', '1')}?{name}={VALUES[case]}"
        response = await raw_request(client, method, target, body, sender)
        check(response, (case, target[:200]))
        if response.status_code == 422:
            assert fields(response, case=target[:200]) == {name}
        else:
            assert response.status_code == 200, target[:200]


@pytest.mark.parametrize("case", VALUES)
async def test_every_path_parameter_names_something_or_nothing(
    client: httpx.AsyncClient, document: dict[str, Any], sender: Headers, case: str
) -> None:
    for method, path, name, body in parameters(document, "path"):
        target = path.replace(f"{{{name}}}", VALUES[case])
        response = await raw_request(client, method, target, body, sender)
        check(response, (case, target[:200]))
        if VALUES[case]:  # else it is another path
            assert response.status_code in {404, ALWAYS.get(path)}, target[:200]


async def test_every_query_parameter_is_refused_when_it_comes_twice(
    client: httpx.AsyncClient, document: dict[str, Any], sender: Headers
) -> None:
    for method, path, name, body in parameters(document, "query"):
        for values in (("1", "1"), ("", ""), ("%00", "%ED%A0%80")):
            target = f"{path.replace('{id}', '1')}?{name}={values[0]}&{name}={values[1]}"
            response = await raw_request(client, method, target, body, sender)
            assert name in fields(response, case=target), target


def body_cases(document: dict[str, Any]) -> Iterator[tuple[str, str, str, bytes]]:
    """Every member of every body with every hostile value: method, path, the member, and the body."""
    strings = {case: unquote(value, errors="surrogateescape") for case, value in VALUES.items()}
    hostile = BODIES | strings | {"a lone surrogate": "\ud800", "too long": "a" * 10_000}
    for method, path, operation in operations(document):
        if not has_body(operation):
            continue
        whole = body_of(document, operation)
        schema = resolved(document, operation["requestBody"]["content"]["application/json"]["schema"])
        for member in schema["properties"]:
            for value in hostile.values():
                yield method, path, member, json.dumps({**whole, member: value}).encode()


async def test_every_member_of_a_body_takes_a_value_or_refuses_it_by_name(
    client: httpx.AsyncClient, document: dict[str, Any], sender: Headers
) -> None:
    refused = 0
    for method, path, member, body in body_cases(document):
        response = await raw_request(client, method, path.replace("{id}", "1"), body, sender)
        case = (path, member, body[:200])
        check(response, case)
        if response.status_code not in OUTCOMES[path]:
            refused += 1
            assert {field.partition(".")[0] for field in fields(response, case=case)} == {member}, case
    assert refused > 10


async def test_a_body_cut_anywhere_is_refused(
    client: httpx.AsyncClient, document: dict[str, Any], sender: Headers
) -> None:
    for method, path, operation in operations(document):
        if has_body(operation):
            whole = json.dumps(body_of(document, operation)).encode()
            shortest = 0 if operation["requestBody"].get("required") else 1
            for length in range(shortest, len(whole)):
                response = await raw_request(client, method, path.replace("{id}", "1"), whole[:length], sender)
                assert fields(response, case=whole[:length]) == {"body"}, whole[:length]


# Characters that mean something in a target come often, so that many paths and parameters are met.
MEANINGFUL = (
    "/ /movies /movies/ search /api/schema/ /api/static/ structures health 1 .. . ? & = ; # % %0 %00 %2F %5C + "
    "title= limit= offset= search= ordering= - , rating_min= genres= é \u202e {id} [ ] @ : // \\"
)
PIECES = st.one_of(st.binary(max_size=4).map(quote_from_bytes), st.sampled_from(MEANINGFUL.split(" ")))


@settings(max_examples=200, deadline=None)
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PUT", "X"]),
    target=st.lists(PIECES, max_size=12).map(lambda pieces: "/" + "".join(pieces)),
    body=st.binary(max_size=40),
)
@example(method="GET", target="//evil.example/..", body=b"")
@example(method="GET", target="/movies/" + "/" * 3000, body=b"")
@example(method="GET", target="/movies/?" + "&" * 3000, body=b"")
@example(method="GET", target="/movies/?" + "&".join(f"p{n}=1" for n in range(2000)), body=b"")
@example(method="POST", target="/movies/search/", body=b"\0")
async def test_any_bytes_get_an_answer(client: httpx.AsyncClient, method: str, target: str, body: bytes) -> None:
    response = await raw_request(client, method, target, body, JSON)
    if method == "HEAD":
        assert response.status_code < 500, target
        assert response.content == b"", target
    else:
        check(response, (method, target))
    if response.status_code == 307:
        location = response.headers["Location"]
        assert location.startswith(("http://localhost/", "/api/swagger/")), location


@settings(max_examples=100, deadline=None)
@given(name=st.binary(min_size=1, max_size=12), value=st.binary(max_size=40))
@example(name=b"x-request-id", value=b"\xff" * 40)
@example(name=b"host", value=b"\xff")
@example(name=b"content-length", value=b"-1")
@example(name=b"content-type", value=b"\0")
@example(name=b"origin", value=b"\xff\r\n")
@example(name=b"x-forwarded-host", value=b"\xff")
@example(name=b"x-forwarded-for", value=b"\xff, [, ::, ]")
@example(name=b"x-forwarded-proto", value=b"\xff")
@example(name=b"accept-encoding", value=b"\xff")
@example(name=b"range", value=b"bytes=9-1")
@example(name=b"expect", value=b"\xff")
async def test_any_header_gets_an_answer(client: httpx.AsyncClient, name: bytes, value: bytes) -> None:
    for method, target in (("GET", "/movies/?limit=1"), ("POST", "/movies/search/"), ("GET", "/movies")):
        check(await raw_request(client, method, target, b"{}", [(name.lower(), value)]), (name, value))


async def test_nothing_was_changed_by_all_that(client: httpx.AsyncClient) -> None:
    assert (await client.get("/movies/?limit=1")).json()["count"] == 464
    assert (await client.post("/token/", json=HERSELF)).status_code == 200
