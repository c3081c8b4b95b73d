"""`movie-finder import-django` and `import-imdb`: what comes from elsewhere, much at once."""

import gc
import signal
from pathlib import Path
from typing import Annotated

import typer

from app.cli.database import with_database
from app.cli.progress import progress
from app.core.observability import configure_logging
from app.imdb_datasets.choice import FEWEST_VOTES, KINDS, Choice, parse_kinds
from app.imdb_datasets.service import WRITERS, DatasetImport
from app.settings import load_settings
from app.takeover.service import move_over

# Allocations, after which Python looks for garbage: many times what it does by itself.
SELDOM = 100_000
commands = typer.Typer()


@commands.command("import-django")
def import_django(
    dsn: Annotated[
        str,
        typer.Argument(
            envvar="DJANGO_DATABASE_URL",
            help="The Django service's database, postgresql://user:password@host/name. On the command line other users "
            "of the machine may see it; in the variable they cannot.",
        ),
    ],
) -> None:
    """Take over users, movies and lists from a database of the Django service, with their ids and times.

    Nothing is written there, and here all of it or nothing. May be done again: what is new there is added, what has
    changed there is changed here unless it has been used or changed here since, and nothing is taken away.
    """
    # Unlike a service, this has not done what it was for when it is told to stop.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = load_settings()
    configure_logging(settings.log_level)
    typer.echo(with_database(settings, lambda database: move_over(database, dsn)))


@commands.command("import-imdb")
def import_imdb(
    folder: Annotated[Path, typer.Argument(help="Where IMDb's title.*.tsv.gz and name.basics.tsv.gz are.")],
    *,
    kinds: Annotated[str, typer.Option(help=f"Some of {', '.join(KINDS)}, comma-separated.")] = "movie,series",
    adult: Annotated[bool, typer.Option("--adult", help="Take adult titles too.")] = False,
    min_votes: Annotated[
        int, typer.Option(help="Leave out titles with fewer votes; 0 takes those without a rating too.", min=0)
    ] = FEWEST_VOTES,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew where an import of these files was broken off.")
    ] = False,
) -> None:
    """Load IMDb's dataset files (for personal and non-commercial use) into the catalogue.

    Keeps what OMDb gave, and fills what is missing. May be done again, with the same files or newer ones: only what has
    changed is written, and nothing is taken away. Broken off, the same command goes on where it stopped.
    """
    # Unlike a service, this has not done what it was for when it is told to stop.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        choice = Choice(parse_kinds(kinds), adult=adult, min_votes=min_votes)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--kinds") from None
    settings = load_settings()
    configure_logging(settings.log_level)
    # All that was imported stays, and a batch has no cycles: a tenth of the time would go into looking for some.
    gc.freeze()
    gc.set_threshold(SELDOM)
    with progress() as shown:
        report = with_database(
            settings,
            lambda database: DatasetImport(database, folder, choice, shown).run(restart=restart),
            connections=WRITERS,
        )
    typer.echo(report)
