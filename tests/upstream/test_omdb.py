"""OMDb: what it says when it has no such title, when it fails, and when its JSON is none."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.upstream.errors import Reason
from app.upstream.omdb import TOO_MANY, Omdb
from app.upstream.titles import SearchHit, SearchPage
from tests.doubles.omdb import KEY, OmdbDouble
from tests.doubles.omdb import error as said
from tests.doubles.server import Reply, ScriptedServer
from tests.upstream.conftest import reason
from tests.upstream.payloads import body, payload

MISSES = [
    "Movie not found!",
    "Series not found!",
    "Series or episode not found!",
    "Incorrect IMDb ID.",
    "Error getting data.",
]
FAILURES = {
    "No API key provided.": (401, Reason.REFUSED),
    "Invalid API key!": (401, Reason.REFUSED),
    "Request limit reached!": (401, Reason.LIMITED),
    "Too many results.": (200, Reason.GARBLED),
    "Something went wrong.": (200, Reason.GARBLED),
}
NOT_JSON = [
    b'{"Response":"False","Error":"Conversion from string "3896198a" to type \'Double\' is not valid."}',
    b'{"Response":"False","Error":"Conversion from string "one space" to type \'Double\' is not valid."}',
]


@asynccontextmanager
async def client_of(server: ScriptedServer | OmdbDouble, key: str = KEY) -> AsyncIterator[Omdb]:
    client = Omdb(server.url, key, deadline=5)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def omdb_client(server: ScriptedServer) -> AsyncIterator[Omdb]:
    async with client_of(server) as client:
        yield client


async def test_a_title_is_asked_for_by_its_id_with_the_full_plot(omdb: OmdbDouble) -> None:
    async with client_of(omdb) as client:
        facts = await client.title("tt1375666")
    assert facts is not None
    assert (facts.imdb_id, facts.title) == ("tt1375666", "Inception")
    (call,) = omdb.calls
    assert (call.path, call.parameters) == ("/", {"i": "tt1375666", "plot": "full", "apikey": KEY})


async def test_a_search_gives_ids_in_order_and_each_once(omdb: OmdbDouble) -> None:
    omdb.found["a & b"] = ["tt0133093", "tt1375666", "tt0133093"]
    async with client_of(omdb) as client:
        assert await client.search("a & b") == ["tt0133093", "tt1375666"]
    (call,) = omdb.calls
    assert (call.path, call.parameters) == ("/", {"s": "a & b", "apikey": KEY})


async def test_a_title_is_asked_for_by_its_name_year_and_kind(omdb: OmdbDouble) -> None:
    async with client_of(omdb) as client:
        facts = await client.titled("inception", year=2010, kind="movie")
        assert await client.titled("Inception", year=2011) is None
        assert await client.titled("Inception", kind="series") is None
    assert facts is not None
    assert facts.imdb_id == "tt1375666"
    assert [call.parameters for call in omdb.calls] == [
        {"t": "inception", "plot": "full", "y": "2010", "type": "movie", "apikey": KEY},
        {"t": "Inception", "plot": "full", "y": "2011", "apikey": KEY},
        {"t": "Inception", "plot": "full", "type": "series", "apikey": KEY},
    ]


async def test_a_search_tells_titles_years_and_kinds_each_once_and_whether_there_are_more(omdb: OmdbDouble) -> None:
    matrix, inception = SearchHit(imdb_id="tt0133093", title="The Matrix", year="1999", type="movie"), "tt1375666"
    omdb.found |= {"a & b": ["tt0133093", inception, "tt0133093"], "many": ["tt0133093"] * 11}
    async with client_of(omdb) as client:
        page = await client.find("a & b", year=1999, kind="movie")
        assert ([hit.imdb_id for hit in page.hits], page.more) == (["tt0133093", inception], False)
        assert page.hits[0] == matrix
        assert await client.find("many") == SearchPage((matrix,), more=True)
        assert await client.find("it") == SearchPage(more=True)
        assert await client.find("nosuchword") == SearchPage()
    assert omdb.calls[0].parameters == {"s": "a & b", "y": "1999", "type": "movie", "apikey": KEY}


async def test_what_is_no_title_is_no_hit(server: ScriptedServer, omdb_client: Omdb) -> None:
    hits = [{"imdbID": "tt0133093", "Title": "Fine", "Year": [], "Type": 5}, {"imdbID": "tt0133093"}, "tt0133093", None]
    server.script([Reply(json.dumps({"Search": hits, "Response": "True"}).encode())])
    assert await omdb_client.find("fine") == SearchPage((SearchHit(imdb_id="tt0133093", title="Fine"),), more=True)


async def test_a_key_that_is_not_taken_is_refused(omdb: OmdbDouble) -> None:
    async with client_of(omdb, key="wrong") as client:
        assert await reason(client.title("tt1375666")) == Reason.REFUSED


@pytest.mark.parametrize("text", MISSES)
async def test_a_miss_is_no_title_and_no_hit(server: ScriptedServer, omdb_client: Omdb, text: str) -> None:
    server.script([said(text)])
    assert await omdb_client.title("tt1375666") is None
    assert await omdb_client.search("inception") == []
    assert await omdb_client.titled("inception") is None
    assert await omdb_client.find("inception") == SearchPage()


@pytest.mark.parametrize(("text", "status", "expected"), [(text, *answer) for text, answer in FAILURES.items()])
async def test_a_failure_in_words_is_no_miss(
    server: ScriptedServer, omdb_client: Omdb, text: str, status: int, expected: Reason
) -> None:
    server.script([said(text, status)])
    assert await reason(omdb_client.title("tt1375666")) == expected
    assert await reason(omdb_client.search("inception")) == expected
    assert await reason(omdb_client.titled("inception")) == expected
    if text != TOO_MANY:
        assert await reason(omdb_client.find("inception")) == expected


@pytest.mark.parametrize("error", ["", None, 5, [], {}, {"a": []}, "movie not found!"])
async def test_words_that_nobody_knows_are_a_failure(server: ScriptedServer, omdb_client: Omdb, error: object) -> None:
    server.script([Reply(json.dumps({"Response": "False", "Error": error}).encode())])
    assert await reason(omdb_client.title("tt1375666")) == Reason.GARBLED
    assert await reason(omdb_client.search("inception")) == Reason.GARBLED


@pytest.mark.parametrize("sent", NOT_JSON)
async def test_an_error_that_is_not_json_is_a_failure(server: ScriptedServer, omdb_client: Omdb, sent: bytes) -> None:
    server.script([Reply(sent)])
    assert await reason(omdb_client.title("tt3896198")) == Reason.GARBLED


@pytest.mark.parametrize("status", [403, 503, 520, 522, 524])
async def test_a_page_of_html_is_a_failure(server: ScriptedServer, omdb_client: Omdb, status: int) -> None:
    server.script([Reply(b"<!DOCTYPE html><html>Just a moment...</html>", status, "text/html")])
    expected = Reason.REFUSED if status == 403 else Reason.UNAVAILABLE
    assert await reason(omdb_client.search("inception")) == expected


async def test_a_raw_control_character_and_a_lone_backslash_spoil_no_title(
    server: ScriptedServer, omdb_client: Omdb
) -> None:
    sent = body(Title="Miliardi?Millions", Plot="the !first").replace(b"?", b"\\").replace(b"!", b"\x1f")
    server.script([Reply(sent)])
    facts = await omdb_client.title("tt7654321")
    assert facts is not None
    assert (facts.title, facts.plot) == ("Miliardi\\Millions", "the first")


@pytest.mark.parametrize(
    "answer", [{}, {"Response": "True"}, {"error": "x"}, payload(imdbID="N/A"), payload(Title="")], ids=repr
)
async def test_an_object_that_is_no_title_is_a_failure(
    server: ScriptedServer, omdb_client: Omdb, answer: dict[str, object]
) -> None:
    server.script([Reply(json.dumps(answer).encode())])
    assert await reason(omdb_client.title("tt7654321")) == Reason.GARBLED


@pytest.mark.parametrize("found", [None, {}, "tt1375666", 1, False])
async def test_an_object_without_a_list_of_hits_is_a_failure_and_no_empty_list(
    server: ScriptedServer, omdb_client: Omdb, found: object
) -> None:
    server.script([Reply(json.dumps({"Search": found, "Response": "True"}).encode())])
    assert await reason(omdb_client.search("inception")) == Reason.GARBLED
    assert await reason(omdb_client.find("inception")) == Reason.GARBLED


async def test_every_recorded_error_is_a_miss_or_a_failure_as_its_words_say(real_data: Path) -> None:
    cases = json.loads((real_data / "omdb-errors.json").read_text(encoding="utf-8"))
    assert len(cases) >= 14
    for case in cases:
        sent = (case["body"] or "<!DOCTYPE html><html></html>").encode()
        async with ScriptedServer(Reply(sent, case["status"])) as server, client_of(server) as client:
            if case["status"] == 200 and any(text in case["body"] for text in MISSES):
                assert await client.title("tt1375666") is None, case
                assert await client.search("inception") == [], case
            elif case["status"] == 401:
                expected = Reason.LIMITED if "limit" in case["body"] else Reason.REFUSED
                assert await reason(client.title("tt1375666")) == expected, case
            else:
                expected = {403: Reason.REFUSED, 200: Reason.GARBLED}.get(case["status"], Reason.UNAVAILABLE)
                assert await reason(client.search("inception")) == expected, case


async def test_every_recorded_body_that_is_no_json_is_read_or_refused(real_data: Path) -> None:
    files = sorted((real_data / "omdb-malformed").glob("*.txt"))
    assert len(files) >= 6
    for file in files:
        sent = file.read_bytes()
        if "FRAGMENT" in file.name:  # only the offending part was recorded
            spoilt = sent.strip() if sent.startswith(b'"Title"') else b'"Plot":"' + sent.strip() + b'"'
            sent = b'{"Title":"Whole","imdbID":"tt0102445",' + spoilt + b',"Response":"True"}'
        async with ScriptedServer(Reply(sent)) as server, client_of(server) as client:
            if file.name.startswith("conversion"):
                assert await reason(client.title("tt3896198")) == Reason.GARBLED, file.name
                continue
            facts = await client.title("tt0102445")
            assert facts is not None, file.name
            assert facts.title in {"Symphony in Blood Red", "Miliardi\\Millions", "Whole"}
            if facts.title == "Whole":
                assert facts.plot == "separated from inner\\spiritual peace"
            if facts.title == "Symphony in Blood Red":
                assert "\x1f" in sent.decode()
                assert "the first feature movie" in (facts.plot or "")
