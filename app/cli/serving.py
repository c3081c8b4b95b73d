"""`movie-finder run`, `serve` and `worker`: what runs until it is told to stop."""

import asyncio
import errno
import signal
import socket
from typing import Annotated

import typer
from sqlalchemy import URL

from app.cli.configuration import keep_a_secret_key, keep_mails
from app.cli.database import bring_up_to_date, is_migrated, with_database
from app.cli.server import serve as serve_application
from app.core.database import database_url
from app.core.observability import configure_logging
from app.movies.sample import load_sample_if_empty
from app.settings import Settings, load_settings
from app.work import work

commands = typer.Typer()
Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(help="The port to listen on.", min=1, max=65535)]


@commands.command()
def run(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Try the service out: make what is missing (a key, a database, a catalogue), then serve."""
    keep_a_secret_key()
    keep_mails()
    settings = load_settings()
    _refuse_taken_port(host, port)
    with database_url(settings):
        if not with_database(settings, is_migrated):
            bring_up_to_date()
        if loaded := with_database(settings, load_sample_if_empty):
            typer.echo(f"Loaded the sample catalogue: {loaded} titles.")
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        typer.echo(f"\n  Movie Finder API   {address}/\n  Documentation      {address}/api/swagger/\n")
        serve_application(host, port)


@commands.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(help="How many processes.", min=1)] = 1,
) -> None:
    """Serve, with a database that has been migrated."""
    with database_url(load_settings()):
        serve_application(host, port, workers)


@commands.command()
def worker() -> None:
    """Do the work behind the requests, in a process of its own; web processes with RUN_JOBS=false leave it to this."""
    settings = load_settings()
    configure_logging(settings.log_level)
    with database_url(settings) as url:
        asyncio.run(_work(settings, url))


async def _work(settings: Settings, url: URL | str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await work(settings, url, stop)


def _refuse_taken_port(host: str, port: int) -> None:
    """Say so before anything is started, and in one line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            hint = "; choose another with PORT=" if error.errno == errno.EADDRINUSE else ""
            raise SystemExit(f"movie-finder: cannot listen on {host}:{port}: {error.strerror}{hint}") from None
