"""What becomes of the service when more is asked of it than it can do: `python -m bench.overload FILE`.

Writes a table into FILE and a plot beside it: one process, its best throughput with clients that wait for their
answers, and then arrivals at up to three times that, which do not wait.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pygal
import uvloop
from sqlalchemy import make_url

from app.core.database import Database
from app.core.embedded_postgres import embedded_postgres
from app.core.overload import CALM_SECONDS
from app.movies.sample import load_sample
from bench.loads import Load, arriving, waiting
from bench.report import NONE, write_section
from tests.conftest import SECRET_KEY, open_folder
from tests.processes import movie_finder, running

PATH = "/movies/?limit=12"
CLIENTS, SECONDS, ROUNDS = 32, 4.0, 5
TIMES = (0.5, 0.8, 1.0, 1.5, 2.0, 3.0)
WAITING = 0.0


@dataclass
class Measured:
    """What came of a load in one round, beside the best of that round: the machine is not as fast in every minute."""

    load: Load
    best: float

    @property
    def share(self) -> float:
        """Of the best throughput."""
        return self.load.throughput / self.best


async def measure(url: str) -> dict[float, list[Measured]]:
    """The loads at each multiple of the best throughput, round by round; at `WAITING` that of clients that wait."""
    await waiting(url, CLIENTS, SECONDS)  # caches are warm, and connections open
    found: dict[float, list[Measured]] = {times: [] for times in (WAITING, *TIMES)}
    for _ in range(ROUNDS):
        for times in TIMES:
            await asyncio.sleep(2 * CALM_SECONDS)  # nothing is left of the load before
            best = await waiting(url, CLIENTS, SECONDS)
            load = await arriving(url, times * best.throughput, SECONDS)
            found[WAITING].append(Measured(best, best.throughput))
            found[times].append(Measured(load, best.throughput))
            sys.stdout.write(f"{times}: {load.throughput:.0f} of {best.throughput:.0f} served a second\n")
            sys.stdout.flush()
    return found


def row(times: float, rounds: Sequence[Measured]) -> list[str]:
    """A line of the table: the middle of all rounds, and how the share of the best varied."""

    def middle(value: Callable[[Measured], float]) -> float:
        return median(value(measured) for measured in rounds)

    shares = [measured.share for measured in rounds]
    return [
        f"{times:g} × best" if times else f"{CLIENTS} clients that wait",  # noqa: RUF001
        f"{middle(lambda m: times * m.best):,.0f}" if times else NONE,
        f"{middle(lambda m: m.load.throughput):,.0f}",
        f"{median(shares):.0%} ({min(shares):.0%} to {max(shares):.0%})" if times else "100%",
        f"{middle(lambda m: (sum(m.load.refused.values()) + m.load.unsent) / m.load.seconds):,.0f}",
        f"{middle(lambda m: m.load.percentile(0.5)) * 1000:.0f} ms",
        f"{middle(lambda m: m.load.percentile(0.99)) * 1000:.0f} ms",
    ]


def plot(file: Path, found: Mapping[float, Sequence[Measured]]) -> None:
    """The curve of what was served over what arrived, both as shares of the best."""
    chart = pygal.XY(
        title="Served over arriving requests", x_title="arriving / best", y_title="served / best", width=800
    )
    chart.add("served", [(times, median(m.share for m in found[times])) for times in TIMES])
    chart.add("90 % of the best", [(0, 0.9), (max(TIMES), 0.9)], show_dots=False)
    file.write_bytes(chart.render())


def main(file: Path) -> None:
    """Measure, and write down."""
    with open_folder() as folder, embedded_postgres(folder / "postgres") as database_url:
        environment = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET_KEY, "RUN_JOBS": "false"}
        movie_finder(folder, "migrate", **environment)
        asyncio.run(fill(database_url))
        with running("serve", folder, **environment) as service:
            # The load is made on the same cores: it must take as little of them as it can.
            found = uvloop.run(measure(f"{service.url}{PATH}"))
    headings = ["load", "arriving a second", "served a second", "of the best", "refused a second", "p50", "p99"]
    write_section(file, "overload", headings, [row(times, rounds) for times, rounds in found.items()])
    plot(file.with_name("overload.svg"), found)


async def fill(database_url: str) -> None:
    """The sample catalogue."""
    database = Database(make_url(database_url))
    await load_sample(database)
    await database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
