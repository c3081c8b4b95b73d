"""AI search as server-sent events, by a real server on a real connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import URL

from app.main import create_app
from tests.ai.conftest import ALIEN, FREE_LIMIT, MATRIX, Quota, Searcher, asking
from tests.conftest import make_settings
from tests.doubles.claude import ClaudeDouble, error, events, message, stream, suggestion
from tests.doubles.omdb import OmdbDouble
from tests.doubles.server import Reply

ORIGIN = "https://app.example.com"
Events = AsyncIterator[tuple[str, Any]]


@pytest.fixture(scope="module")
async def server(ai_url: URL, claude_double: ClaudeDouble, omdb_double: OmdbDouble) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service on uvicorn, as it is run."""
    settings = make_settings(ai_url, cors_allowed_origins=[ORIGIN], **asking(claude_double, omdb_double))
    config = uvicorn.Config(create_app(settings), port=0, log_config=None, lifespan="on", proxy_headers=False)
    running = uvicorn.Server(config)
    serving = asyncio.create_task(running.serve())
    while not running.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    port = running.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client
    running.should_exit = True
    await serving


@asynccontextmanager
async def opened_stream(
    server: httpx.AsyncClient, searcher: Searcher, expression: str = "space horror"
) -> AsyncIterator[tuple[httpx.Response, Events]]:
    """The answer's head, and its events as they come."""
    headers = {"Authorization": f"Bearer {searcher.person.access}", "Origin": ORIGIN}
    body = {"expression": expression}
    async with server.stream("POST", "/movies/ai/search/stream/", json=body, headers=headers) as answer:
        yield answer, read(answer)


async def read(answer: httpx.Response) -> Events:
    """The events of an answer; comments are told as events without data."""
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith(":"):
            yield line, None
        elif line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line:
            yield name, json.loads(line.removeprefix("data: "))


async def all_events(server: httpx.AsyncClient, searcher: Searcher, expression: str = "space") -> list[tuple[str, Any]]:
    async with opened_stream(server, searcher, expression) as (answer, coming):
        assert answer.status_code == 200
        return [event async for event in coming]


def progress(phase: str, done: int = 0, of: int = 0) -> tuple[str, Any]:
    return "status", {"phase": phase, "done": done, "of": of}


async def test_it_tells_how_far_it_is_and_sends_each_movie(server: httpx.AsyncClient, searcher: Searcher) -> None:
    came = await all_events(server, searcher)
    assert came[:2] == [progress("thinking"), progress("resolving", 0, 3)]
    assert [event for event in came if event[0] == "status"][2:] == [progress("resolving", n, 3) for n in (1, 2, 3)]
    assert came[-1] == ("done", {"count": 3, "source": "claude"})
    movies = [data for name, data in came if name == "movie"]
    assert movies[-1]["title"] == "Dark Star"  # what is stored is known first
    at_once = (await searcher.search()).json()
    assert sorted(movies, key=lambda movie: -movie["match_score"]) == at_once


async def test_its_head_is_one_of_a_stream(server: httpx.AsyncClient, searcher: Searcher) -> None:
    async with opened_stream(server, searcher) as (answer, _):
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Request-ID"]
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "X-AI-Quota-Remaining" in answer.headers["Access-Control-Expose-Headers"]
        assert "content-length" not in answer.headers
        # As it was, or as it is already where Claude has begun before the head has left.
        assert Quota.told(answer) in {Quota(FREE_LIMIT, FREE_LIMIT), Quota(FREE_LIMIT, FREE_LIMIT - 1)}


async def test_nothing_on_the_way_holds_an_event_back(server: httpx.AsyncClient, searcher: Searcher) -> None:
    go_on = asyncio.Event()
    searcher.claude.replies = [stream(events(searcher.claude.message), until=go_on)]
    async with opened_stream(server, searcher) as (_, coming):
        assert await anext(coming) == progress("thinking")
        assert not go_on.is_set()
        go_on.set()
        assert await anext(coming) == progress("resolving", 0, 3)


async def test_comments_keep_the_connection_open(
    server: httpx.AsyncClient, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.05)
    searcher.claude.replies = [stream(events(searcher.claude.message), delay=0.3)]
    came = await all_events(server, searcher)
    assert came[0] == progress("thinking")
    assert (came[1], came[-1][0]) == ((": ping", None), "done")


async def test_an_empty_list_is_an_answer(server: httpx.AsyncClient, searcher: Searcher) -> None:
    searcher.claude.suggest()
    assert await all_events(server, searcher) == [progress("thinking"), ("done", {"count": 0, "source": "claude"})]
    assert await searcher.used() == 1


