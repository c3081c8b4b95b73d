"""One call to an outside service: its deadline, its retries, its breaker, and the key that nobody gets to see."""

import asyncio
import contextlib
import json
import socket
import sys
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import httpx
import pytest

from app.upstream.errors import Reason, UpstreamError
from app.upstream.transport import ATTEMPTS, BREAKER_FAILURES, MAX_ANSWER_BYTES, Transport
from tests.doubles.server import Reply, ScriptedServer
from tests.upstream.conftest import failure, reason

GOOD = Reply(b'{"a": 1}')
DOWN = Reply(b"down", 503, "text/plain")
NOT_FOUND = Reply(b"404 page not found", 404, "text/plain")
USED_UP = Reply(b"no", 429)
HTML = Reply(b"<!DOCTYPE html><title>Just a moment...</title>", 200, "text/html")
KEY = "key-that-nobody-sees-4711"


class Open(Protocol):
    """Opens a transport to the server."""

    def __call__(
        self, *, deadline: float = ..., url: str | None = ..., secret: tuple[str, str] | None = ...
    ) -> AbstractAsyncContextManager[Transport]: ...


@pytest.fixture
def open_transport(server: ScriptedServer) -> Open:
    @asynccontextmanager
    async def opened(
        *, deadline: float = 5.0, url: str | None = None, secret: tuple[str, str] | None = None
    ) -> AsyncIterator[Transport]:
        transport = Transport("teapot", url or server.url, deadline=deadline, secret=secret)
        try:
            yield transport
        finally:
            await transport.close()

    return opened


@pytest.fixture
async def transport(open_transport: Open) -> AsyncIterator[Transport]:
    async with open_transport() as transport:
        yield transport


async def test_an_object_is_returned_and_parameters_and_path_are_sent(server: ScriptedServer) -> None:
    server.script([Reply(b'{"a": {"b": [1, "\xc3\xa9"]}}')])
    transport = Transport("teapot", server.url + "/base/", deadline=5, headers={"authorization": "apikey x"})
    assert await transport.get_json("/path", s="Amélie & co") == {"a": {"b": [1, "é"]}}
    await transport.close()
    (call,) = server.calls
    assert (call.path, call.parameters) == ("/base/path", {"s": "Amélie & co"})
    assert call.headers["authorization"] == "apikey x"
    assert call.headers["accept"] == "application/json"
    assert call.headers["user-agent"] == "movie-finder"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (204, b"", Reason.GARBLED),
        (301, b"", Reason.GARBLED),
        (400, b"{}", Reason.GARBLED),
        (401, b'{"Response":"False","Error":"Invalid API key!"}', Reason.REFUSED),
        (401, b'{"Response":"False","Error":"Request limit reached!"}', Reason.LIMITED),
        (402, b"", Reason.REFUSED),
        (403, b"<html>blocked, rate limit page</html>", Reason.REFUSED),
        (404, b"404 page not found", Reason.GARBLED),
        (418, b"", Reason.GARBLED),
        (429, b"", Reason.LIMITED),
    ],
)
async def test_a_refusal_is_named_and_not_asked_again(
    server: ScriptedServer, transport: Transport, status: int, body: bytes, expected: Reason
) -> None:
    server.script([Reply(body, status, "text/html", headers={"location": "/elsewhere"})])
    assert await reason(transport.get_json("/")) == expected
    assert len(server.calls) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 521, 522, 523, 524, 530, 599])
async def test_a_server_error_is_tried_again_and_then_named(
    server: ScriptedServer, transport: Transport, status: int
) -> None:
    server.script([Reply(b"<html>error</html>", status, "text/html")])
    assert await reason(transport.get_json("/")) == Reason.UNAVAILABLE
    assert len(server.calls) == ATTEMPTS == 3


