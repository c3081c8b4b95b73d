"""What is counted for Prometheus, under one prefix; the rooms above count what is theirs with `counter`.

With several workers each counts into files of its own in a folder that they share (`PROMETHEUS_MULTIPROC_DIR`, which
`movie-finder serve` sets), and whichever of them is asked adds up. The library looks for that folder when it is
imported, so it is set before the workers start.
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client import generate_latest as exposition
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE = CONTENT_TYPE_LATEST
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "movie_finder"
# Seconds. A page of the catalogue takes milliseconds, an AI search up to half a minute.
REQUEST_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
STATEMENT_BUCKETS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0)
disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each, which nobody reads


def counter(name: str, documentation: str, labels: Sequence[str] = ()) -> Counter:
    """Something that is counted. Labels take few values: each makes a series of its own."""
    return Counter(f"{PREFIX}_{name}", documentation, labels)


def _gauge(name: str, documentation: str, labels: Sequence[str] = ()) -> Gauge:
    """What is so at the moment, added up over the workers that live."""
    return Gauge(f"{PREFIX}_{name}", documentation, labels, multiprocess_mode="livesum")


def _histogram(name: str, documentation: str, labels: Sequence[str], buckets: Sequence[float]) -> Histogram:
    return Histogram(f"{PREFIX}_{name}", documentation, labels, buckets=buckets)


REQUESTS = _histogram(
    "request_seconds", "Requests, by route, method and status.", ["route", "method", "status"], REQUEST_BUCKETS
)
REFUSED = counter("requests_refused", "Requests refused since more were under way than can be answered.")
STATEMENTS = _histogram("sql_seconds", "SQL statements that came to an end.", [], STATEMENT_BUCKETS)
CONNECTIONS_IN_USE = _gauge("database_connections_in_use", "Connections taken from a pool.", ["pool"])
CONNECTIONS = _gauge("database_connections", "The pools' sizes.", ["pool"])
UPSTREAM_CALLS = counter("upstream_calls", "Calls of outside services, by how they ended.", ["service", "outcome"])
UPSTREAM_SECONDS = _histogram(
    "upstream_seconds", "Calls of outside services, retries included.", ["service"], REQUEST_BUCKETS
)
UPSTREAM_RETRIES = counter("upstream_retries", "Calls that were tried again.", ["service"])
BREAKERS_OPEN = _gauge("upstream_breakers_open", "Workers that leave a failing service alone.", ["service"])
THROTTLED = counter("throttles", "What throttles were asked for: taken, or refused.", ["throttle", "outcome"])
THROTTLES_FAILED_OPEN = counter("throttles_failed_open", "Requests let through since no throttle could be asked.")
THROTTLE_FALLBACKS = counter("throttle_fallbacks", "How often Redis went away, and a process counted for itself.")
THROTTLES_IN_MEMORY = _gauge("throttles_in_memory", "Processes that count for themselves while Redis is away.")


def shown(figures: Sequence[Metric]) -> bytes:
    """Everything that was counted, by all workers, with `figures` beside it, as Prometheus reads it."""
    registry = CollectorRegistry()
    registry.register(_Figures(figures))
    if FOLDER_VARIABLE not in os.environ:
        return exposition(REGISTRY) + exposition(registry)
    _Workers(registry)  # type: ignore[no-untyped-call]
    return exposition(registry)


def forget_worker(pid: int, folder: Path) -> None:
    """Take what was so for a worker that has died out of the sums; what it counted stays counted."""
    with suppress(FileNotFoundError):
        mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


class _Workers(MultiProcessCollector):
    """The library's sums, which one worker that just begins would break: a file is there before anything is in it."""

    def collect(self) -> Iterable[Metric]:
        files = [str(file) for file in Path(self._path).glob("*.db") if _size(file)]
        return cast("Iterable[Metric]", self.merge(files))  # type: ignore[no-untyped-call]


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # of a worker that has died
        return 0


class _Figures:
    def __init__(self, figures: Sequence[Metric]) -> None:
        self._figures = figures

    def collect(self) -> Sequence[Metric]:
        return self._figures
