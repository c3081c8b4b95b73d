"""What the operator sees: structured logs, an id that ties a request's lines together, and what each request cost."""

import json
import logging
import re
import sys
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from random import getrandbits
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.metrics import REQUESTS
from app.core.problems import Problem, problem_response
from app.core.request_record import recording

# A method is any word (RFC 9110 section 9.1), and whoever asks chooses it: others than these share a series.
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
log = structlog.stdlib.get_logger("app.request")
requests = logging.getLogger("app.request")


def configure_logging(level: str) -> None:
    """Send every log line, ours and the libraries', to stderr: coloured on a terminal, JSON elsewhere."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    terminal = sys.stderr.isatty()
    final: list[Any] = (
        [structlog.dev.ConsoleRenderer()] if terminal else [structlog.processors.format_exc_info, _render_json]
    )
    # What no line shows need not be found out for each.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.logAsyncioTasks = False  # type: ignore[attr-defined]  # Python 3.11 does not ask for it
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter(shared, final))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # An HTTP client's own lines name whole URLs, query and all; Anthropic's show what people ask.
    for client in ("httpx", "httpcore", "httpx2", "httpcore2", "aiohttp", "anthropic"):
        logging.getLogger(client).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


# structlog's renderer makes an encoder for every line, and takes twice as long.
_encode = json.JSONEncoder(default=repr).encode


def _render_json(_logger: object, _level: str, line: MutableMapping[str, Any]) -> str:
    return _encode(line)


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Renders lines: the libraries' as ever, ours, which have been through all of it but the last, at half the cost."""

    def __init__(self, foreign: list[Any], final: list[Any]) -> None:
        super().__init__(foreign_pre_chain=foreign, processors=[self.remove_processors_meta, *final])
        self._final = final

    def format(self, record: logging.LogRecord) -> str:
        if not isinstance(record.msg, dict):
            return super().format(record)
        line: Any = dict(record.msg)
        for processor in self._final:
            line = processor(None, record.levelname.lower(), line)
        return str(line)


def new_id() -> str:
    """An id for a request: no secret, and so none of the system's random numbers."""
    return f"{getrandbits(128):032x}"


def give_id(scope: Scope) -> str:
    """The id of a request from now on: the client's own where that is a sane one."""
    sent = Headers(scope=scope).get("x-request-id", "")
    request_id = sent if REQUEST_ID.fullmatch(sent) else new_id()
    scope["request_id"] = request_id
    return request_id


class RequestLog:
    """Gives every request an id, logs its end, and answers 500 where nothing else did."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = give_id(scope)
        method, started, status = scope["method"], time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        bound = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            with recording() as record:
                await self.app(scope, receive, send_with_id)
            seconds = time.perf_counter() - started
            route = _template(scope)
            _write(
                method=method,  # as sent: further in, HEAD is served as GET
                path=scope["path"],
                route=route,
                user_id=record.user_id,
                status=status,
                milliseconds=round(seconds * 1000, 1),
                sql_count=sum(record.statements.values()),
                sql_milliseconds=round(record.sql_seconds * 1000, 1),
                upstream_calls=record.upstream_calls,
                request_id=request_id,
            )
        finally:
            structlog.contextvars.reset_contextvars(**bound)
        REQUESTS.labels(route or "none", method if method in METHODS else "other", status).observe(seconds)


def _write(**line: object) -> None:
    """A request's line, as structlog would make it.

    The way through its processors was a fifth of what an answer cost that is one short statement.
    """
    if requests.isEnabledFor(logging.INFO):
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line |= {"event": "request", "level": "info", "logger": requests.name, "timestamp": now}
        requests.handle(requests.makeRecord(requests.name, logging.INFO, "", 0, line, (), None))


def has_secret_query(scope: MutableMapping[str, Any]) -> bool:
    """Whether a trace, which keeps the query, would keep a secret: a login's code comes back in one."""
    return b"code=" in scope.get("query_string", b"")


def _template(scope: Scope) -> str | None:
    """The route's path with its parameters unfilled, that of a mounted application in front."""
    path: str | None = getattr(scope.get("route"), "path_format", None)
    return path if path is None else scope.get("root_path", "") + path


class LastResort:
    """An exception nobody named is logged, and answered with 500: inside of CORS, so that its headers stand on it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, note_start)
        except Exception:
            if scope["type"] != "http":
                raise
            log.exception("request failed", method=scope["method"], path=scope["path"])
            if not started:  # else the server closes the connection, and the client sees that the answer broke off
                await problem_response(Request(scope), Problem())(scope, receive, send)
            else:
                raise