@pytest.mark.parametrize(
    "broken",
    [
        Reply(drop=True),
        Reply(b'{"a": 1234567890}', cut=True),
        Reply(raw=b"garbage\r\n\r\n"),
        Reply(raw=b"HTTP/1.1 200 X\r\nx: " + b"y" * 100_000),
        Reply(b"no gzip", headers={"content-encoding": "gzip"}),
    ],
    ids=["closed at once", "closed within the body", "not http", "endless header", "not compressed as said"],
)
async def test_a_broken_connection_is_tried_again_and_then_named(
    server: ScriptedServer, transport: Transport, broken: Reply
) -> None:
    server.script([broken])
    assert await reason(transport.get_json("/")) == Reason.UNREACHABLE
    assert len(server.calls) == ATTEMPTS


@pytest.mark.parametrize("bad", [Reply(drop=True), DOWN, Reply(b'{"a": 12345}', cut=True)], ids=["drop", "503", "cut"])
async def test_a_retry_that_succeeds_is_an_answer(server: ScriptedServer, transport: Transport, bad: Reply) -> None:
    server.script([bad, bad, GOOD])
    assert await transport.get_json("/") == {"a": 1}
    assert len(server.calls) == 3


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nowhere", "ftp://127.0.0.1/", "http://[::"])
async def test_an_address_where_nobody_is_is_unreachable(open_transport: Open, url: str) -> None:
    async with open_transport(url=url) as transport:
        assert await reason(transport.get_json("/")) == Reason.UNREACHABLE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"null",
        b"[]",
        b'"text"',
        b"5",
        b"true",
        b'{"a": 1',
        b'{"a": 1} {"b": 2}',
        b'{"Error": "Conversion from string "3896198a" to type \'Double\' is not valid."}',
        b"[" * 100_000,
        b'{"a":' * 40_000,
        b'{"a":' + b"9" * 5_000 + b"}",
        b"\xff\xfe\x00",
    ],
    ids=lambda body: repr(body[:12]),
)
async def test_what_is_no_json_object_is_garbled_and_not_asked_again(
    server: ScriptedServer, transport: Transport, body: bytes
) -> None:
    server.script([Reply(body)])
    assert await reason(transport.get_json("/")) == Reason.GARBLED
    assert len(server.calls) == 1


async def test_html_with_status_200_is_garbled(server: ScriptedServer, transport: Transport) -> None:
    server.script([HTML])
    assert await reason(transport.get_json("/")) == Reason.GARBLED


async def test_an_answer_may_be_256_kilobytes_and_no_byte_more(server: ScriptedServer, transport: Transport) -> None:
    largest = b'{"a": "' + b"x" * (256 * 1024 - 9) + b'"}'
    assert len(largest) == MAX_ANSWER_BYTES
    server.script([Reply(largest), Reply(largest + b" ")])
    assert len((await transport.get_json("/"))["a"]) == 256 * 1024 - 9
    assert await reason(transport.get_json("/")) == Reason.GARBLED
    assert len(server.calls) == 2


async def test_a_megabyte_is_not_read_to_its_end(server: ScriptedServer, open_transport: Open) -> None:
    # Promises ten megabytes and never sends them: who reads to the end waits until the deadline.
    head = b"HTTP/1.1 200 X\r\ncontent-length: 10000000\r\n\r\n"
    server.script([Reply(raw=head + b" " * 1_000_000)])
    async with open_transport(deadline=15) as transport:
        began = time.perf_counter()
        assert await reason(transport.get_json("/")) == Reason.GARBLED
        assert time.perf_counter() - began < 10


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (rb'{"a": "Miliardi\Millions"}', "Miliardi\\Millions"),
        (rb'{"a": "inner\spiritual peace"}', "inner\\spiritual peace"),
        (rb'{"a": "\u12zz \x"}', "\\u12zz \\x"),
        (rb'{"a": "\c \"q\" \\ \/ \n \u0041 \\c"}', '\\c "q" \\ / \n A \\c'),
        (b'{"a": "the \x1ffirst\ttab\x0b"}', "the \x1ffirst\ttab\x0b"),
        (b'{"a": "line\r\nbreak\x00"}', "line\r\nbreak\x00"),
        (rb'{"a": "\ud83d alone"}', "\ud83d alone"),
        (b'{"a": "\xff"}', "\ufffd"),
    ],
)
async def test_lone_backslashes_and_raw_control_characters_are_forgiven(
    server: ScriptedServer, transport: Transport, sent: bytes, text: str
) -> None:
    server.script([Reply(sent)])
    assert await transport.get_json("/") == {"a": text}


