"""Connections to one service, kept open and used again."""

import ssl
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import cast

import httpx

# httpx looks through all connections of a pool, and all requests that wait for one, whenever a request comes or goes:
# with 32 connections, and ten times as many requests, that took a quarter of the time. So there are pools of a few.
POOLS, CONNECTIONS_EACH = 16, 8


@cache
def tls_context() -> ssl.SSLContext:
    """What certificates are trusted. One for all clients: it takes tens of milliseconds to make."""
    return httpx.create_ssl_context()


class PooledConnections(httpx.AsyncBaseTransport):
    """Up to 128 connections; those that have been used before are used first."""

    def __init__(self) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS_EACH)
        self._pools = [httpx.AsyncHTTPTransport(verify=tls_context(), limits=limits) for _ in range(POOLS)]
        self._busy = [0] * POOLS

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` in the first pool that has a connection left; else in that with the fewest who wait."""
        free = (number for number, busy in enumerate(self._busy) if busy < CONNECTIONS_EACH)
        number = next(free, self._busy.index(min(self._busy)))

        def leave() -> None:
            self._busy[number] -= 1

        self._busy[number] += 1
        try:
            response = await self._pools[number].handle_async_request(request)
        except BaseException:
            leave()
            raise
        response.stream = _LeavingStream(cast("httpx.AsyncByteStream", response.stream), leave)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        for pool in self._pools:
            await pool.aclose()


class _LeavingStream(httpx.AsyncByteStream):
    """An answer's body, after which its connection is free."""

    def __init__(self, body: httpx.AsyncByteStream, leave: Callable[[], None]) -> None:
        self._body = body
        self._leave = leave

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            yield chunk

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            self._leave()
