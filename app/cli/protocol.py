"""uvicorn's HTTP protocol, which itself refuses what the application would refuse for its number.

To the application a refusal is a request like any other, with a scope and a task, which takes longer than to read it
and to write an answer made beforehand. docs/reliability.md tells what is kept of the best throughput.
"""

import asyncio
import os
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.cli.connections import BoundedConnection
from app.core import health, metrics_page
from app.core.overload import GATE, Gate, refusal

# What has one of these needs more of an answer, or of a look, than is made beforehand.
TOLD_MORE = {b"origin", b"x-request-id", b"expect", b"upgrade", b"connection", b"content-length", b"transfer-encoding"}
EXEMPT = {health.LIVE.encode(), metrics_page.PATH.encode()}


class Answered(RequestResponseCycle):
    """In the place of a request that is answered: what still comes of it is passed over."""

    def __init__(self) -> None:
        self.response_complete = True
        self.message_event = asyncio.Event()


class Protocol(BoundedConnection):
    """One connection.

    Attributes:
        gate: what is under way in this process, and may be.
    """

    gate: ClassVar[Gate] = GATE

    def on_headers_complete(self) -> None:
        # The tasks are the requests that are under way, those included that have not reached the application.
        if len(self.tasks) - self.gate.others.under_way < self.gate.reads.most or not self._is_plain_read():
            super().on_headers_complete()
            return
        self.gate.note_refusal()
        headers, body = refusal(os.urandom(16).hex())
        lines = [b"%b: %b" % header for header in (*self.server_state.default_headers, *headers)]
        self.transport.write(b"\r\n".join([b"HTTP/1.1 503 Service Unavailable", *lines, b"", body]))
        self.cycle = Answered()
        self.on_response_complete()

    def _is_plain_read(self) -> bool:
        """Whether the request is a GET as most are, and nothing stands between it and its answer."""
        return (
            self.parser.get_method() == b"GET"
            and self.parser.get_http_version() == "1.1"
            and self.url not in EXEMPT
            and getattr(self.cycle, "response_complete", True)
            and not (self.flow.write_paused or self.transport.is_closing())
            and TOLD_MORE.isdisjoint(name for name, _ in self.headers)
        )
