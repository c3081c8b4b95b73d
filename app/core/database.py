"""PostgreSQL: the models' base, the pool, and the two kinds of session.

A reading session is autocommit: no BEGIN, no COMMIT, no round trip that carries nothing; `Reading` is one for the time
of a request. A writing session is one transaction. Work that asks upstream in between opens its own, one after the
other, so that no connection is held while the network is waited for.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Annotated, Any, TypeVar, cast

import asyncpg
from fastapi import Depends, Request
from sqlalchemy import URL, MetaData, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError, MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from app.core.database_errors import DatabaseUnavailable, WriteConflict, name_error, named_pool_timeout, problem_of
from app.core.driver_statement import DriverStatement
from app.core.embedded_postgres import embedded_postgres
from app.core.metrics import CONNECTIONS
from app.core.sql_watch import SqlLimits, SqlWatch
from app.settings import Settings

# Together under the 5 seconds within which a request is told that PostgreSQL is away.
CONNECT_TIMEOUT_SECONDS = 2.5
POOL_TIMEOUT_SECONDS = 2.0
STATEMENT_TIMEOUT_SECONDS = 4.0

T = TypeVar("T")


class Base(DeclarativeBase):
    """The models' base: every constraint has a name, so that a violated one can be told by it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Database:
    """One pool of connections, of a fixed size: overflow connections are opened and thrown away under load.

    Args:
        url: where PostgreSQL is, for asyncpg.
        pool: the pool's name in the metrics.
        pool_size: how many connections are held at most.
        statement_timeout: seconds that one statement may take; None sets no limit, for work that no client waits for.
        limits: what a request's statements are held against.
    """

    def __init__(
        self,
        url: URL | str,
        *,
        pool: str = "requests",
        pool_size: int = 8,
        statement_timeout: float | None = STATEMENT_TIMEOUT_SECONDS,
        limits: SqlLimits | None = None,
    ) -> None:
        server_settings = {"application_name": "movie-finder", "jit": "off"}
        if statement_timeout is not None:
            server_settings["statement_timeout"] = str(int(statement_timeout * 1000))
        self.engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            hide_parameters=True,  # they may be secret, and end up in the text of an exception
            pool_timeout=POOL_TIMEOUT_SECONDS,
            connect_args={
                "timeout": CONNECT_TIMEOUT_SECONDS,
                # The server's own limit comes first; this one is for a server that no longer answers at all.
                "command_timeout": statement_timeout and statement_timeout + 0.5,
                "server_settings": server_settings,
                "async_creator_fn": _Connecting,
            },
        )
        event.listen(self.engine.sync_engine, "handle_error", name_error)
        event.listen(self.engine.sync_engine, "checkout", _refuse_closed_connection)
        self._watch = SqlWatch(pool, limits or SqlLimits())
        self._watch.listen(self.engine.sync_engine)
        # The pool itself is not fair: who has just come takes the connection that somebody else was woken for, and that
        # one waits for seconds. A semaphore serves those who wait in the order of their coming.
        self._turns = asyncio.Semaphore(pool_size)
        self._pool, self._pool_size = pool, pool_size
        CONNECTIONS.labels(pool).inc(pool_size)
        autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reading = async_sessionmaker(autocommit, expire_on_commit=False)
        self._writing = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session in autocommit.

        Raises:
            DatabaseUnavailable: no connection could be had in time, or it broke.
            QueryTooSlow: a statement ran into its time limit.
        """
        async with self._turn(), self._reading() as session:
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session in a transaction that commits at the end of the block, or rolls back when the block raises.

        Raises:
            DatabaseUnavailable: no connection could be had in time, or it broke.
            QueryTooSlow: a statement ran into its time limit.
            WriteConflict: PostgreSQL broke the transaction off because of another.
        """
        async with self._turn(), self._writing() as session, session.begin():
            yield session

    async def write(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Do `work` in a transaction, and once more where another transaction stood in its way."""
        try:
            async with self.transaction() as session:
                return await work(session)
        except WriteConflict:
            async with self.transaction() as session:
                return await work(session)

    async def fetch(self, statement: DriverStatement, **values: object) -> list[asyncpg.Record]:
        """The rows that a statement gives, which is a transaction by itself.

        Raises:
            DatabaseUnavailable: no connection could be had in time, or it broke.
            QueryTooSlow: the statement ran into its time limit.
        """
        await self._take_turn()
        try:
            pooled = await self._take_connection()
            driver = cast("asyncpg.Connection", pooled.driver_connection)
            try:
                self._watch.begin(statement.sql)
                began = time.perf_counter()
                rows = await statement.run(driver, values)
                self._watch.end(statement.sql, time.perf_counter() - began)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                gone = isinstance(error, OSError) or driver.is_closed()
                problem = problem_of(error, driver, disconnected=gone)
                if problem is None:
                    raise
                raise problem from error
            finally:
                pooled.close()
        finally:
            self._turns.release()
        return rows

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        await self._take_turn()
        try:
            with named_pool_timeout():
                yield
        finally:
            self._turns.release()

    async def _take_connection(self) -> PoolProxiedConnection:
        try:  # without a greenlet of SQLAlchemy's, which is a tenth of what a short answer costs
            return self.engine.pool.connect()
        except MissingGreenlet:  # none is open
            with named_pool_timeout():
                return await self.engine.raw_connection()

    async def _take_turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        try:
            async with asyncio.timeout(POOL_TIMEOUT_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise DatabaseUnavailable from None

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
        CONNECTIONS.labels(self._pool).dec(self._pool_size)


class _Connecting:
    """A connection that is opened when it is waited for: `Database.fetch` may find that it has to, and does it anew.

    Of a coroutine that is never waited for Python complains.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._open = partial(_connect, *arguments, **options)

    def __await__(self) -> Generator[Any, None, asyncpg.Connection]:
        return self._open().__await__()


async def _connect(*arguments: Any, **options: Any) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(*arguments, **options)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:  # TimeoutError is an OSError
        raise DatabaseUnavailable from error


async def driver_connection(connection: AsyncConnection) -> asyncpg.Connection:
    """Asyncpg's own connection beneath one, for what SQLAlchemy has no words for: COPY, and the server's cursors."""
    return cast("asyncpg.Connection", (await connection.get_raw_connection()).driver_connection)


def _refuse_closed_connection(
    connection: DBAPIConnection, _entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection
) -> None:
    """Take no connection from the pool that the server has closed.

    asyncpg has seen the end of the socket by then, so this costs no round trip, unlike `pool_pre_ping`; and where one
    connection is gone, the server was restarted and all of them are.
    """
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


async def _reading(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.state.database.reading() as session:
        yield session


# With FastAPI's default scope the connection would be held until the answer was sent, however slow its reader.
Reading = Annotated[AsyncSession, Depends(_reading, scope="function")]


@contextmanager
def database_url(settings: Settings) -> Iterator[URL | str]:
    """Where the database is: the configured one, else the embedded one, started for as long as the block runs."""
    if settings.database is not None:
        yield settings.database
        return
    with embedded_postgres(settings.data_dir / "postgres") as url:
        yield url