async def test_where_claude_fails_the_catalogue_answers(server: httpx.AsyncClient, searcher: Searcher) -> None:
    broken = stream([*events(searcher.claude.message)[:5], ("error", {"error": {"type": "overloaded_error"}})])
    for reply in (error(500), broken, stream(events(message(stop_reason="refusal")))):
        searcher.claude.replies = [reply] * 2
        came = await all_events(server, searcher, "alien")
        assert [name for name, _ in came] == ["status", *["movie"] * (len(came) - 2), "done"]
        assert (came[1][1]["title"], came[-1][1]["source"]) == ("Alien", "catalogue")
        assert await searcher.used() == 0


async def test_what_goes_wrong_on_the_way_is_an_event(server: httpx.AsyncClient, searcher: Searcher) -> None:
    searcher.claude.suggest(suggestion("Qwxyz Unheard Of"))
    async with opened_stream(server, searcher, "qwxyz") as (answer, coming):
        came = [event async for event in coming]
    assert [name for name, _ in came] == ["status", "status", "status", "error"]
    problem = came[-1][1]
    assert (problem["code"], problem["status"]) == ("ai_unavailable", 503)
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    assert await searcher.used() == 0


async def test_so_it_is_with_what_nobody_thought_of(server: httpx.AsyncClient, searcher: Searcher) -> None:
    counted = asyncio.Event()
    searcher.claude.counting = Reply(b'{"input_tokens": 1}', until=counted)
    async with opened_stream(server, searcher) as (_, coming):
        assert await anext(coming) == progress("thinking")
        await searcher.service.execute("ALTER TABLE ai_usage RENAME TO elsewhere")
        counted.set()
        try:
            (name, problem), *rest = [event async for event in coming]
        finally:
            await searcher.service.execute("ALTER TABLE elsewhere RENAME TO ai_usage")
    assert (name, problem["code"], problem["status"], rest) == ("error", "internal_error", 500, [])


async def test_a_search_that_may_not_be_made_is_refused_before_the_stream(
    server: httpx.AsyncClient, searcher: Searcher
) -> None:
    async with opened_stream(server, searcher, " ") as (answer, _):
        assert answer.status_code == 422
        assert answer.headers["Content-Type"] == "application/problem+json"
    for _ in range(FREE_LIMIT):
        await all_events(server, searcher)
    async with opened_stream(server, searcher) as (answer, _):
        assert json.loads(await answer.aread())["code"] == "ai_search_limit_reached"
        assert Quota.told(answer) == Quota(FREE_LIMIT, 0)


async def used_at_last(searcher: Searcher, expected: int) -> bool:
    """Whether so many units are used, once all is done."""
    for _ in range(100):
        if await searcher.used() == expected:
            return True
        await asyncio.sleep(0.02)
    return False


async def test_who_goes_away_before_claude_begins_pays_nothing_and_claude_stops(
    server: httpx.AsyncClient, searcher: Searcher
) -> None:
    for reply in (Reply(hang=True), stream(events(searcher.claude.message)[:3], stall=True)):
        searcher.claude.forget()
        searcher.claude.replies = [reply]
        async with opened_stream(server, searcher) as (_, coming):
            assert await anext(coming) == progress("thinking")
            await searcher.claude.asked(2)
            assert await searcher.used() == 1
        await asyncio.wait_for(searcher.claude.was_left(), 5)
        assert await used_at_last(searcher, 0)


async def test_who_goes_away_while_tokens_are_counted_pays_nothing(
    server: httpx.AsyncClient, searcher: Searcher
) -> None:
    searcher.claude.counting = Reply(hang=True)
    async with opened_stream(server, searcher):
        await searcher.claude.asked(1)
    await asyncio.wait_for(searcher.claude.was_left(), 5)
    assert searcher.claude.asked_for == []
    assert await used_at_last(searcher, 0)


async def test_who_goes_away_later_has_paid_and_claude_stops(server: httpx.AsyncClient, searcher: Searcher) -> None:
    searcher.claude.replies = [stream(events(searcher.claude.message)[:6], stall=True)]
    async with opened_stream(server, searcher):
        await searcher.claude.asked(2)
        await asyncio.sleep(0.3)  # until the beginning has arrived
    await asyncio.wait_for(searcher.claude.was_left(), 5)
    await asyncio.sleep(0.2)
    assert await searcher.used() == 1


async def test_who_goes_away_while_titles_are_looked_for_stops_that(
    server: httpx.AsyncClient, searcher: Searcher
) -> None:
    searcher.claude.suggest(ALIEN, MATRIX, *(suggestion(f"Unheard Of {n}", 1950) for n in range(4)))
    searcher.omdb.always = Reply(hang=True)
    async with opened_stream(server, searcher) as (_, coming):
        names = [(await anext(coming))[0] for _ in range(3)]
        assert names[-1] == "movie"
        await searcher.omdb.asked(4)
    await asyncio.wait_for(searcher.omdb.was_left(4), 5)
    assert await searcher.used() == 1
