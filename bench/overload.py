"""What becomes of the service when more is asked of it than it can do: `python -m bench.overload FILE`.

Writes a table into FILE and a plot beside it: one process, its best throughput with clients that wait for their
answers, and then arrivals at up to three times that, which do not wait.
"""

import asyncio
import sys
from pathlib import Path

import pygal
from sqlalchemy import make_url

from app.core.database import Database
from app.core.embedded_postgres import embedded_postgres
from app.movies.sample import load_sample
from bench.loads import Load, arriving, waiting
from bench.report import write_section
from tests.conftest import SECRET_KEY, open_folder
from tests.processes import movie_finder, running

PATH = "/movies/?limit=12"
CLIENTS, SECONDS = 32, 10.0
TIMES = (0.5, 0.8, 1.0, 1.5, 2.0, 3.0)


async def measure(url: str) -> list[tuple[float, Load]]:
    """The load at each multiple of the best throughput; the first is of clients that wait."""
    await waiting(url, CLIENTS, SECONDS / 3)  # caches are warm, and connections open
    best = await waiting(url, CLIENTS, SECONDS)
    found = [(0.0, best)]
    for times in TIMES:
        found.append((times, await arriving(url, times * best.throughput, SECONDS)))
        sys.stdout.write(f"{times}: {found[-1][1].throughput:.0f} served a second\n")
        sys.stdout.flush()
        await asyncio.sleep(2)
    return found


def row(times: float, load: Load, best: float) -> list[str]:
    """A line of the table."""
    refused = sum(load.refused.values()) + load.unsent
    return [
        f"{times:g} × best" if times else f"{CLIENTS} clients that wait",  # noqa: RUF001
        f"{times * best:,.0f}" if times else "–",  # noqa: RUF001
        f"{load.throughput:,.0f}",
        f"{load.throughput / best:.0%}",
        f"{refused / load.seconds:,.0f}",
        f"{load.percentile(0.5) * 1000:.0f} ms",
        f"{load.percentile(0.99) * 1000:.0f} ms",
    ]


def plot(file: Path, found: list[tuple[float, Load]], best: float) -> None:
    """The curve of what was served over what arrived."""
    chart = pygal.XY(title="Served over arriving requests a second", x_title="arriving", y_title="served", width=800)
    chart.add("served", [(times * best, load.throughput) for times, load in found if times])
    chart.add("90 % of the best", [(0, 0.9 * best), (max(TIMES) * best, 0.9 * best)], show_dots=False)
    file.write_bytes(chart.render())


def main(file: Path) -> None:
    """Measure, and write down."""
    with open_folder() as folder, embedded_postgres(folder / "postgres") as database_url:
        environment = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET_KEY, "RUN_JOBS": "false"}
        movie_finder(folder, "migrate", **environment)
        asyncio.run(fill(database_url))
        with running("serve", folder, **environment) as service:
            found = asyncio.run(measure(f"{service.url}{PATH}"))
    best = found[0][1].throughput
    headings = ["load", "arriving a second", "served a second", "of the best", "refused a second", "p50", "p99"]
    write_section(file, "overload", headings, [row(times, load, best) for times, load in found])
    plot(file.with_name("overload.svg"), found, best)


async def fill(database_url: str) -> None:
    """The sample catalogue."""
    database = Database(make_url(database_url))
    await load_sample(database)
    await database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
