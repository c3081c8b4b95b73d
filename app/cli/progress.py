"""How far a long command is: a bar on a terminal, else a line now and then."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

log = structlog.stdlib.get_logger(__name__)
EVERY_SECONDS = 10.0


class Lines:
    """For logs: a line when a step begins, and one now and then.

    Args:
        every: how many seconds apart.
    """

    def __init__(self, every: float = EVERY_SECONDS) -> None:
        self._every = every
        self._step, self._began, self._said = "", 0.0, 0.0

    def show(self, step: str, position: int, size: int, titles: int = 0) -> None:
        """Say how far a step is."""
        now = time.monotonic()
        is_new = step != self._step
        if is_new:
            self._step, self._began = step, now
        if is_new or now - self._said >= self._every:
            self._said = now
            log.info("reading", step=step, **_figures(now - self._began, position, size, titles))


class Bar:
    """For a person at a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, tuple[TaskID, float]] = {}

    def show(self, step: str, position: int, size: int, titles: int = 0) -> None:
        """Move the step's bar."""
        now = time.monotonic()
        if step not in self._tasks:
            self._tasks[step] = self._progress.add_task(step, total=size, rate=""), now
        task, began = self._tasks[step]
        rate = f"{titles:,} titles, {titles / (now - began):,.0f} a second" if titles else ""
        self._progress.update(task, completed=position, rate=rate)


@contextmanager
def progress() -> Iterator[Bar | Lines]:
    """Shows progress on standard error for as long as the block runs."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[rate]}"), console=console) as bars:
        yield Bar(bars)


def _figures(seconds: float, position: int, size: int, titles: int) -> dict[str, object]:
    figures: dict[str, object] = {"percent": 100 * position // size}
    if titles:
        figures |= {"titles": titles, "titles_a_second": round(titles / seconds)}
    if 0 < position < size:
        figures["seconds_left"] = round(seconds * (size - position) / position)
    return figures