async def test_a_service_that_hangs_is_left_at_the_deadline(server: ScriptedServer, open_transport: Open) -> None:
    server.script([Reply(hang=True)])
    async with open_transport(deadline=0.15) as transport:
        began = time.perf_counter()
        assert await reason(transport.get_json("/")) == Reason.TIMEOUT
        assert 0.1 < time.perf_counter() - began < 5
    assert len(server.calls) == 1


async def test_the_deadline_holds_for_an_answer_that_comes_byte_by_byte(
    server: ScriptedServer, open_transport: Open
) -> None:
    server.script([Reply(b" " * 1000, drip=0.05)])
    async with open_transport(deadline=0.2) as transport:
        began = time.perf_counter()
        assert await reason(transport.get_json("/")) == Reason.TIMEOUT
        assert time.perf_counter() - began < 5


async def test_the_deadline_holds_for_all_attempts_together(server: ScriptedServer, open_transport: Open) -> None:
    server.script([Reply(b"", 503, delay=0.15)])
    async with open_transport(deadline=0.3) as transport:
        began = time.perf_counter()
        assert await reason(transport.get_json("/")) == Reason.TIMEOUT
        assert time.perf_counter() - began < 5
    assert len(server.calls) < 3


async def test_five_failures_in_a_row_shut_a_service_out(server: ScriptedServer, transport: Transport) -> None:
    server.script([USED_UP])
    for _ in range(BREAKER_FAILURES):
        assert await reason(transport.get_json("/")) == Reason.LIMITED
    server.script([GOOD])
    for _ in range(10):
        assert await reason(transport.get_json("/")) == Reason.BREAKER_OPEN
    assert len(server.calls) == BREAKER_FAILURES == 5


async def test_failures_with_an_answer_between_them_shut_nobody_out(
    server: ScriptedServer, transport: Transport
) -> None:
    server.script([*[USED_UP] * 4, GOOD, *[USED_UP] * 4, GOOD])
    for expected in ["fails"] * 4 + ["answers"] + ["fails"] * 4 + ["answers"]:
        if expected == "fails":
            assert await reason(transport.get_json("/")) == Reason.LIMITED
        else:
            assert await transport.get_json("/") == {"a": 1}


async def test_a_call_that_was_tried_three_times_counts_as_one_failure(
    server: ScriptedServer, transport: Transport
) -> None:
    server.script([DOWN])
    for _ in range(4):
        assert await reason(transport.get_json("/")) == Reason.UNAVAILABLE
    server.script([GOOD])
    assert await transport.get_json("/") == {"a": 1}


async def test_after_its_time_a_service_that_answers_is_let_in_again(
    server: ScriptedServer, transport: Transport
) -> None:
    transport._breaker.reset_timeout = 0.2
    server.script([*[USED_UP] * 5, GOOD])
    for _ in range(5):
        await failure(transport.get_json("/"))
    assert await reason(transport.get_json("/")) == Reason.BREAKER_OPEN
    await asyncio.sleep(0.25)
    assert await transport.get_json("/") == {"a": 1}
    server.script([*[USED_UP] * 4, GOOD])
    for _ in range(4):  # and it begins to count anew
        assert await reason(transport.get_json("/")) == Reason.LIMITED
    assert await transport.get_json("/") == {"a": 1}


async def test_after_its_time_a_service_that_fails_again_is_shut_out_at_once(
    server: ScriptedServer, transport: Transport
) -> None:
    transport._breaker.reset_timeout = 0.2
    server.script([USED_UP])
    for _ in range(5):
        await failure(transport.get_json("/"))
    await asyncio.sleep(0.25)
    assert await reason(transport.get_json("/")) == Reason.LIMITED
    assert await reason(transport.get_json("/")) == Reason.BREAKER_OPEN
    assert len(server.calls) == 6


