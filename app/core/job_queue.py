"""Where jobs are kept: pgqueuer's tables under names of our own, and its statements over our connections.

pgqueuer takes any connection that can do what its `Driver` says. There are two here: the caller's session, so that a
job exists exactly when the caller's transaction commits, and a connection that outlives PostgreSQL's restarts, so that
the worker above it never sees one.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Self, cast

import asyncpg
import structlog
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.core.tm import TaskManager
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import Channel
from pgqueuer.ports.driver import Driver, NotifyCallback
from pgqueuer.queries import Queries
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.core.database import Database
from app.core.database_errors import DatabaseUnavailable

# All of them, since pgqueuer reads what is left out from the environment, from names as common as CHANNEL too.
NAMES = DBSettings(
    prefix="",
    db_schema=None,
    channel=Channel("movie_finder_jobs"),
    queue_table="jobs",
    queue_table_log="job_log",
    schedules_table="job_schedules",
    statistics_table="job_statistics",
    queue_status_type="job_status",
    function="jobs_changed",
    trigger="jobs_changed",
    durability=Durability.durable,
    widen_id=False,
)
# No models stand for these: what they look like is pgqueuer's business, and a migration's.
QUEUE_TABLES = frozenset({NAMES.queue_table, NAMES.queue_table_log, NAMES.schedules_table, NAMES.statistics_table})
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0

log = structlog.stdlib.get_logger(__name__)


def queue_queries(driver: Driver) -> Queries:
    """The library's statements, for our tables."""
    return Queries(
        driver, qbe=QueryBuilderEnvironment(NAMES), qbq=QueryQueueBuilder(NAMES), qbs=QuerySchedulerBuilder(NAMES)
    )


class SessionDriver:
    """Statements in the caller's transaction: as much of a driver as ordering a job takes."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        # By SQLAlchemy's own connection: it sends BEGIN only with the first statement that it knows of.
        return await _fetch(await self._session.connection(), query, args)


class QueueConnection(Driver):
    """A connection that is opened anew, as often as it takes, when PostgreSQL has closed it.

    A statement waits until PostgreSQL is back. It may then be done twice, which all of the worker's bear.

    Attributes:
        closing: set when nobody wants to wait any more; from then on a broken connection stays broken, so that no
            statement is done after one before it was given up.
    """

    def __init__(self, database: Database) -> None:
        self._engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._connection: AsyncConnection | None = None
        self._listeners: list[tuple[str, NotifyCallback]] = []
        self._lock = asyncio.Lock()
        self._given_up = False
        self.closing = asyncio.Event()

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        pause = 0.0
        while True:
            try:
                async with self._lock:
                    rows = await _fetch(await self._connected(), query, args)
            except DatabaseUnavailable:
                if self.closing.is_set():
                    self._given_up = True
                    raise
                if not pause:
                    log.warning("the job queue has lost PostgreSQL")
                pause = min(max(pause * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
                await wait_for(self.closing, pause)
            else:
                if pause:
                    log.info("the job queue has PostgreSQL back")
                return rows

    async def execute(self, query: str, *args: object) -> str:
        await self.fetch(query, *args)
        return ""

    async def notify(self, channel: str, payload: str) -> None:
        await self.fetch("SELECT pg_notify($1, $2)", channel, payload)

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        self._listeners.append((channel, callback))
        async with self._lock:
            await self._drop()  # the next statement, which comes at once, listens

    @property
    def shutdown(self) -> asyncio.Event:
        return self.closing

    @property
    def tm(self) -> TaskManager:
        return TaskManager()  # there are no tasks of the connection's own

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing: queue and schedule share the connection, and either would end it for the other."""

    async def close(self) -> None:
        """Close the connection."""
        async with self._lock:
            await self._drop()

    async def _connected(self) -> AsyncConnection:
        if self._given_up:
            raise DatabaseUnavailable
        if self._connection is not None:
            if not self._connection.invalidated and not (await _driver(self._connection)).is_closed():
                return self._connection
            await self._drop()
        connection = await self._engine.connect()
        try:
            for channel, callback in self._listeners:
                await (await _driver(connection)).add_listener(channel, _relay(callback))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            await _let_go(connection)
            raise DatabaseUnavailable from error
        self._connection = connection
        return connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await _let_go(connection)


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Until `event` is set, but no longer than `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def _fetch(connection: AsyncConnection, query: str, arguments: tuple[object, ...]) -> list[dict[str, object]]:
    result = await connection.exec_driver_sql(query, arguments or None)
    return (
        [{str(name): value for name, value in row.items()} for row in result.mappings()] if result.returns_rows else []
    )


async def _let_go(connection: AsyncConnection) -> None:
    if not connection.invalidated:
        await connection.invalidate()  # it listens: nobody else may have it
    await connection.close()


async def _driver(connection: AsyncConnection) -> asyncpg.Connection:
    driver = (await connection.get_raw_connection()).driver_connection
    return cast("asyncpg.Connection", driver)


def _relay(callback: NotifyCallback) -> Callable[[object, int, str, object], None]:
    def relay(_connection: object, _pid: int, _channel: str, payload: object) -> None:
        callback(str(payload))

    return relay
