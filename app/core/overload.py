"""More requests than can be answered: some are told so at once, so that the others are answered in time."""

import json
import time
from typing import ClassVar

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.metrics import REFUSED
from app.core.observability import give_id
from app.core.problems import MEDIA_TYPE, Problem, document
from app.core.security_headers import HEADERS

READING = {"GET", "HEAD", "OPTIONS"}
# A read takes milliseconds of one core, so this many are answered within half a second; more would only wait, and in
# the end find no connection.
MOST_READS = 128
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


_ID = "of-the-request"
_DOCUMENT = json.dumps(document(Overloaded(), request_id=_ID)).encode()
_HEADERS = [
    (name.lower().encode(), value.encode())
    for name, value in {**HEADERS, **Overloaded.headers, "Content-Type": MEDIA_TYPE}.items()
]


async def refuse(scope: Scope, _receive: Receive, send: Send) -> None:
    """The whole answer, made beforehand: nothing else of the application sees the request."""
    request_id = give_id(scope).encode()
    body = _DOCUMENT.replace(_ID.encode(), request_id)
    headers = [*_HEADERS, (b"content-length", str(len(body)).encode()), (b"x-request-id", request_id)]
    await send({"type": "http.response.start", "status": Overloaded.status, "headers": headers})
    await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})


class Overload:
    """Refuses what comes while too many requests are under way in this process.

    Reads are counted apart: they go on while everything that waits for somebody else has filled its own number. It is
    the outermost of all, and a refusal costs a small part of an answer, so that even many leave the time for those: it
    has no line of its own in the log, where what was refused is told once a second.

    Args:
        app: the application.
        refusal: answers what is refused.
        exempt: the path of the liveness probe: a process that is busy is alive.
        most_reads: so many reads may be under way.
        most_others: so many other requests may be.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        refusal: ASGIApp,
        exempt: str,
        most_reads: int = MOST_READS,
        most_others: int = MOST_OTHERS,
    ) -> None:
        self.app = app
        self.refusal = refusal
        self.exempt = exempt
        self.most = {True: most_reads, False: most_others}
        self.under_way = {True: 0, False: 0}
        self.refused = 0
        self.told_at = -LOG_SECONDS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == self.exempt:
            await self.app(scope, receive, send)
            return
        reads = scope["method"] in READING
        if self.under_way[reads] >= self.most[reads]:
            self._note()
            await self.refusal(scope, receive, send)
            return
        self.under_way[reads] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.under_way[reads] -= 1

    def _note(self) -> None:
        REFUSED.inc()
        self.refused += 1
        if time.monotonic() - self.told_at >= LOG_SECONDS:
            log.warning("requests are refused: more are under way than can be answered", number=self.refused)
            self.refused, self.told_at = 0, time.monotonic()
