"""The schema's history: every step up, down and up again, by many at once, and in step with the models."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.core import schema
from app.core.database import Database
from app.core.database_errors import WriteConflict
from app.core.embedded_postgres import find_postgres_binaries
from app.core.job_queue import QueueConnection, queue_queries
from app.movies.title_keys import title_keys
from app.movies.trigrams import TRIGRAM_INDEXES, create_trigram_indexes
from tests.conftest import MIGRATIONS, ROOT, alembic, new_database

REVISIONS = [step.revision for step in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]


async def value(url: URL, query: str) -> object:
    """The first value that `query` gives."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        found: object = (await connection.execute(text(query))).scalar()
    await engine.dispose()
    return found


async def test_every_migration_goes_up_down_and_up(administrator: AsyncEngine) -> None:
    async with new_database(administrator) as url:
        for before, revision in zip(["base", *REVISIONS], REVISIONS, strict=False):
            await asyncio.to_thread(alembic, url, command.upgrade, revision)
            await asyncio.to_thread(alembic, url, command.downgrade, before)
            await asyncio.to_thread(alembic, url, command.upgrade, revision)
        assert await value(url, "SELECT version_num FROM alembic_version") == REVISIONS[-1]
        await asyncio.to_thread(alembic, url, command.downgrade, "base")
        left = await value(
            url,
            "SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'S', 'v') AND relname <> 'alembic_version'",
        )
        assert left is None
        functions = (
            "SELECT count(*) FROM pg_proc p WHERE pronamespace = 'public'::regnamespace"
            " AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')"
        )
        assert await value(url, functions) == 0


async def test_titles_that_are_stored_get_their_keys_and_keep_their_genres(administrator: AsyncEngine) -> None:
    async with new_database(administrator) as url:
        await asyncio.to_thread(alembic, url, command.upgrade, "0006")
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO movies (imdb_id, title, folded_title, genres)"
                    " SELECT 'tt' || (1000000 + n), 'The Film: Part ' || n || repeat(' x', n % 200), '', '{Drama}'"
                    " FROM generate_series(1, 1001) AS n"
                )
            )
        await asyncio.to_thread(alembic, url, command.upgrade, "head")
        async with engine.connect() as connection:
            rows = (await connection.execute(text("SELECT title, title_keys FROM movies"))).all()
            enabled = await connection.scalar(
                text("SELECT tgenabled FROM pg_trigger WHERE tgname = 'movies_sync_genres_updated'")
            )
        await engine.dispose()
        assert len(rows) == 1_001
        assert [keys for _, keys in rows] == [title_keys(title) for title, _ in rows]
        assert enabled == b"O"
        assert await value(url, "SELECT count(*) FROM movie_genres") == 1_001


async def test_a_backup_can_be_restored(administrator: AsyncEngine, sample_url: URL, tmp_path: Path) -> None:
    # With the search path empty, as pg_dump has it: what is generated is computed while the rows are read in.
    programs = find_postgres_binaries() or Path()

    def dsn(url: URL) -> str:
        return url.set(drivername="postgresql").render_as_string(hide_password=False)

    async with new_database(administrator) as restored:
        for program, *arguments in (
            ("pg_dump", "--format=custom", f"--file={tmp_path}/backup", dsn(sample_url)),
            ("pg_restore", "--exit-on-error", "--no-owner", "--dbname", dsn(restored), f"{tmp_path}/backup"),
        ):
            process = await asyncio.create_subprocess_exec(programs / program, *arguments)
            assert await process.wait() == 0, program
        for table in ("movies", "titles", "movie_counts", "movie_genres"):
            rows = f"SELECT string_agg(row::text, ';' ORDER BY row::text) FROM {table} AS row"
            found = await value(restored, rows)
            assert found is not None, table
            assert found == await value(sample_url, rows), table
        await asyncio.to_thread(alembic, restored, command.check)


async def test_models_and_migrations_agree(empty_url: URL) -> None:
    await asyncio.to_thread(alembic, empty_url, command.check)


async def test_the_installed_pgqueuer_has_nothing_to_change_in_the_tables_that_the_migrations_make(
    empty_url: URL,
) -> None:
    database = Database(empty_url, pool_size=1)
    queue = QueueConnection(database)
    assert (await queue_queries(queue).plan_upgrade()).statements == ()
    await queue.close()
    await database.close()


async def test_starts_at_the_same_moment_migrate_once(administrator: AsyncEngine) -> None:
    async with new_database(administrator) as url:
        environment = {**os.environ, "DATABASE_URL": url.render_as_string(hide_password=False)}
        starts = [
            await asyncio.create_subprocess_exec(sys.executable, "-m", "app.cli", "migrate", cwd=ROOT, env=environment)
            for _ in range(4)
        ]
        assert await asyncio.gather(*(start.wait() for start in starts)) == [0] * 4
        assert await value(url, "SELECT count(*) FROM alembic_version") == 1


async def test_a_migration_gives_up_rather_than_queue_behind_a_long_lock(administrator: AsyncEngine) -> None:
    async with new_database(administrator) as url:
        await asyncio.to_thread(alembic, url, command.upgrade, "head")
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.connect() as reader:
            await reader.execute(text("LOCK TABLE search_answers IN ACCESS SHARE MODE"))
            with pytest.raises(WriteConflict):
                await asyncio.to_thread(alembic, url, command.downgrade, "base")
        await engine.dispose()
        assert await value(url, "SELECT version_num FROM alembic_version") == REVISIONS[-1]


async def test_trigram_indexes_are_made_once_and_again_where_they_are_missing(empty_url: URL) -> None:
    available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'"
    expected = len(TRIGRAM_INDEXES) if await value(empty_url, available) else 0
    made = "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'trgm%'"
    assert await value(empty_url, made) == expected
    engine = create_async_engine(empty_url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text("DROP INDEX IF EXISTS trgm_titles_folded_title"))
        await connection.run_sync(create_trigram_indexes)
        await connection.run_sync(create_trigram_indexes)
    await engine.dispose()
    assert await value(empty_url, made) == expected


async def test_sql_scripts_are_refused_in_words(empty_url: URL) -> None:
    def write_script() -> None:
        alembic(empty_url, lambda config: command.upgrade(config, "head", sql=True))

    with pytest.raises(SystemExit, match="--sql is not offered"):
        await asyncio.to_thread(write_script)


def test_the_files_names_tell_the_order_of_the_revisions() -> None:
    assert schema.REVISIONS == REVISIONS


def test_the_alembic_command_finds_the_migrations() -> None:
    assert "script_location = %(here)s/migrations" in (ROOT / "alembic.ini").read_text()
