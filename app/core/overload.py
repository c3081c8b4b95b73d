"""More requests than can be answered: some are told so at once, so that the others are answered in time."""

import json
import time
from collections.abc import Collection
from typing import ClassVar

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.metrics import REFUSED
from app.core.observability import give_id
from app.core.problems import MEDIA_TYPE, Problem, document
from app.core.security_headers import HEADERS

READING = {"GET", "HEAD", "OPTIONS"}
# A short read takes half a millisecond of one core, so this many are answered within a tenth of a second; more would
# only wait, and in the end find no connection.
MOST_READS = 128
# But while more come all the time, each would only wait for all others. A fourth of them keeps a process as busy, and
# is answered in a fifth of the time.
MOST_READS_IN_OVERLOAD = 32
CALM_SECONDS = 1.0
# What else there is may wait for an upstream service, or for a password's hash, without any work being done for it.
MOST_OTHERS = 1024
LOG_SECONDS = 1.0
log = structlog.stdlib.get_logger(__name__)


class Overloaded(Problem):
    """More requests are under way than can be answered in time."""

    status = 503
    code = "overloaded"
    detail = "There are more requests than can be answered at the moment. Try again shortly."
    headers: ClassVar = {"Retry-After": "1"}


# An answer made beforehand, but for the request's id.
_ID = "of-the-request"
_BODY = json.dumps(document(Overloaded(), request_id=_ID)).encode()
_HEADERS = [
    (name.lower().encode(), value.encode())
    for name, value in {**HEADERS, **Overloaded.headers, "Content-Type": MEDIA_TYPE}.items()
]


def refusal(request_id: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The headers and the body for a request that is refused."""
    told = request_id.encode()
    body = _BODY.replace(_ID.encode(), told)
    return [*_HEADERS, (b"content-length", str(len(body)).encode()), (b"x-request-id", told)], body


async def refuse(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer a request that is refused."""
    headers, body = refusal(give_id(scope))
    await send({"type": "http.response.start", "status": Overloaded.status, "headers": headers})
    await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})


class Line:
    """Requests of one kind: how many are under way, and may be.

    Args:
        most: so many may be.
        most_in_overload: so many, from when one was refused until none has been for a second.
    """

    def __init__(self, most: int, most_in_overload: int | None = None) -> None:
        self._most, self._most_in_overload = most, min(most, most_in_overload or most)
        self._refused_at = -CALM_SECONDS
        self.under_way = 0

    @property
    def most(self) -> int:
        """So many may be under way at the moment."""
        return self._most if time.monotonic() - self._refused_at >= CALM_SECONDS else self._most_in_overload

    def note_refusal(self) -> None:
        """One was refused."""
        self._refused_at = time.monotonic()


class Gate:
    """What is under way in this process.

    Reads are counted apart: they go on while everything that waits for somebody else has filled its own line.

    Args:
        most_reads: so many reads may be under way.
        most_others: so many other requests may be.
    """

    def __init__(self, most_reads: int = MOST_READS, most_others: int = MOST_OTHERS) -> None:
        self.reads = Line(most_reads, MOST_READS_IN_OVERLOAD)
        self.others = Line(most_others)
        self._refused = 0
        self._told_at = -LOG_SECONDS

    def note_refusal(self, line: Line) -> None:
        """One more is refused; it has no line of its own in the log, where the number is told once a second."""
        REFUSED.inc()
        line.note_refusal()
        self._refused += 1
        if time.monotonic() - self._told_at >= LOG_SECONDS:
            log.warning("requests are refused: more are under way than can be answered", number=self._refused)
            self._refused, self._told_at = 0, time.monotonic()


# The process's: the server looks at it as well, before it makes a request of what it reads.
GATE = Gate()


class Overload:
    """Refuses what comes while too many requests are under way: the outermost of all.

    Args:
        app: the application.
        refusal: answers what is refused.
        exempt: paths that are always answered: a process that is busy is alive, and tells of it.
        gate: what is under way.
    """

    def __init__(self, app: ASGIApp, *, refusal: ASGIApp, exempt: Collection[str], gate: Gate = GATE) -> None:
        self.app = app
        self.refusal = refusal
        self.exempt = frozenset(exempt)
        self.gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self.exempt:
            await self.app(scope, receive, send)
            return
        line = self.gate.reads if scope["method"] in READING else self.gate.others
        if line.under_way >= line.most:
            self.gate.note_refusal(line)
            await self.refusal(scope, receive, send)
            return
        line.under_way += 1
        try:
            await self.app(scope, receive, send)
        finally:
            line.under_way -= 1
