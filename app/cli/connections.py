"""What one connection may cost: uvicorn by itself waits for ever, and keeps whatever it is sent.

A client that sends its request a byte at a time, or takes nothing of its answer, holds a file, memory, and the place
of a request that is under way, and needs nothing but connections to do so; a head has no end unless somebody sets one.
What stands in front mostly sees to that, but not everywhere is something in front.
"""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# nginx takes 32 KB of head by default, browsers send up to 2 KB. What comes along with the head's beginning, in one
# go, is not counted: it has been read.
MOST_HEAD_BYTES = 64 * 1024
MOST_HEADERS = 256
# Longer than any body that is taken, and than what a client has sent by the time that it is told so.
MOST_MESSAGE_BYTES = 32 * 1024 * 1024
# For the first or next head from its first byte, and a new connection without one. Keep-alive is uvicorn's.
HEAD_SECONDS = 10.0
# 2 MB, the largest upload, come within this at 280 kbit/s.
BODY_SECONDS = 60.0
# In which 48 KB of an answer, what is left of it at the end, must have been taken.
TAKING_SECONDS = 20.0


class BoundedConnection(HttpToolsProtocol):
    """A connection that is given up when its client is too slow, and refused when it sends too much."""

    head_seconds: ClassVar[float] = HEAD_SECONDS
    body_seconds: ClassVar[float] = BODY_SECONDS
    taking_seconds: ClassVar[float] = TAKING_SECONDS

    # Of the request that is being read: how much of its head came after its first piece, and where it is.
    _unfinished = 0
    _piece = 0
    _in_head = False
    _in_body = False
    _sending: asyncio.TimerHandle | None = None
    _sends_body = False
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._sending = self.loop.call_later(self.head_seconds, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_head = self._in_body = False
        self._has_sent()
        self._has_taken()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._piece = len(data)
        super().data_received(data)
        self._unfinished += self._piece
        if self._in_head and self._unfinished > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")
        elif self._in_body and self._unfinished > MOST_MESSAGE_BYTES:
            self.transport.abort()
        self._wait_for_client()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._has_sent()
        self._in_head, self._unfinished = True, -self._piece

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) < MOST_HEADERS:
            super().on_header(name, value)
        elif not self.transport.is_closing():
            self.send_400_response("The request has too many headers.")

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body, self._unfinished = False, True, -self._piece
        if not self.transport.is_closing():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = self._in_body = False
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._wait_until_taken()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._wait_until_taken()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait_until_taken()

    def resume_writing(self) -> None:
        self._has_taken()
        super().resume_writing()

    def _wait_for_client(self) -> None:
        """Have a timer for as long as the client owes the rest of a request."""
        owes = self._in_head or self._in_body
        if not owes or self._sends_body != self._in_body:
            self._has_sent()
        if owes and self._sending is None:
            self._sends_body = self._in_body
            seconds = self.body_seconds if self._in_body else self.head_seconds
            self._sending = self.loop.call_later(seconds, self._give_up)

    def _has_sent(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def _give_up(self) -> None:
        self._sending = None
        is_served = not getattr(self.cycle, "response_complete", True)
        if self.flow.read_paused or (is_served and not self._in_body):  # it is us who are slow
            self._wait_for_client()
        else:
            self.transport.abort()

    def _wait_until_taken(self) -> None:
        if self._taking is None:
            self._taking = self.loop.call_later(self.taking_seconds, self.transport.abort)

    def _has_taken(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None
