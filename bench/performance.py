"""How fast every read is, at every size: `python -m bench.performance FILE` writes the tables that FILE holds.

Databases of 1,000, 100,000 and 1,000,000 movies; the service as in production, with one worker; wrk (Debian's package)
at 16 connections; beside it the bare server of `bench.limit`, in the same run. Filters are asked by one client.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
from alembic import command
from sqlalchemy import URL, make_url

from app.core.embedded_postgres import embedded_postgres
from bench.catalogues import Size, dsn, fill
from bench.report import write_section
from tests.accounts import claims, signed
from tests.conftest import ROOT, SECRET_KEY, alembic, open_folder
from tests.processes import free_port, running

SIZES = (1_000, 100_000, 1_000_000)
CONNECTIONS = 16
# Beside the limit: what a client asks, and the share of the limit's throughput that is wanted.
AGAINST = {
    "page": ("/movies/", False, 0.6),
    "one movie": ("/movies/7/", False, 0.5),
    "own page": ("/movies/", True, 0.45),
}
ORDERINGS = ("imdb_id", "title", "genre", "year", "likes_count", "imdb_rating", "created_at")
MINE = ("/watch_later/list/", "/watch_later/statistics/", "/movies/recommendations/", "/users/personal-info/")
READS = (
    *(f"/movies/?ordering={sign}{field}" for field in ORDERINGS for sign in ("", "-")),
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
# `{}` stands for a word or a number that is another at every request.
FILTERS = {
    "/movies/?title={word}": 50,
    "/movies/?genres={genre}": 50,
    "/movies/?genres={genre}&ordering=-imdb_rating": 50,
    "/movies/?year={year}": 50,
    "/movies/?rating_min={rating}": 50,
    "/movies/?title={word}&genres={genre}&year={year}": 50,
    "/movies/?genres={genre}&rating_min={rating}&ordering=-imdb_rating": 50,
}


@dataclass(frozen=True)
class Measured:
    """What wrk found: requests a second, and milliseconds."""

    throughput: float
    p50: float
    p99: float
    failed: bool

    @property
    def times(self) -> str:
        """The two times, to be shown."""
        return f"{self.p50:.1f} / {self.p99:.1f} ms{' (errors)' if self.failed else ''}"


def wrk(
    url: str, seconds: float, connections: int = CONNECTIONS, *, token: str = "", script: Path | None = None
) -> Measured:
    """Ask for `url` as fast as so many connections can."""
    header = ["-H", f"Authorization: Bearer {token}"] if token else []
    run = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "--timeout", "30s", *header]
    if script:
        run += ["-s", str(script)]
    told = subprocess.run([*run, url], capture_output=True, text=True, check=True).stdout

    def milliseconds(percentile: int) -> float:
        number, unit = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s|m)", told).groups()  # type: ignore[union-attr]
        return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]

    throughput = re.search(r"Requests/sec:\s+([\d.]+)", told)
    assert throughput is not None, told
    return Measured(
        float(throughput[1]), milliseconds(50), milliseconds(99), "Non-2xx" in told or "Socket errors" in told
    )


def varied(folder: Path, pattern: str) -> Path:
    """A script that asks for another word, genre, year or rating every time."""
    script = folder / "varied.lua"
    script.write_text(f"""
local words = {{"night", "dream", "stone", "river", "queen", "winter", "ghost", "silver", "brother", "island", "thous",
    "forgot", "midni", "moon w", "garden"}}
local genres = {{"Drama", "Comedy", "Horror", "War", "Western", "Sport", "News", "Film-Noir", "Game-Show", "Sci-Fi"}}
local n = 0
request = function()
    n = n + 1
    local values = {{word = words[n % #words + 1], genre = genres[n % #genres + 1], year = 1950 + n % 75,
        rating = 5 + n % 45 / 10}}
    local path = string.gsub("{pattern}", "{{(%w+)}}", values)
    return wrk.format("GET", (string.gsub(path, " ", "%%20")))
end
""")
    return script


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


@dataclass
class Found:
    """What was found at one size."""

    start: float
    against: dict[str, tuple[Measured, Measured]]
    reads: dict[str, Measured]
    statements: dict[str, tuple[int, int]]
    filters: dict[str, Measured]


def measure(url: URL, size: int, seconds: float, folder: Path) -> Found:
    """Measure one size."""
    token = signed(claims(1, exp=int(time.time()) + 24 * 3600))
    environment = {"DATABASE_URL": url.render_as_string(hide_password=False), "SECRET_KEY": SECRET_KEY}
    began = time.monotonic()
    with running("serve", folder, RUN_JOBS="false", **environment) as service, limit_server(url) as bare:
        start = time.monotonic() - began
        found = Found(start, {}, {}, {}, {})
        for name, (path, own, _) in AGAINST.items():
            bearer = token if own else ""
            wrk(f"{service.url}{path}", 1, token=bearer)
            theirs = wrk(f"{bare}{path}", seconds, token=bearer)
            found.against[name] = wrk(f"{service.url}{path}", seconds, token=bearer), theirs
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


DEEP_FROM = 999_999


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


def report(file: Path, found: dict[int, Found]) -> None:
    """Write the tables."""
    against = [
        [
            f"{size:,}",
            name,
            f"{ours.throughput:,.0f}",
            f"{bare.throughput:,.0f}",
            f"{ours.throughput / bare.throughput:.2f}",
            f"{AGAINST[name][2]}",
            ours.times,
        ]
        for size, at in found.items()
        for name, (ours, bare) in at.against.items()
    ]
    headings = ["movies", "read", "requests/s", "the limit's", "ratio", "wanted", "p50 / p99"]
    write_section(file, "against the limit", headings, against)
    smallest, largest = min(found), max(found)
    rows = []
    for path, last in found[largest].reads.items():
        first = found[smallest].reads.get(path)
        growth = f"{last.p50 / first.p50 - 1:+.0%}" if first else "–"  # noqa: RUF001
        statements, size = found[largest].statements[path]
        rows.append(
            [
                f"`{path}`",
                *(at.reads[path].times if path in at.reads else "–" for at in found.values()),  # noqa: RUF001
                growth,
                str(statements),
                f"{size:,}",
            ]
        )
    sizes = [f"{size:,} movies" for size in found]
    write_section(file, "reads", ["read", *sizes, "p50 grows by", "statements", "bytes"], rows)
    filters = [[f"`{path}`", *(at.filters[path].times for at in found.values())] for path in FILTERS]
    write_section(file, "filters", ["read", *sizes], filters)
    starts = [[f"{size:,}", f"{at.start:.1f} s"] for size, at in found.items()]
    write_section(file, "starts", ["movies", "from the start of the process to its first answer"], starts)


def main() -> None:
    """Measure, and write down."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--keep", type=Path, help="a folder for the databases, to be used again")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    with (
        open_folder() as own,
        TemporaryDirectory() as folder,
        embedded_postgres(asked.keep or own / "postgres", durable=False) as address,
    ):
        urls = asyncio.run(databases(make_url(address), sizes))
        found = {size: measure(urls[size], size, asked.seconds, Path(folder)) for size in sizes}
    report(asked.file, found)


if __name__ == "__main__":
    main()
