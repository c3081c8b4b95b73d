"""What only the database knows, for the metrics: read seldom, and never waited for long."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.core.metrics import PREFIX
from app.core.problems import Problem

# Several scrapers, and several workers, ask the database no more often than this.
FRESH_SECONDS = 5.0
PATIENCE_SECONDS = 1.0

Figure = GaugeMetricFamily
Reader = Callable[[AsyncSession], Awaitable[Sequence[Metric]]]
log = structlog.stdlib.get_logger(__name__)


def gauge(name: str, documentation: str, labels: Sequence[str] = ()) -> Figure:
    """A figure to be filled in."""
    return Figure(f"{PREFIX}_{name}", documentation, labels=labels)


class Figures:
    """Figures from the database.

    Args:
        database: where they are.
        readers: each reads some of them.
    """

    def __init__(self, database: Database, readers: Sequence[Reader]) -> None:
        self._database = database
        self._readers = readers
        self._known: list[Metric] = []
        self._read_at = -FRESH_SECONDS
        self._reading: asyncio.Task[None] | None = None

    async def current(self) -> list[Metric]:
        """The figures, some seconds old perhaps; only that it is away where the database is."""
        if time.monotonic() - self._read_at >= FRESH_SECONDS:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            done, _ = await asyncio.wait({self._reading}, timeout=PATIENCE_SECONDS)
            if not done:
                return [_database_up(0)]
        return self._known

    async def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading

    async def _read(self) -> None:
        found = [_database_up(1)]
        try:
            async with self._database.reading() as session:
                for read in self._readers:
                    found += await read(session)
        except (Problem, SQLAlchemyError) as error:  # it is away, or not migrated
            log.warning("no figures from the database", reason=type(error).__name__)
            found = [_database_up(0)]
        self._known, self._read_at = found, time.monotonic()


def _database_up(value: float) -> Metric:
    up = gauge("database_up", "Whether the database answers.")
    up.add_metric([], value)
    return up
