"""What is left of the caller's AI searches, on every answer of the operations that may cost one."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth.caller import optional_caller
from app.auth.quota import Quota, next_day
from app.auth.service import Accounts
from app.core.problems import Problem

HEADERS = ("X-AI-Quota-Limit", "X-AI-Quota-Remaining", "X-AI-Quota-Reset")
DOCUMENTED_HEADERS = {
    "X-AI-Quota-Limit": {"schema": {"type": "integer"}, "description": "AI searches in a UTC day."},
    "X-AI-Quota-Remaining": {"schema": {"type": "integer"}, "description": "How many are left today."},
    "X-AI-Quota-Reset": {"schema": {"type": "integer"}, "description": "When they begin anew, in Unix time."},
}
# An answer is not held up for its headers: where the database is away, it says so without them.
PATIENCE_SECONDS = 1.0


class AiQuotaHeaders:
    """Sets the headers when the answer begins: errors have them as well, and they tell how it ended.

    Who is nobody we know has no quota, and gets none.
    """

    def __init__(self, app: ASGIApp, paths: Collection[str]) -> None:
        self.app = app
        self.paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in self.paths:
            await self.app(scope, receive, send)
            return

        async def send_with_quota(message: Message) -> None:
            if message["type"] == "http.response.start" and (quota := await _quota(Request(scope))):
                values = (quota.limit, quota.left, int(next_day().timestamp()))
                MutableHeaders(scope=message).update(dict(zip(HEADERS, map(str, values), strict=True)))
            await send(message)

        await self.app(scope, receive, send_with_quota)


async def _quota(request: Request) -> Quota | None:
    with suppress(Problem, TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            if caller := await optional_caller(request, None):
                accounts: Accounts = request.state.accounts
                return await accounts.quota(caller.id)
    return None
