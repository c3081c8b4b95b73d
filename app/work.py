"""The work behind the requests, gathered: what a worker of this deployment can do, and when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import URL

from app.auth.mails import MAIL_DEADLINE, MAIL_PATIENCE, MAIL_TASK, AccountMails
from app.auth.repository import purge_expired
from app.core.database import Database
from app.core.jobs import Jobs, purge_jobs
from app.movies.answers import SearchAnswerRepository
from app.settings import Settings
from app.upstream.mail import configured_mailer

# One for the queue, the others for the jobs. A pool of its own: requests and jobs starve each other of nothing.
CONNECTIONS = 4
STATEMENT_TIMEOUT_SECONDS = 30.0
# Every hour, and not at the full one, when everybody else's does.
PURGE_TIMES = "17 * * * *"

log = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def working(settings: Settings, url: URL | str) -> AsyncIterator[None]:
    """Do the work behind the requests for as long as the block runs; its failures end nothing."""
    async with _database(url) as database, known_jobs(settings, database).running(database):
        yield


async def work(settings: Settings, url: URL | str, stop: asyncio.Event) -> None:
    """Do the work behind the requests until `stop` is set."""
    async with _database(url) as database:
        await known_jobs(settings, database).work(database, stop)


def known_jobs(settings: Settings, database: Database) -> Jobs:
    """All jobs that this deployment can do. What it lacks the settings for waits for a worker that has them."""
    jobs = Jobs()
    mailer = configured_mailer(settings)
    if mailer is None:
        log.warning("mails are not sent, and wait: EMAIL_HOST is not set")
    else:
        mails = AccountMails(database, mailer, settings.frontend_url)
        jobs.task(MAIL_TASK, patience=MAIL_PATIENCE, deadline=MAIL_DEADLINE)(mails.send)

    @jobs.schedule("purge", PURGE_TIMES)
    async def purge() -> None:
        """Forget what has had its time."""
        async with database.transaction() as session:
            await purge_expired(session)
            await SearchAnswerRepository(session).purge()
        async with database.transaction() as session:
            await purge_jobs(session)

    return jobs


@asynccontextmanager
async def _database(url: URL | str) -> AsyncIterator[Database]:
    database = Database(url, pool_size=CONNECTIONS, statement_timeout=STATEMENT_TIMEOUT_SECONDS)
    try:
        yield database
    finally:
        await database.close()
