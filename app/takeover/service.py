"""Moving over: the whole of it, in one transaction."""

from typing import Any

import structlog
from sqlalchemy import Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import AccountTier, User
from app.collections.models import Collection, CollectionMovie, CollectionSubscription
from app.core.database import Database
from app.core.schema import is_migrated
from app.movies.models import Like, Movie, WatchLater
from app.takeover import staging
from app.takeover.accounting import Accounting
from app.takeover.collisions import refuse_taken_accounts, refuse_taken_ids
from app.takeover.findings import Findings
from app.takeover.problems import TakeoverRefused
from app.takeover.report import Report
from app.takeover.repository import TakeoverRepository
from app.takeover.selection import Selection
from app.takeover.source import snapshot

log = structlog.stdlib.get_logger(__name__)

Numbers = tuple[int, int]
# As the report calls them: what is staged, and a column of the table that it goes into.
COUNTED: tuple[tuple[str, Table, Any], ...] = (
    ("account tiers", staging.TIERS, AccountTier.id),
    ("users", staging.USERS, User.id),
    ("Google accounts", staging.GOOGLE_ACCOUNTS, User.google_subject),
    ("movies", staging.MOVIES, Movie.id),
    ("likes", staging.LIKES, Like.user_id),
    ("watch later", staging.WATCH_LATER, WatchLater.id),
    ("collections", staging.COLLECTIONS, Collection.id),
    ("movies in collections", staging.COLLECTION_MOVIES, CollectionMovie.movie_id),
    ("subscriptions", staging.SUBSCRIPTIONS, CollectionSubscription.user_id),
)


async def move_over(database: Database, dsn: str) -> Report:
    """Take users, movies and lists over from the Django service's database at `dsn`; all of it or nothing.

    May be done again: what is new there is added, what has changed there is changed here unless it has been used or
    changed here since, and nothing is taken away. The source is read in one snapshot. Until the rows are written,
    which is the smaller part of the time, the service goes on here as usual; then writers wait.

    Raises:
        TakeoverRefused: it cannot be done; nothing has been changed.
        DatabaseUnavailable: the connection to the service's own database broke; nothing has been changed.
    """
    async with database.reading() as session:
        if not await is_migrated(session):
            raise TakeoverRefused("the database is not migrated: run `movie-finder migrate` first")
    try:
        async with database.transaction() as session:
            report = await _move(session, dsn)
    except DBAPIError as error:
        raise TakeoverRefused(f"the service's own database refused a row: {error.orig}") from error
    log.info("moved over")
    return report


async def _move(session: AsyncSession, dsn: str) -> Report:
    findings = Findings()
    async with snapshot(dsn) as source:
        await staging.stage(session, source, findings)
    log.info("read all tables")
    await TakeoverRepository(session).lock()
    await _select(session, findings)
    numbers = await _copy(session)
    return await _report(session, findings, numbers)


async def _select(session: AsyncSession, findings: Findings) -> None:
    selection = Selection(session)
    await selection.select()
    for collection_id in await selection.number_positions():
        findings.change("collections", "several movies stood at one position: numbered anew, in order", collection_id)


async def _copy(session: AsyncSession) -> dict[Table, Numbers]:
    """Write what was selected; the numbers of rows that are new, and that were changed, by staged table."""
    repository = TakeoverRepository(session)
    await refuse_taken_ids(session)
    await repository.set_sequences()
    numbers = {staging.TIERS: await repository.copy_tiers()}
    updated = await repository.update_users()
    await refuse_taken_accounts(session)
    numbers[staging.USERS] = (await repository.add_users(), updated)
    numbers[staging.MOVIES] = await repository.copy_movies()
    numbers[staging.LIKES] = await repository.copy_likes()
    numbers[staging.WATCH_LATER] = await repository.copy_watch_later()
    numbers[staging.COLLECTIONS] = await repository.copy_collections()
    numbers[staging.COLLECTION_MOVIES] = await repository.copy_collection_movies()
    numbers[staging.SUBSCRIPTIONS] = await repository.copy_subscriptions()
    await repository.recount()
    await repository.analyze()
    return numbers


async def _report(session: AsyncSession, findings: Findings, numbers: dict[Table, Numbers]) -> Report:
    accounting = Accounting(session, findings)
    await accounting.note_tiers()
    # Google accounts are part of users: there is no telling which of them are new.
    lines = [await accounting.line(name, staged, key, *numbers.get(staged, ())) for name, staged, key in COUNTED]
    reasons = {name: await accounting.reasons(staged) for name, staged, _ in COUNTED}
    left_out = {name: found for name, found in reasons.items() if found}
    return Report([*lines, *await accounting.parts()], left_out, findings.changed)
