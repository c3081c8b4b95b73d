"""How fast every read is, at every size: `python -m bench.performance FILE` writes the tables that FILE holds.

Databases of 1,000, 100,000 and 1,000,000 movies; the service as in production, with one worker; wrk (Debian's package)
at 16 connections; beside it the bare server of `bench.limit`, in the same run. Filters are asked by one client.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
from alembic import command
from sqlalchemy import URL, make_url

from app.core.embedded_postgres import embedded_postgres
from app.movies.schemas import MOVIE_ORDERINGS
from bench import cold_search
from bench.catalogues import Size, dsn, fill
from bench.performance_report import AGAINST, FILTERS, Found, report
from bench.wrk import Measured, varied, wrk
from tests.accounts import claims, signed
from tests.conftest import ROOT, SECRET_KEY, alembic, open_folder
from tests.processes import free_port, running

SIZES = (1_000, 100_000, 1_000_000)
CONNECTIONS = 16
MINE = ("/watch_later/list/", "/watch_later/statistics/", "/movies/recommendations/", "/users/personal-info/")
READS = (
    *(f"/movies/?ordering={sign}{field}" for field in MOVIE_ORDERINGS for sign in ("", "-")),
    *(f"/movies/?offset={offset}" for offset in (500, 10_000)),
    "/movies/?ordering=-imdb_rating,title",
    "/movies/?limit=100",
    "/structures/",
    "/movies/top/",
    "/collections/",
    "/collections/?ordering=-subscribers",
    "/collections/1/",
    "/collections/1/movies/",
    "/collections/2/movies/",
    *MINE,
)
DEEP = tuple(f"/movies/?offset={offset}" for offset in (100_000, 500_000, 999_980))
DEEP_FROM = 999_999


@contextmanager
def limit_server(url: URL) -> Iterator[str]:
    """The bare server, until the block ends."""
    port = free_port()
    options = [
        "--port",
        str(port),
        "--loop",
        "uvloop",
        "--http",
        "httptools",
        "--no-access-log",
        "--log-level",
        "error",
    ]
    environment = {**os.environ, "DATABASE_URL": dsn(url), "SECRET_KEY": SECRET_KEY}
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "bench.limit:app", *options], cwd=ROOT, env=environment
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            time.sleep(0.1)
            try:
                urllib.request.urlopen(f"{address}/movies/1/").close()
            except OSError:
                continue
            break
        yield address
    finally:
        process.terminate()
        process.wait()


def measure(url: URL, size: int, seconds: float, folder: Path) -> Found:
    """Measure one size."""
    token = signed(claims(1, exp=int(time.time()) + 24 * 3600))
    environment = {"DATABASE_URL": url.render_as_string(hide_password=False), "SECRET_KEY": SECRET_KEY}
    found = Found(started(folder, environment), {}, {}, {}, {})
    with running("serve", folder, RUN_JOBS="false", **environment) as service, limit_server(url) as bare:
        for name, (path, own, _) in AGAINST.items():
            bearer = token if own else ""
            wrk(f"{service.url}{path}", 1, CONNECTIONS, token=bearer)
            theirs = wrk(f"{bare}{path}", seconds, CONNECTIONS, token=bearer)
            found.against[name] = wrk(f"{service.url}{path}", seconds, CONNECTIONS, token=bearer), theirs
            show(size, name, found.against[name][0], f"of {theirs.throughput:.0f}/s")
        for path in (*READS, *(DEEP if size > DEEP_FROM else ())):
            bearer = token if path in MINE else ""
            wrk(f"{service.url}{path}", 1, 4, token=bearer)
            found.reads[path] = wrk(f"{service.url}{path}", seconds / 2, 1, token=bearer)
            found.statements[path] = cost(service.url, path, bearer, service.log)
            show(size, path, found.reads[path], str(found.statements[path]))
        for path in FILTERS:
            script = varied(folder, path)
            wrk(service.url, 1, 1, script=script)
            found.filters[path] = wrk(service.url, seconds, 1, script=script)
            show(size, path, found.filters[path])
    return found


def started(folder: Path, environment: dict[str, str]) -> float:
    """The seconds from the start of the process to its first answer, of three starts the middle."""
    seconds = []
    for _ in range(3):
        began = time.monotonic()
        with running("serve", folder, RUN_JOBS="false", **environment):
            seconds.append(time.monotonic() - began)
    return statistics.median(seconds)


def show(size: int, what: str, measured: Measured, more: str = "") -> None:
    """A line for who waits."""
    sys.stdout.write(f"{size:>9,} {what:60} {measured.throughput:7.0f}/s {measured.times:>20} {more}\n")
    sys.stdout.flush()


def cost(url: str, path: str, token: str, log: Path) -> tuple[int, int]:
    """The statements and the bytes of one answer."""
    headers = {"X-Request-ID": f"cost-{time.monotonic_ns()}"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(urllib.request.Request(f"{url}{path}", headers=headers)) as answer:
        size = len(answer.read())
    time.sleep(0.05)
    for line in reversed(log.read_text().splitlines()):
        if headers["X-Request-ID"] in line:
            return json.loads(line)["sql_count"], size
    raise AssertionError("the request has no line in the log")


async def databases(url: URL, sizes: list[int]) -> dict[int, URL]:
    """A database for each size; one that is there from an earlier run is used."""
    connection = await asyncpg.connect(dsn(url))
    urls = {}
    for size in sizes:
        urls[size] = url.set(database=f"movies_{size}")
        if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", urls[size].database):
            await connection.execute(f'CREATE DATABASE "{urls[size].database}"')
            await fill(urls[size], Size(size))
        await asyncio.to_thread(alembic, urls[size], command.upgrade, "head")  # of one that was kept
    await connection.close()
    return urls


async def searching(url: URL, folder: Path) -> tuple[list[list[str]], str]:
    """The rows of searches that go upstream, in a database of their own; and the version of PostgreSQL."""
    connection = await asyncpg.connect(dsn(url))
    await connection.execute("DROP DATABASE IF EXISTS searches")
    await connection.execute("CREATE DATABASE searches")
    version: str = await connection.fetchval("SHOW server_version")
    await connection.close()
    return await cold_search.measure(url.set(database="searches"), folder), version


def main() -> None:
    """Measure, and write down."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--keep", type=Path, help="a folder for the databases, to be used again")
    asked = parser.parse_args()
    if shutil.which("wrk") is None:  # before minutes are spent on databases
        parser.error("wrk is not installed (Debian's package of that name)")
    sizes = [int(size) for size in asked.sizes.split(",")]
    with (
        open_folder() as own,
        TemporaryDirectory() as folder,
        embedded_postgres(asked.keep or own / "postgres", durable=False) as address,
    ):
        urls = asyncio.run(databases(make_url(address), sizes))
        found = {size: measure(urls[size], size, asked.seconds, Path(folder)) for size in sizes}
        searches, postgres = asyncio.run(searching(make_url(address), Path(folder)))
    report(asked.file, found, searches, postgres)


if __name__ == "__main__":
    main()
