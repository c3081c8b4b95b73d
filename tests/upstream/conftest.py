"""Servers that answer as told, and everything that was logged."""

import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Iterator

import pytest

from app.upstream.errors import Reason, UpstreamError
from tests.doubles.server import Reply, ScriptedServer

CLIENTS = ("httpx", "httpcore", "httpx2", "httpcore2", "aiohttp.client", "anthropic")


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that answers `{}` until it is told otherwise."""
    async with ScriptedServer(Reply(b"{}")) as server:
        yield server


class Witness(logging.Handler):
    """Keeps whatever a log line could show."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        self.seen.append(f"{record.name} {record.getMessage()} {record.__dict__!r} {trace}")


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What is logged at DEBUG and above, by anybody, the HTTP client's own loggers included."""
    witness = Witness()
    loggers = [logging.getLogger(name) for name in (None, *CLIENTS, "app.upstream.transport")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    loggers[0].addHandler(witness)
    yield witness.seen
    loggers[0].removeHandler(witness)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


async def failure(call: Awaitable[object]) -> UpstreamError:
    """How `call` fails."""
    with pytest.raises(UpstreamError) as caught:
        await call
    return caught.value


async def reason(call: Awaitable[object]) -> Reason:
    """Why `call` fails."""
    return (await failure(call)).reason
