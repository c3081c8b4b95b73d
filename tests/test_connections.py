"""What one connection may cost, on real connections to a server with short patience."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.cli import connections
from app.cli.protocol import Protocol

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n"
LONG = b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n"
SHORT = 0.3
PIECE, PIECES = b"x" * 64_000, 400


class Application:
    """Answers with the length of the body, or at length; slowly if it is told to.

    Attributes:
        broken_off: requests whose client went away, or was sent away.
    """

    def __init__(self) -> None:
        self.broken_off = 0
        self.seconds = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            self.broken_off += 1
            return
        await asyncio.sleep(self.seconds)
        if request.url.path == "/long":
            await self._at_length(scope, receive, send)
        else:
            await PlainTextResponse(str(len(body)))(scope, receive, send)

    async def _at_length(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = 0

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(PIECES):
                sent += 1
                yield PIECE
                await asyncio.sleep(0)

        await StreamingResponse(pieces())(scope, receive, send)
        self.broken_off += sent < PIECES


class Impatient(Protocol):
    head_seconds = body_seconds = taking_seconds = SHORT


@pytest.fixture
async def application() -> Application:
    return Application()


@pytest.fixture
async def port(application: Application) -> AsyncIterator[int]:
    config = uvicorn.Config(application, port=0, http=Impatient, lifespan="off", log_config=None, timeout_keep_alive=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Connection]]


@pytest.fixture
async def connect(port: int) -> AsyncIterator[Connect]:
    """Opens connections, and closes them at the end."""
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return reader, writer

    yield connect
    for writer in writers:
        writer.transport.abort()


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection ends, however it ends."""
    found = b""
    try:
        async with asyncio.timeout(10):
            while piece := await reader.read(100_000):
                found += piece
    except ConnectionError:
        pass
    return found


async def drip(writer: asyncio.StreamWriter, piece: bytes) -> None:
    """The piece again and again, until the connection is closed."""
    while not writer.is_closing():
        writer.write(piece)
        await asyncio.sleep(SHORT / 10)


@pytest.mark.parametrize(
    "sent", [b"", HEAD, HEAD[:5], POST, POST + b"ab", POST + b"abc" + HEAD], ids=lambda sent: sent.decode()[-12:]
)
async def test_who_does_not_finish_a_request_is_not_waited_for(connect: Connect, sent: bytes) -> None:
    reader, writer = await connect()
    writer.write(sent)
    answer = await all_of(reader)
    assert (b"200 OK" in answer) == (b"abc" in sent)


@pytest.mark.parametrize(("begin", "piece"), [(HEAD, b"X: y\r\n"), (POST.replace(b": 3", b": 999"), b"a")])
async def test_who_sends_a_request_drop_by_drop_is_not_waited_for(
    connect: Connect, application: Application, begin: bytes, piece: bytes
) -> None:
    reader, writer = await connect()
    writer.write(begin)
    dripping = asyncio.create_task(drip(writer, piece))
    assert await all_of(reader) == b""
    writer.transport.abort()
    await dripping
    assert application.broken_off == (begin != HEAD)


async def test_a_request_in_pieces_is_answered_and_so_is_the_next_one(connect: Connect) -> None:
    reader, writer = await connect()
    for _ in range(3):
        for piece in (POST[:9], POST[9:-2], POST[-2:] + b"a", b"bc"):
            writer.write(piece)
            await asyncio.sleep(SHORT / 6)
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(1) == b"3"


async def test_a_slow_answer_is_waited_for_whatever_has_come_of_the_next_request(
    connect: Connect, application: Application
) -> None:
    application.seconds = SHORT * 2.2  # not when patience ends anyway: the client needs a moment for what it still owes
    reader, writer = await connect()
    writer.write(POST + b"abc" + HEAD)
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n3")
    writer.write(b"\r\n")
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n0")


async def test_a_head_has_an_end(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(HEAD + b"X: ")
    with pytest.raises(ConnectionError):  # noqa: PT012
        for _ in range(1_000):
            writer.write(b"x" * 10_000)
            await writer.drain()
    answer = await all_of(reader)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 "), answer


@pytest.mark.parametrize(
    "request_", [HEAD, POST.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"0\r\n"]
)
async def test_neither_a_head_nor_what_follows_a_body_has_fields_without_end(connect: Connect, request_: bytes) -> None:
    for fields, status in ((200, b"200 OK"), (400, b"400 Bad Request")):
        reader, writer = await connect()
        writer.write(request_ + b"X: y\r\n" * fields + b"\r\n")
        assert status in await reader.readuntil(b"\r\n\r\n")


async def test_a_message_has_an_end_even_when_it_has_been_answered(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_MESSAGE_BYTES", 300_000)
    for length, is_taken in ((200_000, True), (3_000_000, False)):
        reader, writer = await connect()
        writer.write(POST.replace(b": 3", b": %d" % length) + b"x" * length)
        assert (b"200 OK" in await all_of(reader)) == is_taken


async def test_who_takes_nothing_of_an_answer_is_not_waited_for(connect: Connect, application: Application) -> None:
    _, writer = await connect()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(LONG)
    async with asyncio.timeout(10):
        while not application.broken_off:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    writer.transport.abort()


async def test_who_takes_an_answer_slowly_but_surely_gets_all_of_it(connect: Connect, application: Application) -> None:
    reader, writer = await connect()
    writer.write(LONG)
    taken = 0
    while taken < PIECES * len(PIECE):
        taken += len(await reader.read(1_000_000))
        await asyncio.sleep(SHORT / 20)
    assert application.broken_off == 0
