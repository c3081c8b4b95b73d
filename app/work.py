"""The work behind the requests, gathered: what a worker of this deployment can do, and when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncSession

from app.ai.advice import Advisor
from app.ai.recommendations import RECOMMEND_AT_ONCE, RECOMMEND_DEADLINE, RECOMMEND_TASK, RecommendationRenewal
from app.ai.top import TOP_TASK, TOP_TIMES, TopRenewal
from app.auth.mails import MAIL_DEADLINE, MAIL_PATIENCE, MAIL_TASK, AccountMails
from app.auth.quota import QuotaRepository
from app.auth.repository import purge_expired
from app.collections.imports import CollectionDestination
from app.core.database import Database
from app.core.figures import Figure
from app.core.jobs import Jobs, job_figures, purge_jobs
from app.core.leases import purge_leases
from app.imports.budget import LookupBudget
from app.imports.lookups import Lookups
from app.imports.repository import ImportRepository
from app.imports.service import IMPORT_TASK
from app.imports.work import IMPORT_DEADLINE, IMPORT_PATIENCE, IMPORTS_AT_ONCE, ImportWork
from app.movies.answers import purge_search_answers
from app.movies.enrichment import Enrichment, Freshness
from app.movies.resolution import TitleResolver
from app.settings import Settings
from app.upstream.mail import configured_mailer
from app.upstream.services import UpstreamServices, upstream_services
from app.watch_later.imports import QueueDestination

# One for the queue, the others for the jobs. A pool of its own: requests and jobs starve each other of nothing.
CONNECTIONS = 4
STATEMENT_TIMEOUT_SECONDS = 30.0
# Every hour, and not at the full one, when everybody else's does.
PURGE_TIMES = "17 * * * *"

log = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def working(settings: Settings, url: URL | str) -> AsyncIterator[None]:
    """Do the work behind the requests for as long as the block runs; its failures end nothing."""
    async with (
        _database(url) as database,
        upstream_services(settings) as upstream,
        known_jobs(settings, database, upstream).running(database),
    ):
        yield


async def work(settings: Settings, url: URL | str, stop: asyncio.Event) -> None:
    """Do the work behind the requests until `stop` is set."""
    async with _database(url) as database, upstream_services(settings) as upstream:
        await known_jobs(settings, database, upstream).work(database, stop)


def known_jobs(settings: Settings, database: Database, upstream: UpstreamServices) -> Jobs:
    """All jobs that this deployment can do. What it lacks the settings for waits for a worker that has them."""
    jobs = Jobs()
    mailer = configured_mailer(settings)
    if mailer is None:
        log.warning("mails are not sent, and wait: EMAIL_HOST is not set")
    else:
        mails = AccountMails(database, mailer, settings.frontend_url)
        jobs.task(MAIL_TASK, patience=MAIL_PATIENCE, deadline=MAIL_DEADLINE)(mails.send)
    if advisor := Advisor.configured(database, upstream):
        renewal = RecommendationRenewal(database, advisor)
        jobs.task(RECOMMEND_TASK, deadline=RECOMMEND_DEADLINE, at_once=RECOMMEND_AT_ONCE)(renewal.renew)
        jobs.schedule(TOP_TASK, TOP_TIMES)(TopRenewal(database, advisor).renew)

    imports = import_work(settings, database, upstream)
    jobs.task(IMPORT_TASK, patience=IMPORT_PATIENCE, deadline=IMPORT_DEADLINE, at_once=IMPORTS_AT_ONCE)(imports.run)

    @jobs.schedule("purge", PURGE_TIMES)
    async def purge() -> None:
        """Forget what has had its time."""
        async with database.transaction() as session:
            await purge_expired(session)
            await QuotaRepository(session).purge()
            await purge_search_answers(session)
            await purge_leases(session)
        async with database.transaction() as session:
            await ImportRepository(session).purge()
        async with database.transaction() as session:
            await purge_jobs(session)

    return jobs


def import_work(settings: Settings, database: Database, upstream: UpstreamServices) -> ImportWork:
    """The work at imports; without a key, or without a budget, what is not stored is not found."""
    resolver = TitleResolver(database, upstream.finder)
    lookups = None
    if upstream.titles and settings.import_daily_lookups:
        lookups = Lookups(Enrichment(database, upstream.titles, Freshness.configured(settings)), resolver)
    return ImportWork(
        database,
        {"watch_later": QueueDestination(), "collection": CollectionDestination()},
        resolver,
        lookups,
        LookupBudget(database, settings.import_daily_lookups),
    )


async def work_figures(session: AsyncSession) -> list[Figure]:
    """The jobs in the metrics; the mails that wait are the outbox."""
    return await job_figures(session, [MAIL_TASK])


@asynccontextmanager
async def _database(url: URL | str) -> AsyncIterator[Database]:
    database = Database(url, pool="jobs", pool_size=CONNECTIONS, statement_timeout=STATEMENT_TIMEOUT_SECONDS)
    try:
        yield database
    finally:
        await database.close()