@pytest.mark.parametrize("status", [403, 404])
async def test_questions_that_a_service_does_not_like_shut_nobody_out(
    server: ScriptedServer, transport: Transport, status: int
) -> None:
    server.script([*[Reply(b"no", status)] * 10, GOOD])
    for _ in range(10):
        await failure(transport.get_json("/"))
    assert await transport.get_json("/") == {"a": 1}


async def test_callers_that_go_away_shut_nobody_out(server: ScriptedServer, transport: Transport) -> None:
    server.script([Reply(hang=True)])
    calls = [asyncio.create_task(transport.get_json("/")) for _ in range(6)]
    await server.asked(6)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    server.script([GOOD])
    assert await transport.get_json("/") == {"a": 1}


async def test_a_secret_parameter_reaches_the_service_beside_the_others(
    server: ScriptedServer, open_transport: Open
) -> None:
    async with open_transport(secret=("apikey", KEY)) as transport:
        await transport.get_json("/", i="tt1375666", s="a b&c")
    assert server.calls[0].parameters == {"i": "tt1375666", "s": "a b&c", "apikey": KEY}


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and everything that led to it, whether or not a traceback would show it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


SECRET_CASES = {
    "an answer": GOOD,
    "401": Reply(b'{"Error": "Invalid API key!"}', 401),
    "500": Reply(b"", 500),
    "redirect": Reply(b"", 302, headers={"location": "/?apikey=other"}),
    "html": HTML,
    "drop": Reply(drop=True),
    "cut": Reply(b'{"a": 123456}', cut=True),
    "not http": Reply(raw=b"garbage\r\n\r\n"),
    "hang": Reply(hang=True),
    "too large": Reply(b" " * (MAX_ANSWER_BYTES + 1)),
}


@pytest.mark.parametrize("reply", SECRET_CASES.values(), ids=SECRET_CASES.keys())
@pytest.mark.parametrize("place", ["query", "header"])
async def test_a_key_is_in_no_log_line_and_in_no_error(
    server: ScriptedServer, logged: list[str], reply: Reply, place: str
) -> None:
    server.script([reply])
    secret = ("apikey", KEY) if place == "query" else None
    headers = {"authorization": f"apikey {KEY}"} if place == "header" else None
    transport = Transport("teapot", server.url, deadline=0.5, secret=secret, headers=headers)
    shown: list[str] = [repr(transport), repr(transport._client), json.dumps(transport._base_url)]
    try:
        await transport.get_json("/", i="tt1375666")
    except UpstreamError as error:
        shown += ["".join(traceback.format_exception(error)), repr(error), str(error)]
        for link in chain(error):
            shown += [repr(link), str(link), repr(link.args), repr(link.__dict__), *getattr(link, "__notes__", [])]
            if isinstance(link, httpx.RequestError):
                shown += [str(link.request.url), repr(link.request.headers)]
    await transport.close()
    assert logged  # or the test would see nothing at all
    assert server.calls
    assert [line for line in [*shown, *logged] if KEY in line] == []


async def test_a_failure_is_logged_with_its_service_and_its_reason(
    server: ScriptedServer, transport: Transport, logged: list[str]
) -> None:
    server.script([NOT_FOUND])
    await failure(transport.get_json("/"))
    (line,) = [line for line in logged if line.startswith("app.upstream.transport")]
    assert "teapot" in line
    assert "garbled" in line


async def test_an_error_says_who_failed_and_why_and_no_more(server: ScriptedServer, transport: Transport) -> None:
    server.script([NOT_FOUND])
    error = await failure(transport.get_json("/"))
    assert (str(error), error.service) == ("teapot: garbled", "teapot")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a full backlog go unanswered")
async def test_a_host_that_takes_no_connection_is_left_well_before_the_deadline(open_transport: Open) -> None:
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):  # fills the backlog: what comes now is not even refused
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        async with open_transport(url=f"http://127.0.0.1:{listener.getsockname()[1]}", deadline=10) as transport:
            began = time.perf_counter()
            assert await reason(transport.get_json("/")) == Reason.TIMEOUT
            assert time.perf_counter() - began < 4
