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
    """Reads a page and a search every second, until told to stop; how long each took, in milliseconds.

    Not more often: what readers take of the two cores is no part of what an import takes.
    """

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
            await asyncio.sleep(1)
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
        folder = Path(name)
        folder.chmod(0o755)
        sections = {}
        if given.titles:
            sections["cinema"] = _measure_cinema(folder, given.titles)
        if given.whole:
            sections["whole"] = _measure_whole(folder, given.whole)
    for section, rows in sections.items():
        for row in rows:
            print(*row, sep=" | ")
        if given.report:
            write_section(given.report, section, HEADINGS, rows)


def _measure_cinema(folder: Path, titles: int) -> list[list[str]]:
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
        again = _run(files, environment)
    rows = [
        _row(f"{titles:,} titles, {10 * titles:,} principals, {2 * titles:,} names", first, titles),
        _row("the same files again", again, titles),
    ]
    for what, times in (("a page", reader.pages), ("a search in the words", reader.searches)):
        p99 = statistics.quantiles(times, n=100)[-1]
        print(
            f"== {what}, read meanwhile: p50 {statistics.median(times):.0f} ms, p99 {p99:.0f}, at most {max(times):.0f}"
        )
    return rows


def _measure_whole(folder: Path, titles: int) -> list[list[str]]:
    files = folder / "imdb"
    files.mkdir()
    write_datasets(files, titles=titles, people=titles, cast=2, mix="imdb")
    with _service(folder / "second") as environment:
        return [
            _row(f"{titles:,} titles as in IMDb, {2 * titles:,} principals, {titles:,} names", _run(files, environment))
        ]


def _row(name: str, run: Run, titles: int | None = None) -> list[str]:
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
