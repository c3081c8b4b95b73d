"""What was read, beside the tables that it goes into: temporary tables, which end with the transaction.

A row that cannot be taken says so in `left_out`; what hangs on it finds out there.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import BigInteger, Boolean, Column, ColumnElement, DateTime, MetaData, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import AccountTier, User
from app.collections.models import Collection, CollectionMovie, CollectionSubscription
from app.core.database import Base, driver_connection
from app.movies.models import Like, Movie, WatchLater
from app.takeover import source
from app.takeover.accounts import staged_user
from app.takeover.collections import staged_collection
from app.takeover.findings import Findings
from app.takeover.problems import TakeoverRefused
from app.takeover.titles import staged_movie

_staging = MetaData()


def _staged(name: str, *columns: Column[Any]) -> Table:
    left_out = Column("left_out", Text, comment="Why; null where it is taken")
    return Table(name, _staging, *columns, left_out, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")


def _like(model: type[Base], *more: Column[Any]) -> Table:
    """A table with a model's columns, less those that PostgreSQL computes."""
    columns = [Column(column.name, column.type) for column in model.__table__.c if column.computed is None]
    return _staged(f"staged_{model.__tablename__}", *columns, *more)


def _id() -> Column[int]:
    return Column("id", BigInteger)


TIERS = _like(AccountTier)
USERS = _like(User, Column("tier_code", Text))
GOOGLE_ACCOUNTS = _staged(
    "staged_google_accounts",
    _id(),
    Column("user_id", BigInteger),
    Column("subject", Text),
    Column("last_login_at", DateTime(timezone=True)),
)
MOVIES = _like(Movie)
LIKES = _like(Like, _id())
WATCH_LATER = _like(WatchLater)
COLLECTIONS = _like(Collection, Column("changed_here", Boolean, comment="Since it was last taken over"))
COLLECTION_MOVIES = _like(CollectionMovie, _id())
SUBSCRIPTIONS = _like(CollectionSubscription, _id())


@dataclass(frozen=True)
class Filling:
    """What a staged table is filled with.

    Attributes:
        query: asks the Django service's database.
        columns: what is staged of a row.
        values: a row as this service keeps it; None where the query says it all.
    """

    table: Table
    query: str
    columns: tuple[str, ...]
    values: Callable[[asyncpg.Record, Findings], dict[str, Any]] | None = None


_USER = (
    *("id", "email", "email_verified", "password", "is_active", "is_staff", "created_at", "last_login_at"),
    *("tier_code", "left_out"),
)
_COLLECTION = tuple(column.name for column in Collection.__table__.c)
FILLINGS = (
    Filling(TIERS, source.TIERS, ("id", "code", "name", "daily_ai_search_limit")),
    Filling(USERS, source.USERS, _USER, staged_user),
    Filling(GOOGLE_ACCOUNTS, source.GOOGLE_ACCOUNTS, ("id", "user_id", "subject", "last_login_at")),
    Filling(MOVIES, source.MOVIES, tuple(MOVIES.c.keys()), staged_movie),
    Filling(LIKES, source.LIKES, ("id", "user_id", "movie_id", "created_at")),
    Filling(WATCH_LATER, source.WATCH_LATER, ("id", "user_id", "movie_id", "added_at")),
    Filling(COLLECTIONS, source.COLLECTIONS, _COLLECTION, staged_collection),
    Filling(COLLECTION_MOVIES, source.COLLECTION_MOVIES, ("id", "collection_id", "movie_id", "position", "added_at")),
    Filling(SUBSCRIPTIONS, source.SUBSCRIPTIONS, ("id", "user_id", "collection_id", "created_at")),
)


def taken(table: Table) -> ColumnElement[bool]:
    """Whether a staged row is taken."""
    return table.c.left_out.is_(None)


async def stage(session: AsyncSession, snapshot: source.Snapshot, findings: Findings) -> None:
    """Copy what is to be taken over into temporary tables, row by row as it comes.

    Raises:
        TakeoverRefused: one of the two databases failed.
    """
    connection = await session.connection()
    await connection.run_sync(_staging.create_all, checkfirst=False)
    driver = await driver_connection(connection)
    for filling in FILLINGS:
        rows = _rows(filling, snapshot, findings)
        try:
            await driver.copy_records_to_table(filling.table.name, records=rows, columns=filling.columns)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise TakeoverRefused(f"the service's own database failed: {error}") from error
    # Nobody else does this for temporary tables, and without it PostgreSQL guesses at the order of the joins.
    await session.execute(text(f"ANALYZE {', '.join(_staging.tables)}"))


async def _rows(filling: Filling, snapshot: source.Snapshot, findings: Findings) -> AsyncIterator[Any]:
    """The rows to copy: sequences in the order of the columns."""
    async for row in snapshot.rows(filling.query):
        if filling.values is None:
            yield row
        else:
            values = filling.values(row, findings)
            yield [values.get(column) for column in filling.columns]
