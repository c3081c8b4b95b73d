"""Errors are problem documents, whatever goes wrong, and none of them shows what it was given."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from tests.conftest import make_settings, started
from tests.log_lines import log_lines
from tests.problem_documents import fields, problem
from tests.sample_application import sample_application

LIMIT = 128 * 1024
JSON = {"Content-Type": "application/json"}
FRONT_END = "https://front.example"


@pytest.fixture(scope="module")
async def client(administrator: AsyncEngine, filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with sample_application(administrator, filled) as (_, client):
        yield client


async def chunks(size: int, count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b" " * size


async def search(client: httpx.AsyncClient, content: bytes | AsyncIterator[bytes], **headers: str) -> httpx.Response:
    return await client.post("/movies/search/", content=content, headers=JSON | headers)


UNREADABLE: dict[str, bytes] = {
    "no body": b"",
    "blank": b"  ",
    "no JSON": b"expression=inception",
    "cut off": b'{"expression": "in',
    "two documents": b'{"expression": "a"}{"expression": "b"}',
    "a trailing comma": b'{"expression": "a",}',
    "single quotes": b"{'expression': 'a'}",
    "deep arrays": b"[" * 60_000,
    "deep objects": b'{"a":' * 12_000,
    "deep and closed": b"[" * 30_000 + b"]" * 30_000,
    "no UTF-8": b"\xff\xfe\xfa",
    "no UTF-8 inside": b'{"expression": "\xff"}',
    "a NUL byte": b"\0",
    "a number of 5,000 digits": b'{"expression": ' + b"1" * 5_000 + b"}",
    "an array": b'["inception"]',
    "a string": b'"inception"',
    "a number": b"1",
    "null": b"null",
    "NaN": b"NaN",
}


@pytest.mark.parametrize("case", UNREADABLE)
async def test_a_body_that_is_no_json_object_is_refused_as_the_body(client: httpx.AsyncClient, case: str) -> None:
    assert fields(await search(client, UNREADABLE[case])) == {"body"}


INVALID: dict[str, bytes] = {
    "no member": b"{}",
    "another member": b'{"Expression": "inception"}',
    "null": b'{"expression": null}',
    "a number": b'{"expression": 1}',
    "a number past 64 bits": b'{"expression": 1000000000000000000000000000000}',
    "a number past any": b'{"expression": 1e400}',
    "NaN": b'{"expression": NaN}',
    "Infinity": b'{"expression": -Infinity}',
    "a truth": b'{"expression": true}',
    "an array": b'{"expression": ["inception"]}',
    "an object": b'{"expression": {"expression": "inception"}}',
    "empty": b'{"expression": ""}',
    "blank": b'{"expression": " \\t\\u00a0\\u3000"}',
    "too long": b'{"expression": "' + b"a" * 256 + b'"}',
    "NUL": b'{"expression": "in\\u0000ception"}',
    "a lone surrogate": b'{"expression": "in\\ud800ception"}',
    "a surrogate's bytes": b'{"expression": "\xed\xa0\x80"}',
    "a replacement character": '{"expression": "in\ufffdception"}'.encode(),
    "twice, the last one empty": b'{"expression": "inception", "expression": ""}',
}


@pytest.mark.parametrize("case", INVALID)
async def test_a_member_that_cannot_be_taken_is_named(client: httpx.AsyncClient, case: str) -> None:
    assert fields(await search(client, INVALID[case])) == {"expression"}


async def test_messages_on_length_speak_of_characters(client: httpx.AsyncClient) -> None:
    for path in ("title", "search", "imdb_id", "year", "genres"):
        document = problem(await client.get("/movies/", params={path: "a" * 256}), 422)
        assert document["errors"] == [
            {"field": path, "message": "String should have at most 255 characters", "code": "string_too_long"}
        ]
    document = problem(await search(client, INVALID["too long"]), 422)
    assert "at most 255 characters" in document["detail"]


async def test_every_field_at_fault_is_named(client: httpx.AsyncClient) -> None:
    response = await client.get("/movies/?limit=0&offset=-1&rating_min=x&rating_max=11&ordering=x&type=x")
    assert fields(response) == {"limit", "offset", "rating_min", "rating_max", "ordering", "type"}


async def test_an_unknown_ordering_is_refused_with_those_that_are_known(client: httpx.AsyncClient) -> None:
    (error,) = problem(await client.get("/movies/?ordering=title,rating"), 422)["errors"]
    assert (error["field"], error["code"]) == ("ordering", "unknown_ordering")
    for name in ("imdb_id", "title", "genre", "year", "likes_count", "imdb_rating", "created_at"):
        assert name in error["message"]


async def test_no_answer_repeats_what_was_sent(client: httpx.AsyncClient) -> None:
    secret = "xyzzy" * 60
    answers = [
        await client.get(
            "/movies/", params=dict.fromkeys(("limit", "rating_min", "type", "ordering", "title"), secret)
        ),
        await client.get(f"/{secret}/"),
        await client.get(f"/movies/{secret}/"),
        await client.get("/movies/", headers={"host": secret}),
        await search(client, f'{{"expression": "{secret}"}}'.encode()),
        await search(client, f'{{"expression": ["{secret}"]}}'.encode()),
        await search(client, f'"{secret}"'.encode()),
        await search(client, secret.encode()),
        await client.post("/movies/search/", content=secret.encode(), headers={"Content-Type": "text/plain"}),
    ]
    for number, answer in enumerate(answers):
        problem(answer, answer.status_code, case=number)
        assert answer.status_code >= 400, number
        assert "xyzzy" not in answer.text, number


TYPES = [
    "",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "image/png",
    "json",
    "*/*",
]


@pytest.mark.parametrize("media_type", TYPES)
async def test_a_body_of_another_type_is_refused_in_words(client: httpx.AsyncClient, media_type: str) -> None:
    sent = {"Content-Type": media_type} if media_type else {}
    answer = await client.post("/movies/search/", content=b'{"expression": "inception"}', headers=sent)
    assert "application/json" in problem(answer, 415, "unsupported_media_type")["detail"]


@pytest.mark.parametrize(
    "media_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json"]
)
async def test_json_is_read_by_any_of_its_names(client: httpx.AsyncClient, media_type: str) -> None:
    sent = {"Content-Type": media_type}
    answer = await client.post("/movies/search/", content=b'{"expression": "inception"}', headers=sent)
    assert answer.status_code == 200


async def test_what_a_body_has_besides_is_passed_over(client: httpx.AsyncClient) -> None:
    answer = await search(client, b'{"limit": 1, "expression": "nothing", "expression": "inception"}')
    assert [movie["title"] for movie in answer.json()] == ["Inception"]


async def test_a_body_over_the_limit_is_refused_whether_or_not_its_length_is_told(client: httpx.AsyncClient) -> None:
    for content in (b" " * (LIMIT + 1), b" " * 10_000_000, chunks(1000, 132), chunks(10_000_000, 1)):
        for headers in (JSON, {"Content-Type": "text/plain"}):
            problem(await client.post("/movies/search/", content=content, headers=headers), 413, "body_too_large")
            if not isinstance(content, bytes):
                break  # it can be sent once


async def test_a_body_as_long_as_the_limit_is_read(client: httpx.AsyncClient) -> None:
    expression = b'{"expression": "inception"}'
    assert (await search(client, expression + b" " * (LIMIT - len(expression)))).status_code == 200
    assert fields(await search(client, chunks(1024, 64))) == {"body"}


async def test_a_body_over_the_limit_is_not_read_to_its_end(client: httpx.AsyncClient) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1024
            yield b" " * 1024

    problem(await search(client, endless()), 413, "body_too_large")
    assert read <= LIMIT + 2048


async def test_a_length_that_is_no_number_is_not_believed(client: httpx.AsyncClient) -> None:
    for told in ("-1", "x", "1_0", "9" * 5000):
        answer = await client.post("/movies/search/", content=b"{}", headers=JSON | {"Content-Length": told})
        assert fields(answer, case=told) == {"expression"}


async def test_a_body_that_nobody_asked_for_changes_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.request("GET", "/movies/", content=b"[" * 1000)).status_code == 200
    problem(await client.request("GET", "/movies/", content=b" " * 10_000_000), 413, "body_too_large")


async def run(url: URL, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


async def test_what_nobody_foresaw_is_500_logged_with_its_traceback_and_reveals_nothing(empty_url: URL) -> None:
    await run(empty_url, "ALTER TABLE movies RENAME COLUMN document TO story")
    settings = make_settings(empty_url, cors_allowed_origins=[FRONT_END])
    async with started(settings) as (_, client):
        with log_lines() as lines:
            sent = {"Origin": FRONT_END, "X-Request-ID": "report-me"}
            answer = await client.get("/movies/1/?secret=xyzzy", headers=sent)
        document = problem(answer, 500, "internal_error")
        assert answer.headers["Access-Control-Allow-Origin"] == FRONT_END
        assert document["request_id"] == "report-me"
        for word in ("document", "story", "select", "asyncpg", "sqlalchemy", "traceback", "column", "xyzzy", ".py"):
            assert word not in answer.text.lower()
        (failure,) = [line for line in lines if line["level"] == "ERROR"]
        assert (failure["path"], failure["method"], failure["request_id"]) == ("/movies/1/", "GET", "report-me")
        assert failure["raised"]
        assert any(line["event"] == "request" and line["status"] == 500 for line in lines)
        # The others go on.
        assert (await client.get("/structures/")).status_code == 200


async def test_head_of_what_fails_is_500_without_a_body(empty_url: URL) -> None:
    await run(empty_url, "ALTER TABLE movies RENAME COLUMN document TO story")
    async with started(make_settings(empty_url)) as (_, client):
        answer = await client.head("/movies/1/")
    assert (answer.status_code, answer.content) == (500, b"")


def members(value: object) -> set[str]:
    """Every key in a JSON document, however deep."""
    if isinstance(value, dict):
        return set(value) | {key for member in value.values() for key in members(member)}
    return {key for member in value for key in members(member)} if isinstance(value, list) else set()


async def test_faults_show_neither_the_input_nor_the_validators_own_members(client: httpx.AsyncClient) -> None:
    document = problem(await client.get("/movies/?limit=0&type=x"), 422)
    assert not members(document) & {"input", "ctx", "loc", "msg", "url"}
