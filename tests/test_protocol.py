"""What the server itself refuses, on real connections."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from app.cli.protocol import Protocol
from app.core.overload import Gate, Overload, refuse
from tests.metrics_text import metric

PLAIN = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
REFUSED, SERVED = 503, 200


class Busy:
    """A server with room for two reads, whose application answers once it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked = 0
        self.port = 0
        self.clients: list[Client] = []

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        self.asked += 1
        await self.go.wait()
        headers = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": SERVED, "headers": headers})
        await send({"type": "http.response.body", "body": b"done"})

    async def open(self) -> "Client":
        self.clients.append(Client(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.clients[-1]

    async def fill(self) -> "list[Client]":
        """Two clients whose requests are under way."""
        clients = [await self.open(), await self.open()]
        for client in clients:
            client.send(PLAIN)
        while self.asked < len(clients):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        return clients


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = ""
        self.body = b""

    def send(self, *requests: str) -> None:
        self.writer.write("".join(requests).encode())

    async def status(self) -> int:
        """That of the next answer."""
        self.head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(self.head.partition("content-length: ")[2].partition("\r\n")[0])
        self.body = await self.reader.readexactly(length)
        return int(self.head.split(" ")[1])

    async def ask(self, request: str = PLAIN) -> int:
        self.send(request)
        return await self.status()


@asynccontextmanager
async def serving(busy: Busy) -> AsyncIterator[None]:
    gate = Gate(most_reads=2, most_others=2)

    class Small(Protocol):
        pass

    Small.gate = gate
    app = Overload(busy, refusal=refuse, exempt=["/health/live"], gate=gate)
    config = uvicorn.Config(app, port=0, http=Small, lifespan="off", log_config=None, timeout_keep_alive=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    busy.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield
    finally:
        busy.go.set()
        for client in busy.clients:
            client.writer.transport.abort()
        server.should_exit = True
        await task


@pytest.fixture
async def busy() -> AsyncIterator[Busy]:
    busy = Busy()
    async with serving(busy):
        yield busy


async def test_a_plain_read_too_many_is_refused_without_the_application_and_the_connection_goes_on(busy: Busy) -> None:
    waiting = await busy.fill()
    before = metric("requests_refused_total")
    client = await busy.open()
    for _ in range(3):
        assert await client.ask() == REFUSED
        assert "retry-after: 1\r\n" in client.head
        assert "date: " in client.head
        document = json.loads(client.body)
        assert document["code"] == "overloaded"
        assert f"x-request-id: {document['request_id']}\r\n" in client.head
    assert busy.asked == 2
    assert metric("requests_refused_total") == before + 3
    busy.go.set()
    assert [await served.status() for served in waiting] == [SERVED, SERVED]
    assert await client.ask() == SERVED
    assert client.body == b"done"


@pytest.mark.parametrize(
    "request_",
    [
        PLAIN.replace("GET", "HEAD"),
        PLAIN.replace("1.1", "1.0"),
        PLAIN.replace("Host", "Origin: http://front.example\r\nHost"),
        PLAIN.replace("Host", "X-Request-ID: mine\r\nHost"),
        PLAIN.replace("Host", "Content-Length: 3\r\nHost") + "abc",
        PLAIN.replace("Host", "Connection: close\r\nHost"),
    ],
)
async def test_what_is_no_plain_read_is_refused_by_the_application(busy: Busy, request_: str) -> None:
    await busy.fill()
    client = await busy.open()
    client.send(request_)
    head = (await client.reader.readuntil(b"\r\n\r\n")).decode()
    assert head.startswith("HTTP/1.1 503 ")
    assert busy.asked == 2
    assert ("mine" in head) == ("mine" in request_)


async def test_the_probe_is_answered_and_so_is_what_is_no_read(busy: Busy) -> None:
    await busy.fill()
    others = [await busy.open(), await busy.open()]
    others[0].send(PLAIN.replace("/ ", "/health/live "))
    others[1].send(PLAIN.replace("GET", "POST").replace("Host", "Content-Length: 0\r\nHost"))
    while busy.asked < 4:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    busy.go.set()
    assert [await other.status() for other in others] == [SERVED, SERVED]


async def test_what_comes_behind_a_request_that_is_under_way_waits_its_turn(busy: Busy) -> None:
    first, _ = await busy.fill()
    first.send(PLAIN, PLAIN)
    await asyncio.sleep(0.05)  # until they have been read
    busy.go.set()
    assert [await first.status() for _ in range(3)] == [SERVED] * 3


async def test_a_client_that_reads_nothing_is_not_answered_on_and_on(busy: Busy) -> None:
    await busy.fill()
    client = await busy.open()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            while True:
                client.send(*[PLAIN] * 1_000)
                await client.writer.drain()
    client.writer.transport.abort()
    busy.go.set()
    assert await (await busy.open()).ask() == SERVED


async def test_a_connection_that_ends_after_a_refusal_leaves_nothing(busy: Busy) -> None:
    await busy.fill()
    client = await busy.open()
    assert await client.ask() == REFUSED
    client.writer.close()
    await client.writer.wait_closed()
    idle = await busy.open()
    assert await idle.ask() == REFUSED
    assert await idle.reader.read() == b""  # closed once it has been idle for long enough


async def test_refusals_keep_a_connection_open_and_tell_the_time(busy: Busy) -> None:
    await busy.fill()
    client = await busy.open()
    dates = set()
    for _ in range(5):
        assert await client.ask() == REFUSED
        dates.add(client.head.partition("date: ")[2].partition("\r\n")[0])
        await asyncio.sleep(0.6)
    assert len(dates) >= 3
    async with asyncio.timeout(10):
        assert await client.reader.read() == b""


async def test_requests_in_one_piece_or_in_several_are_refused_by_the_application(busy: Busy) -> None:
    await busy.fill()
    client = await busy.open()
    client.send(PLAIN, PLAIN)
    assert [await client.status() for _ in range(2)] == [REFUSED] * 2
    client.send(PLAIN[:20])
    await asyncio.sleep(0.05)
    client.send(PLAIN[20:])
    assert await client.status() == REFUSED
    assert await client.ask() == REFUSED
    assert busy.asked == 2


@pytest.mark.parametrize(
    "request_",
    [
        PLAIN.replace("/ ", " "),
        PLAIN.replace("Host: localhost", "Host"),
        PLAIN.replace("Host: localhost", "Ho st: localhost"),
        PLAIN.replace("Host: localhost", ": localhost"),
        PLAIN.replace("localhost", "local\x00host"),
    ],
)
async def test_what_is_no_request_is_told_so_when_there_is_no_room_either(busy: Busy, request_: str) -> None:
    await busy.fill()
    client = await busy.open()
    client.send(request_)
    assert (await client.reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 400 ")
    assert busy.asked == 2


@pytest.mark.parametrize("lines", ["", "Accept: */*\r\nAccept-Encoding: gzip, br\r\nUser-Agent: Caf\u00e9 (x; y)\r\n"])
@pytest.mark.parametrize("target", ["/", "/movies/?search=a%20b&limit=5", "/health/liveness"])
async def test_whatever_headers_a_plain_read_has(busy: Busy, lines: str, target: str) -> None:
    await busy.fill()
    client = await busy.open()
    assert await client.ask(PLAIN.replace("/ ", f"{target} ").replace("Host", f"{lines}Host")) == REFUSED
    assert "retry-after: 1\r\n" in client.head
    assert busy.asked == 2
