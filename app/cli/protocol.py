"""uvicorn's HTTP protocol, which itself refuses what the application would refuse for its number.

To the application a refusal is a request like any other, with a parsed head, a scope and a task, which takes many times
as long as to see that one has come, and to write an answer made beforehand: time that those who are served go without.
docs/reliability.md tells what is kept of the best throughput.
"""

import re
from typing import ClassVar

from app.cli.connections import BoundedConnection
from app.core import health, metrics_page
from app.core.observability import new_id
from app.core.overload import GATE, Gate, refusal

# What has one of these needs more of an answer, or of a look, than is made beforehand.
TOLD_MORE = ("origin", "x-request-id", "expect", "upgrade", "connection", "content-length", "transfer-encoding")
EXEMPT = (health.LIVE, metrics_page.PATH)
# One whole GET as most are, and nothing behind it. It need not know every bad request: one that it
# takes for a good one is told of its number first.
_PLAIN_READ = re.compile(
    rf"GET (?!(?:{'|'.join(map(re.escape, EXEMPT))})[ ?])/[!-~]* HTTP/1\.1\r\n"
    rf"(?:(?!(?i:{'|'.join(TOLD_MORE)}):)[!-9;-~]+:[\t -~\x80-\xff]*\r\n)+\r\n".encode("latin-1")
)
_ID = new_id()  # stands for that of a request
Headers = list[tuple[bytes, bytes]]


class Protocol(BoundedConnection):
    """One connection.

    Attributes:
        gate: what is under way in this process, and may be.
    """

    gate: ClassVar[Gate] = GATE
    # The answer in three parts, between which the request's id belongs; and the server's headers that are in it, of
    # which there are others every second.
    _answer: ClassVar[tuple[bytes, bytes, bytes]] = (b"", b"", b"")
    _made_with: ClassVar[Headers | None] = None
    _refused_at = 0.0

    def data_received(self, data: bytes) -> None:
        # The tasks are the requests that are under way, those included that have not reached the application.
        if len(self.tasks) - self.gate.others.under_way < self.gate.reads.most or not self._is_plain_read(data):
            super().data_received(data)
            return
        self.gate.note_refusal(self.gate.reads)
        before, between, after = self._answer_with(self.server_state.default_headers)
        told = new_id().encode()
        self.transport.write(b"".join((before, told, between, told, after)))
        self._has_sent()
        self._refused_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._keep_alive(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        # It is not set anew for every refusal.
        left = self._refused_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._keep_alive(left)
        else:
            super().timeout_keep_alive_handler()

    def _keep_alive(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _is_plain_read(self, data: bytes) -> bool:
        """Whether this is all of a request, and nothing stands between it and its answer."""
        is_between_requests = not (self._in_head or self._in_body) and getattr(self.cycle, "response_complete", True)
        can_be_answered = not (self.flow.write_paused or self.transport.is_closing())
        return is_between_requests and can_be_answered and _PLAIN_READ.fullmatch(data) is not None

    @classmethod
    def _answer_with(cls, default_headers: Headers) -> tuple[bytes, bytes, bytes]:
        if cls._made_with is not default_headers:
            headers, body = refusal(_ID)
            lines = [b"%b: %b" % header for header in (*default_headers, *headers)]
            whole = b"\r\n".join([b"HTTP/1.1 503 Service Unavailable", *lines, b"", body])
            before, between, after = whole.split(_ID.encode())
            cls._answer, cls._made_with = (before, between, after), default_headers
        return cls._answer
