"""What `bench.performance` found, as tables and plots."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pygal

from bench.report import NONE, write_section
from bench.wrk import Measured, version

PACKAGES = ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "sqlalchemy", "asyncpg", "pydantic")
# Beside the limit: what a client asks, whether as somebody, and the share of the limit's throughput that is wanted.
AGAINST = {
    "page": ("/movies/", False, 0.6),
    "one movie": ("/movies/7/", False, 0.5),
    "own page": ("/movies/", True, 0.45),
}
# `{}` stands for a word or a number that is another at every request.
FILTERS = (
    "/movies/?title={word}",
    "/movies/?genres={genre}",
    "/movies/?genres={genre}&ordering=-imdb_rating",
    "/movies/?year={year}",
    "/movies/?rating_min={rating}",
    "/movies/?title={word}&genres={genre}&year={year}",
    "/movies/?genres={genre}&rating_min={rating}&ordering=-imdb_rating",
    "/movies/?search={word}",
)


@dataclass
class Found:
    """What was found at one size."""

    start: float
    against: dict[str, tuple[Measured, Measured]]
    reads: dict[str, Measured]
    statements: dict[str, tuple[int, int]]
    filters: dict[str, Measured]


def report(file: Path, found: Mapping[int, Found], searches: Sequence[Sequence[str]], postgres: str) -> None:
    """Write the tables, and the plots beside them."""
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
        growth = f"{last.p50 / first.p50 - 1:+.0%}" if first else NONE
        statements, size = found[largest].statements[path]
        rows.append(
            [
                f"`{path}`",
                *(at.reads[path].times if path in at.reads else NONE for at in found.values()),
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
    write_section(file, "searches", ["searches", "measured", "wanted"], searches)
    write_section(file, "machine", ["", ""], machine(postgres))
    _plot_throughput(file.with_name("performance-limit.svg"), found)
    _plot_growth(file.with_name("performance-reads.svg"), found)


def machine(postgres: str) -> list[list[str]]:
    """What it was measured on, and with."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line for line in lines if "model name" in line), ": unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        ["machine", f"{os.cpu_count()} cores ({model.partition(': ')[2]}), {memory:.0f} GB, {platform.system()}"],
        ["Python", platform.python_version()],
        ["PostgreSQL", postgres],
        ["wrk", version()],
        *([name, metadata.version(name)] for name in PACKAGES),
    ]


def _plot_throughput(file: Path, found: Mapping[int, Found]) -> None:
    style = {"width": 800, "height": 460, "legend_at_bottom": True, "truncate_label": -1, "x_label_rotation": 30}
    chart = pygal.Bar(title="Requests a second, 16 clients", **style)
    chart.x_labels = [f"{name}, {size:,}" for size in found for name in AGAINST]
    pairs = [at.against[name] for at in found.values() for name in AGAINST]
    chart.add("the service", [round(ours.throughput) for ours, _ in pairs])
    chart.add("the limit", [round(theirs.throughput) for _, theirs in pairs])
    file.write_bytes(chart.render())


def _plot_growth(file: Path, found: Mapping[int, Found]) -> None:
    chart = pygal.HorizontalBar(
        title="p50 of a read, one client, in ms", width=800, height=1_100, legend_at_bottom=True
    )
    paths = [path for path in found[max(found)].reads if all(path in at.reads for at in found.values())]
    chart.x_labels = paths
    for size, at in found.items():
        chart.add(f"{size:,} movies", [at.reads[path].p50 for path in paths])
    file.write_bytes(chart.render())
