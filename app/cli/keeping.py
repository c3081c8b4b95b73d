"""`movie-finder migrate`, `create-admin`, `load-sample`, `refresh-titles`, `refresh-top`: what is done now and then."""

from typing import Annotated

import typer
from pydantic import ValidationError

from app.admin.administration import Administration, Refused
from app.ai.advice import Advisor
from app.ai.top import TopRenewal
from app.auth.passwords import Passwords
from app.auth.repository import normal_email
from app.auth.schemas import Signup
from app.cli.configuration import keep_a_secret_key
from app.cli.database import bring_up_to_date, is_migrated, with_database
from app.core.database import Database
from app.core.observability import configure_logging
from app.demo.service import load_demo
from app.movies.enrichment import Enrichment, Freshness
from app.movies.sample import load_sample
from app.settings import load_settings
from app.upstream.services import upstream_services

commands = typer.Typer()


@commands.command()
def migrate() -> None:
    """Bring the database's schema up to date; several at once migrate once."""
    configure_logging(load_settings().log_level)
    bring_up_to_date()


@commands.command("create-admin")
def create_admin(
    email: Annotated[str, typer.Option(help="The administrator's address; an account that it has is raised.")],
    password: Annotated[
        str | None, typer.Option(help="Without this it is asked for; here, other users of the machine may see it.")
    ] = None,
) -> None:
    """Make an administrator: staff, in tier admin, with this password."""
    keep_a_secret_key(make=False)
    settings = load_settings()
    if password is None:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt="The same once more")
    try:
        entry = Signup(email=email, password=password)
    except ValidationError as error:
        faults = "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors(include_input=False))
        raise SystemExit(f"movie-finder: {faults}") from None

    async def make(database: Database) -> bool:
        if not await is_migrated(database):
            raise Refused("the database is not migrated: run `movie-finder migrate` first")
        return await Administration(database).make_administrator(entry.email, entry.password, Passwords())

    is_new = with_database(settings, make)
    typer.echo(f"{normal_email(entry.email)} is an administrator now{'' if is_new else ', with a new password'}.")


@commands.command("load-sample")
def load_sample_command(
    *,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="Add three people with lists and ten public collections; prints their passwords."),
    ] = False,
) -> None:
    """Load the sample catalogue; may be done again and again."""
    settings = load_settings()
    loaded = with_database(settings, load_sample)
    typer.echo(f"Loaded the sample catalogue: {loaded} titles.")
    if demo:
        for account in with_database(settings, lambda database: load_demo(database, Passwords())):
            known = f"with the password {account.password}" if account.password else "there already, left as it is"
            typer.echo(f"{account.email}: {known}")


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

    typer.echo(f"Refreshed {with_database(settings, refresh)} titles.")


@commands.command("refresh-top")
def refresh_top() -> None:
    """Have Claude choose the top movies anew; a worker does it every Monday by itself."""
    settings = load_settings()
    configure_logging(settings.log_level)

    async def refresh(database: Database) -> int:
        async with upstream_services(settings) as upstream:
            return await TopRenewal(database, Advisor.configured(database, upstream)).refresh()

    typer.echo(f"Refreshed the top movies: {with_database(settings, refresh)}.")
