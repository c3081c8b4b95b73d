"""HTTP as proxies and clients speak it: who asked, for which host, by which method."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import structlog
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.client_address import read_address
from app.core.problems import BodyTooLarge, FieldError, InvalidInput, Problem, problem_response

# RFC 3986 section 3.2.2: a name, an IPv4 address, or an IPv6 address in brackets; then perhaps a port.
HOST = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?")
HIGHEST_PORT = 65535
CONTENT_LENGTH = re.compile("[0-9]{1,18}")
log = structlog.stdlib.get_logger(__name__)


class IdConvertor(Convertor[int]):
    """An id in a path, written `{id:id}`: what is none names nothing there, and hides no other path."""

    regex = "[1-9][0-9]{0,18}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("id", IdConvertor())


class ForwardedHeaders:
    """Takes the client's address, scheme and host from `X-Forwarded-*`, but only from a trusted proxy.

    `X-Forwarded-For` is read from the right, past every trusted proxy: what stands further left the client may have
    written itself.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        self.app = app
        self.trusted = trusted
        self.warned = False
        self._trusts_peer = lru_cache(1_000)(self._is_trusted_peer)  # the same ones ask again and again

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._apply(scope)
        await self.app(scope, receive, send)

    def _apply(self, scope: Scope) -> None:
        headers = MutableHeaders(scope=scope)
        # A peer on a Unix socket has no address: it is on this machine.
        peer = scope["client"][0] if scope.get("client") else "127.0.0.1"
        if not self._trusts_peer(peer):
            if not self.warned and "x-forwarded-for" in headers:
                self.warned = True
                log.warning("X-Forwarded-For ignored: TRUSTED_PROXIES does not hold its sender", peer=peer)
            return
        for hop in reversed(",".join(headers.getlist("x-forwarded-for")).split(",")):
            address = read_address(hop)
            if address is None:
                break
            scope["client"] = (str(address), 0)
            if not self._is_trusted(address):
                break
        if (scheme := _last(headers, "x-forwarded-proto")) in {"http", "https"}:
            scope["scheme"] = scheme
        if host := _last(headers, "x-forwarded-host"):
            headers["host"] = host

    def _is_trusted_peer(self, peer: str) -> bool:
        address = read_address(peer)
        return address is not None and self._is_trusted(address)

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self.trusted)


def _last(headers: Headers, name: str) -> str:
    """What the nearest proxy wrote, where several have added to one header."""
    return headers.get(name, "").rpartition(",")[2].strip()


class UnknownHost(Problem):
    """The request's Host is none of ours."""

    status = 400
    code = "unknown_host"
    detail = "The Host header names no host of this service (ALLOWED_HOSTS)."


class AllowedHosts:
    """Refuses a Host that is none of ours: links and redirects are made of it.

    A pattern is a host, `*` for any, or `*.example.com` (also written `.example.com`) for what is below a domain.
    The liveness probe is exempt: an orchestrator asks a container by its address.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Sequence[str], exempt: str) -> None:
        self.app = app
        self.hosts = {pattern.lower() for pattern in allowed_hosts}
        self.domains = tuple(host.lstrip("*") for host in self.hosts if host.startswith(("*.", ".")))
        self.exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != self.exempt and not self._allows(scope):
            await problem_response(Request(scope), UnknownHost())(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _allows(self, scope: Scope) -> bool:
        sent = Headers(scope=scope).getlist("host")
        # Of several, RFC 9112 section 3.2, a proxy may have taken another than is read here.
        match = HOST.fullmatch(sent[0]) if len(sent) == 1 else None
        if match is None or int(match["port"] or 0) > HIGHEST_PORT:
            return False
        host = match["host"].lower()
        return host in self.hosts or "*" in self.hosts or host.endswith(self.domains)


class BodyLimit:
    """Refuses a body whose length is told to be over what any operation takes, before any of it is read.

    The limits of FastAPI's routes count what arrives of the others. A length over the usual limit is not told on:
    Starlette would answer it in plain text, whatever the route had to say.
    """

    def __init__(self, app: ASGIApp, usual: int, largest: int) -> None:
        self.app = app
        self.usual = usual
        self.largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        told = Headers(scope=scope).get("content-length", "") if scope["type"] == "http" else ""
        length = int(told) if CONTENT_LENGTH.fullmatch(told) else 0
        if length > self.largest:
            await problem_response(Request(scope), BodyTooLarge())(scope, receive, send)
            return
        if length > self.usual:
            del MutableHeaders(scope=scope)["content-length"]
        await self.app(scope, receive, send)


class HeadAsGet:
    """Answers HEAD wherever GET does, with its headers and without its body (RFC 9110 section 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        scope["method"] = "GET"
        await self.app(scope, receive, send_without_body)


def check_parameters(request: Request) -> None:
    """A parameter given twice has no one meaning; which of them a framework takes is an accident.

    Raises:
        InvalidInput: there is one.
    """
    given = request.query_params.multi_items()
    if len(given) == len(request.query_params):
        return
    names = [name for name, _ in given]
    repeated = sorted({name for name in names if names.count(name) > 1})
    raise InvalidInput([FieldError(field=n, message="Give this parameter once", code="repeated") for n in repeated])


async def refuse_repeated_parameters(request: Request) -> None:
    """The same, as a dependency."""
    check_parameters(request)
