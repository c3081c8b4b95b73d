"""Indexes for substrings: pg_trgm's, where PostgreSQL has that extension.

They come after the migrations, not inside one, so that the schema's history is the same everywhere. Without pg_trgm
everything still works, slower.
"""

import structlog
from sqlalchemy import Connection, text

log = structlog.stdlib.get_logger(__name__)

TRIGRAM_INDEXES = {
    "trgm_movies_folded_title": "movies USING gin (folded_title gin_trgm_ops)",
    "trgm_titles_folded_title": "titles USING gin (folded_title gin_trgm_ops)",
    "trgm_collections_folded_name": "collections USING gin (folded_name gin_trgm_ops)",
}


def create_trigram_indexes(connection: Connection) -> None:
    """Create pg_trgm and the indexes that stand on it, as far as they are not there and may be had."""
    available = text("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')")
    if not connection.execute(available).scalar():
        log.info("pg_trgm is not available: substring filters read whole tables")
        return
    connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    for name, definition in TRIGRAM_INDEXES.items():
        connection.execute(text(f"CREATE INDEX IF NOT EXISTS {name} ON {definition}"))
