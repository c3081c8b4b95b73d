"""The database of a command."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import migrations
from app.core.database import Database, database_url
from app.core.schema import is_migrated as session_is_migrated
from app.settings import Settings

T = TypeVar("T")


def with_database(settings: Settings, work: Callable[[Database], Awaitable[T]], *, connections: int = 1) -> T:
    """Do `work` on the configured database, or the embedded one, without a limit on the time of a statement."""

    async def do(database: Database) -> T:
        try:
            return await work(database)
        finally:
            await database.close()

    with database_url(settings) as url:
        return asyncio.run(do(Database(url, pool_size=connections, statement_timeout=None)))


async def is_migrated(database: Database) -> bool:
    """Whether the database's schema is as new as the code."""
    async with database.reading() as session:
        return await session_is_migrated(session)


def bring_up_to_date() -> None:
    """Migrate the configured database."""
    from alembic import command  # noqa: PLC0415 - half a second, which most starts need not spend
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    command.upgrade(config, "head")
