"""Watches the statements of a pool: counts them, and tells of those that a request should not need.

A statement that one request repeats is mostly a loop over rows, one query each ("N+1"), which only much data shows.
"""

import time
from dataclasses import dataclass
from typing import Any, Literal, cast

import structlog
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.core.metrics import CONNECTIONS_IN_USE, STATEMENTS
from app.core.request_record import request_record
from app.settings import Settings

# Enough to find the statement by; nobody reads more in a log.
SHOWN_CHARACTERS = 500
log = structlog.stdlib.get_logger(__name__)


class RepeatedStatement(Exception):  # noqa: N818 - an AssertionError in spirit, for tests
    """A request repeats a statement too often."""


@dataclass(frozen=True)
class SqlLimits:
    """What a request's SQL is held against.

    Attributes:
        slow: a statement that takes so many seconds is logged.
        repeats: and so is one that is executed more often than this.
        guard: whether any of that is done; with "error" a repetition fails the request.
    """

    slow: float = 0.5
    repeats: int = 10
    guard: Literal["off", "log", "error"] = "log"

    @classmethod
    def configured(cls, settings: Settings) -> "SqlLimits":
        """As the settings have it."""
        return cls(settings.slow_sql_milliseconds / 1000, settings.repeated_sql, settings.sql_guard)


class SqlWatch:
    """Listens to an engine.

    Args:
        pool: the name of its pool in the metrics.
        limits: what a request's SQL is held against.
    """

    def __init__(self, pool: str, limits: SqlLimits) -> None:
        self._limits = limits
        self._in_use = CONNECTIONS_IN_USE.labels(pool)

    def listen(self, engine: Engine) -> None:
        """Begin."""
        event.listen(engine, "before_cursor_execute", self._begin)
        event.listen(engine, "after_cursor_execute", self._end)
        event.listen(engine, "checkout", self._take)
        event.listen(engine, "checkin", self._return)

    def begin(self, statement: str) -> None:
        """A statement is about to be executed.

        Raises:
            RepeatedStatement: it is once too often, and the guard is there to fail the request.
        """
        record = request_record()
        if record is None:
            return
        times = record.statements[statement] = record.statements.get(statement, 0) + 1
        if times == self._limits.repeats + 1 and self._limits.guard != "off":
            log.warning("repeated SQL", statement=statement[:SHOWN_CHARACTERS], times=times)
            if self._limits.guard == "error":
                raise RepeatedStatement(statement)

    def end(self, statement: str, seconds: float) -> None:
        """It was executed, in so many seconds."""
        STATEMENTS.observe(seconds)
        record = request_record()
        if record is None:
            return
        record.sql_seconds += seconds
        if seconds >= self._limits.slow and self._limits.guard != "off":
            shown = statement[:SHOWN_CHARACTERS]
            log.warning("slow SQL", statement=shown, milliseconds=round(seconds * 1000, 1))

    def _begin(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:  # noqa: ANN401
        connection.info["began"] = time.perf_counter()
        self.begin(statement)

    def _end(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:  # noqa: ANN401
        self.end(statement, time.perf_counter() - connection.info["began"])

    def _take(self, _connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:  # noqa: ANN401
        _notes(entry)["taken"] = True
        self._in_use.inc()

    def _return(self, _connection: Any, entry: ConnectionPoolEntry) -> None:  # noqa: ANN401
        if _notes(entry).pop("taken", False):  # one that could not be opened was never taken
            self._in_use.dec()


def _notes(entry: ConnectionPoolEntry) -> dict[Any, Any]:
    """What is kept with a place in the pool, whichever connection it has."""
    return cast("dict[Any, Any]", entry.record_info)  # None only for an entry that is no place in a pool
