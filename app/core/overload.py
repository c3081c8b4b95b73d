"""More requests than can be answered: some are told so at once, so that the others are answered in time."""

from typing import ClassVar

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.problems import Problem, problem_response

READING = {"GET", "HEAD", "OPTIONS"}
# A read takes milliseconds of one core, so this many are answered within a second; more would only wait.
MOST_READS = 256
# What else there is may wait for an upstream service, or for a password's hash, without any work being done for it.
MOST_OTHERS = 1024


class Overloaded(Problem):
    """More requests are under way than can be answered in time."""

    status = 503
    code = "overloaded"
    detail = "There are more requests than can be answered at the moment. Try again shortly."
    headers: ClassVar = {"Retry-After": "1"}


class Overload:
    """Refuses what comes while too many requests are under way in this process.

    Reads are counted apart: they go on while everything that waits for somebody else has filled its own number.
    """

    def __init__(self, app: ASGIApp, exempt: str, most_reads: int = MOST_READS, most_others: int = MOST_OTHERS) -> None:
        """`exempt` is the path of the liveness probe: a process that is busy is alive."""
        self.app = app
        self.exempt = exempt
        self.most = {True: most_reads, False: most_others}
        self.under_way = {True: 0, False: 0}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == self.exempt:
            await self.app(scope, receive, send)
            return
        reads = scope["method"] in READING
        if self.under_way[reads] >= self.most[reads]:
            await problem_response(Request(scope), Overloaded())(scope, receive, send)
            return
        self.under_way[reads] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.under_way[reads] -= 1
