"""Loads on a running service, from one process: of clients that wait for their answers, and of such that do not."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, repeat
from typing import cast
from urllib.parse import urlsplit

# As many clients as may wait for an answer at once; who finds none of them free goes unserved.
CONNECTIONS = 2000
TICK_SECONDS = 0.002


@dataclass
class Load:
    """What came of a load.

    Attributes:
        served: seconds that each answer with 200 took.
        refused: how many answers had another status, by status.
        unsent: requests for which no connection was free.
        seconds: how long the load went on.
    """

    served: list[float] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)
    unsent: int = 0
    seconds: float = 0.0

    @property
    def throughput(self) -> float:
        """Requests served in a second."""
        return len(self.served) / self.seconds

    def percentile(self, share: float) -> float:
        """Seconds that this share of those served took at most."""
        times = sorted(self.served)
        return times[min(int(len(times) * share), len(times) - 1)] if times else 0.0


class Connection(asyncio.Protocol):
    """One keep-alive connection: a request at a time. With its answer it is handed to `answered`."""

    def __init__(self, requests: Iterator[bytes], load: Load, answered: Callable[["Connection"], None]) -> None:
        self.requests = requests
        self.load = load
        self.answered = answered
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def is_closed(self) -> bool:
        return self.transport is None or self.transport.is_closing()

    def send(self) -> None:
        assert self.transport is not None
        self.buffer, self.began = b"", time.perf_counter()
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        status = int(head[9:12])
        if status == 200:
            self.load.served.append(time.perf_counter() - self.began)
        else:
            self.load.refused[status] = self.load.refused.get(status, 0) + 1
        self.answered(self)


def get(url: str) -> bytes:
    """The request for an address."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    return f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: bench\r\n\r\n".encode()


@asynccontextmanager
async def connected(
    url: str, requests: Iterator[bytes], number: int, load: Load, answered: Callable[[Connection], None]
) -> AsyncIterator[list[Connection]]:
    """So many connections to the server of `url`, which share the requests."""
    loop, parts = asyncio.get_running_loop(), urlsplit(url)
    connections = [Connection(requests, load, answered) for _ in range(number)]
    for connection in connections:
        await loop.create_connection(partial(_itself, connection), parts.hostname or "", parts.port or 80)
    try:
        yield connections
    finally:
        for connection in connections:
            if connection.transport is not None:
                connection.transport.abort()


def _itself(connection: Connection) -> Connection:
    return connection


async def arriving(url: str, rate: float, seconds: float) -> Load:
    """So many requests a second, whatever becomes of those before them."""
    load, idle = Load(seconds=seconds), list[Connection]()
    async with connected(url, repeat(get(url)), CONNECTIONS, load, idle.append) as connections:
        idle.extend(connections)
        began, sent = time.perf_counter(), 0
        while (now := time.perf_counter()) < began + seconds:
            due = int((now - began) * rate)
            for _ in range(due - sent):
                while idle and idle[-1].is_closed():  # the server closes what has been idle for long
                    idle.pop()
                if idle:
                    idle.pop().send()
                else:
                    load.unsent += 1
            sent = due
            await asyncio.sleep(TICK_SECONDS)
    return load


async def waiting(url: str, clients: int, seconds: float) -> Load:
    """So many clients, each of which asks again as soon as it has its answer."""
    load = Load(seconds=seconds)
    async with connected(url, repeat(get(url)), clients, load, Connection.send) as connections:
        for connection in connections:
            connection.send()
        await asyncio.sleep(seconds)
    return load


async def answered(url: str, requests: Sequence[bytes], clients: int, number: int) -> Load:
    """So many requests, these in turn, by so many clients that wait for their answers."""
    load, left, finished = Load(), number, asyncio.Event()

    def ask_again(connection: Connection) -> None:
        nonlocal left
        left -= 1
        if left > 0:
            connection.send()
        elif left <= 1 - clients:  # the last of those under way
            finished.set()

    began = time.perf_counter()
    async with connected(url, cycle(requests), clients, load, ask_again) as connections:
        for connection in connections:
            connection.send()
        await finished.wait()
    load.seconds = time.perf_counter() - began
    return load
