"""The Django service's database: read in one snapshot, never written to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import URL
from sqlalchemy.exc import ArgumentError

from app.core.database import Database, driver_connection
from app.core.database_errors import DatabaseUnavailable
from app.setting_values import asyncpg_url
from app.takeover.problems import TakeoverRefused

# Rows fetched with one round trip, and so in memory at a time.
AT_ONCE = 1000
# Some hosts end statements and idle transactions of their roles after a while.
PATIENCE = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"


class Snapshot:
    """The rows as they were when the snapshot was taken, whatever is written meanwhile."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def rows(self, query: str) -> AsyncIterator[asyncpg.Record]:
        """The rows of a query, as they come.

        Raises:
            TakeoverRefused: the tables are not those of the Django service, or the connection broke.
        """
        try:
            async for row in self._connection.cursor(query, prefetch=AT_ONCE):
                yield row
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise TakeoverRefused(f"the Django service's tables cannot be read: {error}") from error


@asynccontextmanager
async def snapshot(dsn: str) -> AsyncIterator[Snapshot]:
    """A snapshot of the database at `dsn`, in a transaction that may only read.

    Raises:
        TakeoverRefused: `dsn` is no address of a PostgreSQL database, or it cannot be reached.
    """
    database = Database(_address(dsn), pool_size=1, statement_timeout=None)
    try:
        connection = await database.engine.connect()
    except DatabaseUnavailable as error:
        await database.close()
        reason = str(error.__cause__) or "it does not answer"
        raise TakeoverRefused(f"the Django service's database cannot be reached: {reason}") from None
    try:
        driver = await driver_connection(connection)
        # Nothing is to be committed: it ends with its connection, also where that has broken.
        await driver.transaction(isolation="repeatable_read", readonly=True).start()
        await driver.execute(PATIENCE)
        yield Snapshot(driver)
    finally:
        await connection.close()
        await database.close()


def _address(dsn: str) -> URL:
    try:
        url = asyncpg_url(dsn)
    except (ArgumentError, ValueError):  # their texts hold parts of it
        url = None
    if url is None or url.drivername != "postgresql+asyncpg":
        raise TakeoverRefused("this is no address of a PostgreSQL database (postgresql://user:password@host/name)")
    return url


TIERS = "SELECT id, code, name, daily_ai_search_limit FROM auth_app_accounttier"
USERS = """
SELECT account.id, account.email, account.password, account.is_active,
    account.is_staff OR account.is_superuser AS is_staff, account.created_at, account.last_login AS last_login_at,
    tier.code AS tier_code, coalesce(addresses.verified, false) AS email_verified,
    coalesce(addresses.others, 0) AS other_addresses
FROM auth_app_user account
LEFT JOIN auth_app_accounttier tier ON tier.id = account.account_tier_id
LEFT JOIN (
    SELECT owner.id,
        bool_or(address.verified AND lower(address.email) = lower(owner.email)) AS verified,
        count(*) FILTER (WHERE lower(address.email) <> lower(owner.email)) AS others
    FROM account_emailaddress address JOIN auth_app_user owner ON owner.id = address.user_id
    GROUP BY owner.id
) addresses ON addresses.id = account.id
"""
GOOGLE_ACCOUNTS = """
SELECT id::int8, user_id, uid AS subject, last_login AS last_login_at
FROM socialaccount_socialaccount WHERE provider = 'google'
"""
LIKES = "SELECT id, user_id, movie_id, created_at FROM movie_likemovie"
WATCH_LATER = "SELECT id, user_id, movie_id, created_at AS added_at FROM movie_watchlatermovie"
COLLECTIONS = """
SELECT id, owner_id, name, description, design, is_public, created_at, updated_at FROM collection_collection
"""
COLLECTION_MOVIES = "SELECT id, collection_id, movie_id, position, added_at FROM collection_collectionmovie"
SUBSCRIPTIONS = "SELECT id, user_id, collection_id, created_at FROM collection_collectionsubscription"

# What a movie has several of: the table of the names, and their column in it.
NAMES = {
    "genres": ("genre", "name"),
    "languages": ("language", "name"),
    "countries": ("country", "name"),
    "directors": ("director", "full_name"),
    "writers": ("writer", "full_name"),
    "actors": ("actor", "full_name"),
}


def _joined_names(plural: str, singular: str, column: str) -> str:
    """The names of a kind, by movie, in the order in which they were given to it."""
    return f"""
LEFT JOIN (
    SELECT link.movie_id, array_agg(named.{column} ORDER BY link.id) AS names
    FROM movie_movie_{plural} link JOIN movie_{singular} named ON named.id = link.{singular}_id
    GROUP BY link.movie_id
) {plural} ON {plural}.movie_id = movie.id"""  # noqa: S608 - of constants  # nosec


MOVIES = f"""
SELECT movie.*, ratings.sources AS rating_sources, ratings.verdicts AS rating_values,
    {", ".join(f"{plural}.names AS {plural}" for plural in NAMES)}
FROM movie_movie movie
LEFT JOIN (
    SELECT movie_id, array_agg(source ORDER BY id) AS sources, array_agg(value ORDER BY id) AS verdicts
    FROM movie_rating GROUP BY movie_id
) ratings ON ratings.movie_id = movie.id
{"".join(_joined_names(plural, *names) for plural, names in NAMES.items())}
"""  # noqa: S608 - of constants  # nosec
