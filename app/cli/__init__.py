"""`movie-finder`: the service's command line."""

import signal
import sys
from types import FrameType

import typer

from app.admin.administration import Refused
from app.ai.top import NotRefreshed
from app.cli import keeping, moving, serving
from app.core.embedded_postgres import EmbeddedPostgresError
from app.core.problems import Problem
from app.imdb_datasets.problems import DatasetImportStopped
from app.takeover.problems import TakeoverRefused
from app.upstream.errors import UpstreamError

commands = typer.Typer(
    name="movie-finder",
    help="The Movie Finder API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
commands.add_typer(serving.commands)
commands.add_typer(keeping.commands)
commands.add_typer(moving.commands)


def main() -> None:
    """Run a command; what goes wrong outside the program ends it with one line."""
    signal.signal(signal.SIGTERM, _exit_cleanly)
    try:
        commands()
    except (
        *(EmbeddedPostgresError, NotRefreshed, Problem, Refused, TakeoverRefused, UpstreamError),
        DatasetImportStopped,
    ) as error:
        raise SystemExit(f"movie-finder: {error}") from None


def _exit_cleanly(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM is how a service is asked to stop: it has done so, and nothing is wrong."""
    sys.exit(0)
