"""CollectAPI's IMDB service: its key, its gateway's plain text, `success: false`."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.upstream.collectapi import CollectApi
from app.upstream.errors import Reason
from tests.doubles.collectapi import KEY, CollectApiDouble
from tests.doubles.server import Reply, ScriptedServer
from tests.upstream.conftest import reason
from tests.upstream.payloads import payload


def result(value: object, *, success: object = True) -> Reply:
    return Reply(json.dumps({"success": success, "result": value}).encode())


@asynccontextmanager
async def client_of(server: ScriptedServer | CollectApiDouble, key: str = KEY) -> AsyncIterator[CollectApi]:
    client = CollectApi(f"{server.url}/imdb", key, deadline=5)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def imdb(server: ScriptedServer) -> AsyncIterator[CollectApi]:
    async with client_of(server) as client:
        yield client


@pytest.mark.parametrize("key", [KEY, f"apikey {KEY}", f"apikey  {KEY} ", f" {KEY}", f" apikey {KEY}"])
async def test_the_keys_prefix_is_sent_once(collectapi: CollectApiDouble, key: str) -> None:
    async with client_of(collectapi, key) as client:
        await client.search("inception")
    (call,) = collectapi.calls
    assert call.headers["authorization"] == f"apikey {KEY}"
    assert call.headers["content-type"] == "application/json"


async def test_a_search_gives_ids_in_order_and_each_once(collectapi: CollectApiDouble) -> None:
    collectapi.found["a & b"] = ["tt0133093", "tt1375666", "tt0133093", "nm0000001", ""]
    async with client_of(collectapi) as client:
        assert await client.search("a & b") == ["tt0133093", "tt1375666"]
        assert await client.search("nothing") == []
    assert (collectapi.calls[0].path, collectapi.calls[0].parameters) == ("/imdb/imdbSearchByName", {"query": "a & b"})


async def test_a_title_is_asked_for_by_its_id(collectapi: CollectApiDouble) -> None:
    async with client_of(collectapi) as client:
        facts = await client.title("tt1375666")
        assert await client.title("tt9999999") is None
    assert facts is not None
    assert (facts.imdb_id, facts.title) == ("tt1375666", "Inception")
    call = collectapi.calls[0]
    assert (call.path, call.parameters) == ("/imdb/imdbSearchById", {"movieId": "tt1375666"})


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (401, b"401 Unauthorized", Reason.REFUSED),
        (403, b"403 Forbidden", Reason.REFUSED),
        (404, b"404 page not found", Reason.GARBLED),
        (429, b"Too Many Requests", Reason.LIMITED),
        (502, b"502 Bad Gateway", Reason.UNAVAILABLE),
    ],
)
async def test_the_gateways_plain_text_is_a_failure(
    server: ScriptedServer, imdb: CollectApi, status: int, text: bytes, expected: Reason
) -> None:
    server.script([Reply(text, status, "text/plain")])
    assert await reason(imdb.search("inception")) == expected
    assert await reason(imdb.title("tt1375666")) == expected


async def test_a_key_that_is_not_taken_is_refused(collectapi: CollectApiDouble) -> None:
    async with client_of(collectapi, "wrong") as client:
        assert await reason(client.search("inception")) == Reason.REFUSED


@pytest.mark.parametrize(
    "answer",
    [
        {"success": False, "message": "You have exceeded your quota"},
        {"success": False, "result": [{"imdbID": "tt1375666"}]},
        {"success": "true", "result": []},
        {"result": []},
        {},
    ],
    ids=repr,
)
async def test_no_success_is_a_failure(server: ScriptedServer, imdb: CollectApi, answer: dict[str, object]) -> None:
    server.script([Reply(json.dumps(answer).encode())])
    assert await reason(imdb.search("inception")) == Reason.GARBLED
    assert await reason(imdb.title("tt1375666")) == Reason.GARBLED


@pytest.mark.parametrize("value", [None, {}, "tt1375666", 1])
async def test_hits_that_are_no_list_are_a_failure_and_no_empty_list(
    server: ScriptedServer, imdb: CollectApi, value: object
) -> None:
    server.script([result(value)])
    assert await reason(imdb.search("inception")) == Reason.GARBLED


@pytest.mark.parametrize("value", [None, [], "", {"Response": "False", "Error": "Incorrect IMDb ID."}])
async def test_no_object_or_a_miss_in_words_is_no_title(
    server: ScriptedServer, imdb: CollectApi, value: object
) -> None:
    server.script([result(value)])
    assert await imdb.title("tt1375666") is None


@pytest.mark.parametrize(
    "value", [{}, {"Response": "False", "Error": "Request limit reached!"}, payload(Title="N/A"), payload(imdbID=7)]
)
async def test_an_object_that_is_no_title_is_a_failure(
    server: ScriptedServer, imdb: CollectApi, value: dict[str, object]
) -> None:
    server.script([result(value)])
    assert await reason(imdb.title("tt1375666")) == Reason.GARBLED
