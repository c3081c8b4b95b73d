"""`movie-finder import-django`: moving over from the Django service."""

import signal
from typing import Annotated

import typer

from app.cli.database import with_database
from app.core.observability import configure_logging
from app.settings import load_settings
from app.takeover.service import move_over

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
