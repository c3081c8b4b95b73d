"""A real PostgreSQL, a database of its own for every test, and the real application in front of it."""

import asyncio
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import httpx
import pytest
from alembic import command
from alembic.config import Config
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

SECRET_KEY = "0123456789abcdef-for-the-tests-only"
# The limits have tests of their own.
UNTHROTTLED = dict.fromkeys(
    ("throttle_search_ua", "throttle_search_ip", "throttle_ai_ua", "throttle_ai_ip"), "10000/minute"
)
# Nothing that a developer has configured for the service reaches a test; app.main reads its settings on import.
_TEST_URL = os.environ.get("TEST_DATABASE_URL")
_TEST_NAME = os.environ.get("DB_TEST_NAME")
_CREDENTIALS = {key: os.environ.get(f"DB_{key.upper()}") for key in ("user", "password", "host", "port")}
from app.setting_values import asyncpg_url  # noqa: E402
from app.settings import Settings  # noqa: E402 - knows the names, and reads nothing yet

for variable in [*map(str.upper, Settings.model_fields), "DJANGO_KEY"]:
    os.environ.pop(variable, None)
os.environ["SECRET_KEY"] = SECRET_KEY

from app.auth.passwords import Argon2id  # noqa: E402
from app.core.database import Database  # noqa: E402
from app.core.embedded_postgres import embedded_postgres  # noqa: E402
from app.main import create_app  # noqa: E402
from app.movies.sample import load_sample  # noqa: E402
from tests.browsers import browser as browser  # noqa: E402, PLC0414
from tests.doubles.collectapi import CollectApiDouble  # noqa: E402
from tests.doubles.omdb import OmdbDouble  # noqa: E402

# Hashes that cost next to nothing; processes of their own make real ones.
CHEAP = Argon2id(passes=1, kibibytes=8, lanes=1)
ROOT = Path(__file__).parent.parent
MIGRATIONS = ROOT / "migrations"


class Start(Protocol):
    """Starts the application with some settings and gives a client for it."""

    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]: ...


def _roomy_memory() -> str | None:
    """Where files are kept in memory, if there is room: there a database is made in a tenth of the time."""
    memory = "/dev/shm"
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 << 30
    return memory if roomy else None


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder for a cluster that a root's server account can enter, unlike pytest's own."""
    with TemporaryDirectory(prefix="movie-finder-test-", dir=_roomy_memory()) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def server_url() -> Iterator[URL]:
    """A PostgreSQL on which databases may be created: the configured one, else one that lives as long as the tests."""
    if _TEST_URL:
        yield asyncpg_url(_TEST_URL)
    elif _TEST_NAME:
        port = int(_CREDENTIALS["port"] or 5432)
        host, user, password = (_CREDENTIALS[key] for key in ("host", "user", "password"))
        yield URL.create("postgresql+asyncpg", user, password, host or "localhost", port, _TEST_NAME)
    else:
        with open_folder() as folder, embedded_postgres(folder, durable=False) as url:
            yield make_url(url)


@pytest.fixture(scope="session")
async def administrator(server_url: URL) -> AsyncIterator[AsyncEngine]:
    """Connections that create and drop databases."""
    engine = create_async_engine(server_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    yield engine
    await engine.dispose()


def alembic(url: URL, function: Callable[..., None], *arguments: str) -> None:
    """Run an alembic command on the database at `url`."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = url
    function(config, *arguments)


_numbers = itertools.count(1)


@asynccontextmanager
async def new_database(administrator: AsyncEngine, template: str = "template1") -> AsyncIterator[URL]:
    """A database that exists for as long as the block runs."""
    name = f"movie_finder_test_{os.getpid()}_{next(_numbers)}"
    async with administrator.connect() as connection:
        # Of what PostgreSQL 15 offers, the one that takes a third of the time where nothing need be durable.
        strategy = "STRATEGY FILE_COPY" if (connection.dialect.server_version_info or ()) >= (15,) else ""
        await connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {strategy}'))
    yield administrator.url.set(database=name)
    async with administrator.connect() as connection:
        await connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture(scope="session")
async def migrated(administrator: AsyncEngine) -> AsyncIterator[str]:
    """The name of a migrated database, to make others of."""
    async with new_database(administrator) as url:
        await asyncio.to_thread(alembic, url, command.upgrade, "head")
        assert url.database is not None
        yield url.database


@pytest.fixture(scope="session")
async def filled(administrator: AsyncEngine, migrated: str) -> AsyncIterator[str]:
    """The name of a database with the sample catalogue, to make others of."""
    async with new_database(administrator, migrated) as url:
        database = Database(url)
        await load_sample(database)
        await database.close()
        assert url.database is not None
        yield url.database


@pytest.fixture
async def empty_url(administrator: AsyncEngine, migrated: str) -> AsyncIterator[URL]:
    """A migrated database without a movie."""
    async with new_database(administrator, migrated) as url:
        yield url


@pytest.fixture
async def sample_url(administrator: AsyncEngine, filled: str) -> AsyncIterator[URL]:
    """A database with the sample catalogue."""
    async with new_database(administrator, filled) as url:
        yield url


# A request that asks row by row fails its test.
SQL_GUARD = {"sql_guard": "error", "repeated_sql": 4}


def make_settings(url: URL, **changes: Any) -> Settings:
    """The settings of an application for tests; the work behind its requests is done where a test asks for it."""
    database_url = url.render_as_string(hide_password=False)
    given = {"secret_key": SECRET_KEY, "database_url": database_url, "run_jobs": False, **SQL_GUARD, **UNTHROTTLED}
    return Settings(_env_file=None, **{**given, **changes})


@asynccontextmanager
async def started(settings: Settings, argon2id: Argon2id = CHEAP) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """The application, started as a server starts it, and a client for it."""
    app = create_app(settings, argon2id)
    async with LifespanManager(app) as manager:
        transport = httpx.ASGITransport(manager.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield app, client


@pytest.fixture
async def start(empty_url: URL) -> AsyncIterator[Start]:
    """Starts applications on one database without a movie."""
    async with AsyncExitStack() as stack:

        @asynccontextmanager
        async def start(**changes: Any) -> AsyncIterator[httpx.AsyncClient]:
            _, client = await stack.enter_async_context(started(make_settings(empty_url, **changes)))
            yield client

        yield start


@pytest.fixture
async def empty_client(start: Start) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application without a movie and without a key."""
    async with start() as client:
        yield client


@pytest.fixture
async def client(sample_url: URL) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application with the sample catalogue and without a key."""
    async with started(make_settings(sample_url)) as (_, client):
        yield client


def sample_payloads() -> list[dict[str, Any]]:
    """The sample catalogue as OMDb would send it."""
    lines = files("app.movies").joinpath("sample_catalogue.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
async def omdb() -> AsyncIterator[OmdbDouble]:
    """An OMDb that knows the sample catalogue."""
    async with OmdbDouble(sample_payloads()) as server:
        yield server


@pytest.fixture
async def collectapi() -> AsyncIterator[CollectApiDouble]:
    """A CollectAPI that knows the sample catalogue."""
    async with CollectApiDouble(sample_payloads()) as server:
        yield server


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of recorded payloads (REAL_DATA_DIR), which is not part of the project."""
    folder = Path(os.environ.get("REAL_DATA_DIR") or "real-data-dir-is-not-set")
    if not folder.is_dir():
        pytest.skip("REAL_DATA_DIR names no folder of recorded payloads")
    return folder
