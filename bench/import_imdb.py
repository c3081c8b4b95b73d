"""How long `movie-finder import-imdb` takes, and how much memory: `make bench-import-imdb` writes it into docs/imdb.md.

Makes files of IMDb's format (bench/imdb_files.py) and loads them into an empty, migrated database with all of its
indexes, on a PostgreSQL of its own that waits for its disk as a real one does. First a million films and series with
ratings, ten million principals and two million names, twice; while it is loaded the first time, somebody reads pages.
Then twelve million lines of the whole of IMDb. It needs 15 GB of disk and a quarter of an hour.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import asyncpg
from sqlalchemy import make_url

from app.core.embedded_postgres import embedded_postgres
from bench.imdb_files import write_datasets
from bench.report import write_section

PAGE = "SELECT * FROM movies JOIN movie_counts ON movie_id = id ORDER BY created_at DESC, id DESC LIMIT 20"
FOUND = "SELECT id FROM movies WHERE words @@ plainto_tsquery('english', 'drama 1999') LIMIT 20"
HEADINGS = ("", "titles taken", "seconds", "titles/s", "memory, MB")


@dataclass(frozen=True)
class Run:
    """A run of the command: its time, the most memory that it ever had, and what it said."""

    seconds: float
    megabytes: float
    said: str


class Reader(threading.Thread):
    """Reads a page and a search over and over, until told to stop; how long each took, in milliseconds."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._dsn, self.ended = dsn, threading.Event()
        self.pages: list[float] = []
        self.searches: list[float] = []

    def run(self) -> None:
        asyncio.run(self._read())

    async def _read(self) -> None:
        connection = await asyncpg.connect(self._dsn)
        while not self.ended.is_set():
            for query, times in ((PAGE, self.pages), (FOUND, self.searches)):
                before = time.perf_counter()
                await connection.fetch(query)
                times.append(1000 * (time.perf_counter() - before))
            await asyncio.sleep(0.1)
        await connection.close()


def main() -> None:
    """Measure, and write the figures down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("report", type=Path, nargs="?")
    parser.add_argument("--titles", type=int, default=1_000_000)
    parser.add_argument("--whole", type=int, default=12_000_000)
    parser.add_argument("--folder", type=Path, help="where the disk has room")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="movie-finder-bench-", dir=given.folder) as name:
        rows = _measure(Path(name), given.titles, given.whole)
    for row in rows:
        print(*row, sep=" | ")
    if given.report:
        write_section(given.report, "import", HEADINGS, rows)


def _measure(folder: Path, titles: int, whole: int) -> list[list[str]]:
    folder.chmod(0o755)
    rows = []
    if titles:
        files = folder / "cinema"
        files.mkdir()
        write_datasets(files, titles=titles, people=2 * titles)
        with _service(folder / "first") as environment:
            reader = Reader(environment["DSN"])
            reader.start()
            try:
                first = _run(files, environment)
            finally:
                reader.ended.set()
                reader.join()
            rows.append(_row(f"{titles:,} titles, {10 * titles:,} principals, {2 * titles:,} names", first, titles))
            rows.append(_row("the same again, nothing changed", _run(files, environment), titles))
        for what, times in (("page", reader.pages), ("search", reader.searches)):
            p50, worst = statistics.median(times), max(times)
            print(
                f"== a {what} meanwhile: p50 {p50:.1f} ms, p99 {sorted(times)[-len(times) // 100]:.1f}, max {worst:.1f}"
            )
    if whole:
        files = folder / "imdb"
        files.mkdir()
        write_datasets(files, titles=whole, people=2 * whole, cast=2, mix="imdb")
        with _service(folder / "second") as environment:
            run = _run(files, environment)
        rows.append(_row(f"{whole:,} titles as in IMDb, {2 * whole:,} principals and as many names", run, None))
    return rows


def _row(name: str, run: Run, titles: int | None) -> list[str]:
    taken = titles or int(run.said.split(" read, ")[1].split(" taken")[0].replace(",", ""))
    return [name, f"{taken:,}", f"{run.seconds:.0f}", f"{taken / run.seconds:,.0f}", f"{run.megabytes:.0f}"]


@contextmanager
def _service(folder: Path) -> Iterator[dict[str, str]]:
    """An empty database, and what a command finds it by."""
    folder.mkdir(mode=0o755)
    with embedded_postgres(folder) as url:
        dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        environment = {**os.environ, "DATABASE_URL": url, "SECRET_KEY": "x" * 48, "DSN": dsn}
        subprocess.run([sys.executable, "-m", "app.cli", "migrate"], env=environment, check=True)
        yield environment


def _run(files: Path, environment: dict[str, str]) -> Run:
    """Run the command."""
    before = time.monotonic()
    with TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "import-imdb", str(files)], env=environment, stdout=said
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"the import ended with status {process.returncode}")
        said.seek(0)
        return Run(time.monotonic() - before, usage.ru_maxrss / 1024, said.read().decode())


if __name__ == "__main__":
    main()
