"""Connections to one service, kept open and used again.

httpx has them from aiohttp. Its own pool loses a place for good where a call is given up in the moment in which it is
handed a connection, until no call finds one; and it looks through all of them whenever a call comes or goes.
"""

import ssl
from functools import cache

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

MOST_CONNECTIONS = 128


@cache
def tls_context() -> ssl.SSLContext:
    """What certificates are trusted. One for all clients: it takes tens of milliseconds to make."""
    return httpx.create_ssl_context()


def pooled_connections() -> AiohttpTransport:
    """Up to 128 connections; who finds none waits for one."""
    return AiohttpTransport(verify=tls_context(), client=_open_session)


def _open_session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=MOST_CONNECTIONS, ssl=tls_context())
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), middlewares=[_once])


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request once: aiohttp by itself would ask again, and each call of a service is counted against its key."""
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(str(error)) from error
