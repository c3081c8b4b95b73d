"""An HTTP server that can also misbehave: hang, drip, close the connection, answer anything."""

import asyncio
import contextlib
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Call:
    """A request as it arrived."""

    path: str
    parameters: dict[str, str]
    headers: dict[str, str]
    target: str = ""
    method: str = "GET"
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What to answer, after `delay` seconds, and not before `until` is set.

    `hang` answers nothing, `stall` sends the body and never its end, `drop` closes the connection at once, `cut` closes
    it after half of the body, `drip` sends the body byte by byte with so many seconds between, and `raw` is sent as it
    is in place of an HTTP answer.
    """

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    until: asyncio.Event | None = None
    hang: bool = False
    stall: bool = False
    drop: bool = False
    cut: bool = False
    drip: float = 0.0
    raw: bytes = b""


class LoopbackServer:
    """Subclasses say how a call is answered.

    Attributes:
        calls: what was asked, in order.
        most_in_flight: how many calls were under way together at most.
        waves: how often a call came while none was under way.
        left: how many clients went away while they were kept waiting.
        accepted: how many connections there were.
        latency: seconds before every answer.
        tls: what it serves with; None for plain HTTP. To be set before it starts.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.waves = 0
        self.left = 0
        self.accepted = 0
        self.latency = 0.0
        self.tls: ssl.SSLContext | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._arrival = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    def forget(self) -> None:
        """Count from nothing again."""
        self.calls.clear()
        self.most_in_flight = self.waves = self.left = 0

    async def asked(self, times: int) -> None:
        """Wait until so many calls have come."""
        while len(self.calls) < times:
            self._arrival.clear()
            await self._arrival.wait()

    async def was_left(self, times: int = 1) -> None:
        """Wait until so many clients have gone away while they were kept waiting."""
        while self.left < times:
            self._arrival.clear()
            await self._arrival.wait()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let every call wait for its answer until the block has ended."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def reply(self, call: Call) -> Reply:
        """The answer to `call`."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self.accepted += 1
        task.add_done_callback(self._connections.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request of the connection; False ends the connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        split = urlsplit(target)
        fields = [line.split(": ", 1) for line in head[1:] if line]
        headers = {name.lower(): value for name, value in fields}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        parameters = dict(parse_qsl(split.query, keep_blank_values=True))
        call = Call(split.path, parameters, headers, target, method, body)
        self.calls.append(call)
        self._arrival.set()
        self.waves += self.in_flight == 0
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            reply = self.reply(call)
            if reply.hang:
                await self._wait_for_the_end(reader)
            await asyncio.sleep(reply.delay + self.latency)
            await self._open.wait()
            if reply.until is not None:
                await reply.until.wait()
        finally:
            self.in_flight -= 1
        if not (reply.drop or reply.hang):
            await _send(reply, writer)
        if reply.stall:
            await self._wait_for_the_end(reader)
        return not (reply.drop or reply.hang or reply.stall or reply.cut or reply.raw)

    async def _wait_for_the_end(self, reader: asyncio.StreamReader) -> None:
        """Until the client closes the connection."""
        await reader.read()
        self.left += 1
        self._arrival.set()


async def _send(reply: Reply, writer: asyncio.StreamWriter) -> None:
    if reply.raw:
        writer.write(reply.raw)
        await writer.drain()
        return
    length = len(reply.body) + reply.stall
    fields = {"content-type": reply.content_type, "content-length": str(length), **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    body = reply.body[: len(reply.body) // 2] if reply.cut else reply.body
    writer.write("\r\n".join(lines).encode("latin-1"))
    pieces = [body[i : i + 1] for i in range(len(body))] if reply.drip else [body]
    for piece in pieces:
        await asyncio.sleep(reply.drip)
        writer.write(piece)
        await writer.drain()


class ScriptedServer(LoopbackServer):
    """Answers with the replies that it is given, in order, and with the last of them from then on."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__()
        self.script(replies)

    def script(self, replies: Iterable[Reply]) -> None:
        """Begin anew with other replies."""
        self._replies = list(replies)

    def reply(self, call: Call) -> Reply:  # noqa: ARG002 - whatever is asked
        """The next reply."""
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
