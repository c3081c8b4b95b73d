"""One application with the sample catalogue for many tests that only read."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import httpx
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp

from tests.conftest import make_settings, new_database, started

Headers = Sequence[tuple[bytes, bytes]]


@asynccontextmanager
async def sample_application(
    administrator: AsyncEngine, template: str, **settings: Any
) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """The application on a database of its own, made of `template`, and a client for it."""
    async with new_database(administrator, template) as url, started(make_settings(url, **settings)) as both:
        yield both


def asgi_application(client: httpx.AsyncClient) -> ASGIApp:
    """The running application behind `client`."""
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    return transport.app


def connecting_from(client: httpx.AsyncClient, address: str) -> httpx.AsyncClient:
    """A client of the same application whose connections come from `address`."""
    transport = httpx.ASGITransport(asgi_application(client), raise_app_exceptions=False, client=(address, 50000))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def raw_request(
    client: httpx.AsyncClient, method: str, target: str, body: bytes = b"", headers: Headers = ()
) -> httpx.Response:
    """The answer to a request whose target is this very text, which httpx would clean up before it sends it.

    The body of the answer is what the application sent, to HEAD too.
    """
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),  # as uvicorn does it
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"user-agent", b"raw"), *headers],
        "client": ("127.0.0.1", 50000),
        "server": ("localhost", 80),
    }
    sent: list[MutableMapping[str, Any]] = []

    bodies = [body]

    async def receive() -> dict[str, Any]:
        if not bodies:
            await asyncio.Event().wait()  # the client stays for the answer
        return {"type": "http.request", "body": bodies.pop()}

    async def collect(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await asgi_application(client)(scope, receive, collect)
    start, *rest = sent
    return httpx.Response(start["status"], headers=start["headers"], content=b"".join(m.get("body", b"") for m in rest))
