"""How alembic runs the migrations: async, in one transaction, one process at a time, never queueing for long."""

import asyncio

from alembic import context
from sqlalchemy import URL, Connection, text

from app.ai import models as ai_models  # noqa: F401 - the models' tables are in Base.metadata
from app.auth import models as auth_models  # noqa: F401
from app.collections import models as collection_models  # noqa: F401
from app.core import leases  # noqa: F401
from app.core.database import Base, Database, database_url
from app.core.job_queue import QUEUE_TABLES
from app.imdb_datasets import models as imdb_datasets_models  # noqa: F401
from app.imports import models as import_models  # noqa: F401
from app.movies import models as movie_models  # noqa: F401
from app.movies.trigrams import TRIGRAM_INDEXES, create_trigram_indexes
from app.settings import load_settings

# Any number that no other program on this database uses for an advisory lock.
MIGRATION_LOCK = 7_262_518_291
# A migration that waits for a table's lock holds up everybody behind it: better to give up and be run again.
LOCK_TIMEOUT = "5s"


def migrate(connection: Connection) -> None:
    """Run the steps asked for; several starts at once wait for the first, and find nothing left to do."""
    context.configure(connection=connection, target_metadata=Base.metadata, include_name=_is_ours)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        context.run_migrations()
        if set(context.get_context().get_current_heads()) == set(context.script.get_heads()):
            create_trigram_indexes(connection)


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a comparison with the models looks at this object."""
    return not ((kind == "index" and name in TRIGRAM_INDEXES) or (kind == "table" and name in QUEUE_TABLES))


async def migrate_online(url: URL | str) -> None:
    """Connect, and migrate."""
    database = Database(url, pool_size=1, statement_timeout=None)
    try:
        async with database.engine.connect() as connection:
            await connection.run_sync(migrate)
    finally:
        await database.close()


if context.is_offline_mode():
    raise SystemExit("--sql is not offered: the triggers and the lock need a live database")
if (given := context.config.attributes.get("url")) is not None:
    asyncio.run(migrate_online(given))
else:
    with database_url(load_settings()) as configured:
        asyncio.run(migrate_online(configured))
