"""`movie-finder`: the service's command line."""

import asyncio
import errno
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, TypeVar

import typer
import uvicorn
from dotenv import dotenv_values
from pydantic import ValidationError
from sqlalchemy import URL

import migrations
from app.admin.administration import Administration, Refused
from app.auth.passwords import Passwords
from app.auth.repository import normal_email
from app.auth.schemas import Signup
from app.core.database import Database, database_url
from app.core.embedded_postgres import EmbeddedPostgresError
from app.core.observability import configure_logging
from app.core.problems import Problem
from app.core.schema import is_migrated
from app.movies.enrichment import Enrichment, Freshness
from app.movies.sample import load_sample, load_sample_if_empty
from app.settings import Settings, load_settings
from app.upstream.errors import UpstreamError
from app.upstream.services import upstream_services
from app.work import work

# Requests in flight have so long to finish once the service is told to stop.
SHUTDOWN_SECONDS = 20
T = TypeVar("T")

commands = typer.Typer(
    name="movie-finder",
    help="The Movie Finder API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(help="The port to listen on.", min=1, max=65535)]


@commands.command()
def run(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Try the service out: make what is missing (a key, a database, a catalogue), then serve."""
    _keep_a_secret_key()
    _keep_mails()
    settings = load_settings()
    _refuse_taken_port(host, port)
    with database_url(settings):
        if not asyncio.run(_with_database(settings, _is_migrated)):
            _migrate()
        if loaded := asyncio.run(_with_database(settings, load_sample_if_empty)):
            typer.echo(f"Loaded the sample catalogue: {loaded} titles.")
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        typer.echo(f"\n  Movie Finder API   {address}/\n  Documentation      {address}/api/swagger/\n")
        _serve(host, port)


@commands.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(help="How many processes.", min=1)] = 1,
) -> None:
    """Serve, with a database that has been migrated."""
    with database_url(load_settings()):
        _serve(host, port, workers)


@commands.command()
def worker() -> None:
    """Do the work behind the requests, in a process of its own; web processes with RUN_JOBS=false leave it to this."""
    settings = load_settings()
    configure_logging(settings.log_level)
    with database_url(settings) as url:
        asyncio.run(_work(settings, url))


@commands.command()
def migrate() -> None:
    """Bring the database's schema up to date; several at once migrate once."""
    configure_logging(load_settings().log_level)
    _migrate()


@commands.command("create-admin")
def create_admin(
    email: Annotated[str, typer.Option(help="The administrator's address; an account that it has is raised.")],
    password: Annotated[
        str | None, typer.Option(help="Without this it is asked for; here, other users of the machine may see it.")
    ] = None,
) -> None:
    """Make an administrator: staff, in tier admin, with this password."""
    _keep_a_secret_key(make=False)
    settings = load_settings()
    if password is None:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt="The same once more")
    try:
        entry = Signup(email=email, password=password)
    except ValidationError as error:
        faults = "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors(include_input=False))
        raise SystemExit(f"movie-finder: {faults}") from None

    async def make(database: Database) -> bool:
        if not await _is_migrated(database):
            raise Refused("the database is not migrated: run `movie-finder migrate` first")
        return await Administration(database).make_administrator(entry.email, entry.password, Passwords())

    is_new = asyncio.run(_with_database(settings, make))
    typer.echo(f"{normal_email(entry.email)} is an administrator now{'' if is_new else ', with a new password'}.")


@commands.command("load-sample")
def load_sample_command() -> None:
    """Load the sample catalogue; may be done again and again."""
    loaded = asyncio.run(_with_database(load_settings(), load_sample))
    typer.echo(f"Loaded the sample catalogue: {loaded} titles.")


@commands.command("refresh-titles")
def refresh_titles(
    calls: Annotated[int, typer.Option(help="How many upstream calls may be made.", min=1)] = 100,
) -> None:
    """Fetch the oldest titles that are out of date anew, within a budget of upstream calls."""
    settings = load_settings()
    configure_logging(settings.log_level)

    async def refresh(database: Database) -> int:
        async with upstream_services(settings) as upstream:
            if upstream.titles is None:
                raise typer.BadParameter("OMDB_API_KEY or IMDB_API_KEY must be set")
            return await Enrichment(database, upstream.titles, Freshness.configured(settings)).refresh(calls)

    typer.echo(f"Refreshed {asyncio.run(_with_database(settings, refresh))} titles.")


def main() -> None:
    """Run a command; what goes wrong outside the program ends it with one line."""
    signal.signal(signal.SIGTERM, _exit_cleanly)
    try:
        commands()
    except (EmbeddedPostgresError, Problem, Refused, UpstreamError) as error:
        raise SystemExit(f"movie-finder: {error}") from None


def _exit_cleanly(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM is how a service is asked to stop: it has done so, and nothing is wrong."""
    sys.exit(0)


def _serve(host: str, port: int, workers: int = 1) -> None:
    uvicorn.run(
        "app.main:app",
        host=host,
        port=port,
        workers=workers,
        lifespan="on",
        log_config=None,  # the application's own, structured
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application trusts TRUSTED_PROXIES, and reads X-Forwarded-Host too
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


async def _work(settings: Settings, url: URL | str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await work(settings, url, stop)


async def _is_migrated(database: Database) -> bool:
    async with database.reading() as session:
        return await is_migrated(session)


def _migrate() -> None:
    from alembic import command  # noqa: PLC0415 - half a second, which most starts need not spend
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    command.upgrade(config, "head")


async def _with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    with database_url(settings) as url:
        database = Database(url, pool_size=1, statement_timeout=None)
        try:
            return await work(database)
        finally:
            await database.close()


def _keep_mails() -> None:
    """Where no EMAIL_HOST is configured, mails go to `.data/mail/`, and the log names their files."""
    configured = _configured()
    if not (configured.get("EMAIL_HOST") or configured.get("EMAIL_FOLDER")):
        os.environ["EMAIL_FOLDER"] = str(Path(configured.get("DATA_DIR") or ".data") / "mail")


def _configured() -> dict[str, str | None]:
    return {**dotenv_values(".env"), **os.environ}


def _keep_a_secret_key(*, make: bool = True) -> None:
    """Where no SECRET_KEY is configured, use the one in `.data/`, made on the first start."""
    configured = _configured()
    if configured.get("SECRET_KEY") or configured.get("DJANGO_KEY"):
        return
    file = Path(configured.get("DATA_DIR") or ".data") / "secret_key"
    if make and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"secret_key.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
            handle.write(secrets.token_hex(32))
        draft.rename(file)  # whole or not at all, whenever this is interrupted
    if file.exists():
        os.environ["SECRET_KEY"] = file.read_text()


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


if __name__ == "__main__":
    main()
