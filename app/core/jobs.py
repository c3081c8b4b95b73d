"""Work behind the request, on PostgreSQL.

A job is ordered in the transaction that it belongs to, and exists exactly when that commits. It is done at least once,
also where a worker is killed in the middle of it: another takes it up once its heartbeat has stopped. So a handler
must bear to be run twice.

Below stands pgqueuer: it speaks asyncpg, the one driver here, where procrastinate would bring psycopg as a second.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar, cast, get_type_hints

from pgqueuer.ports.driver import Driver
from pydantic import TypeAdapter
from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.core.figures import Figure, gauge
from app.core.job_queue import NAMES, QUEUE_TABLES, SessionDriver, queue_queries
from app.core.job_worker import Pace, Patience, Postponed, Task, Worker

__all__ = ["QUEUE_TABLES", "Jobs", "Pace", "Patience", "Postponed", "enqueue", "job_figures", "purge_jobs"]
# So long it can be seen what was done, and what failed.
KEPT = timedelta(days=30)
DEADLINE = timedelta(minutes=10)
PATIENCE = Patience()
PACE = Pace()

P = TypeVar("P")
Handler = Callable[[P], Awaitable[None]]


async def enqueue(
    session: AsyncSession, name: str, payload: object = None, *, delay: timedelta | None = None, once: str | None = None
) -> None:
    """Order a job in the session's transaction.

    Args:
        session: whose transaction the job belongs to.
        name: the task.
        payload: what its handler is given: a pydantic model, or what pydantic can write as JSON. Nothing secret: it is
            stored as it is.
        delay: the job begins no earlier.
        once: while a job with this key waits or runs, another is not added.
    """
    queries = queue_queries(cast("Driver", SessionDriver(session)))
    await queries.enqueue(name, to_json(payload), execute_after=delay, dedupe_key=once, on_conflict="skip")


async def purge_jobs(session: AsyncSession) -> None:
    """Forget jobs that were finished, or given up, a month ago."""
    for table, old in ((NAMES.queue_table_log, "created"), (NAMES.queue_table, "status = 'failed' AND updated")):
        purge = f"DELETE FROM {table} WHERE {old} < now() - CAST(:kept AS interval)"  # noqa: S608 - ours  # nosec
        await session.execute(text(purge), {"kept": KEPT})


async def job_figures(session: AsyncSession, tasks: Iterable[str]) -> list[Figure]:
    """How many jobs there are, and how old the oldest is that waits; of `tasks` also where there is none."""
    query = text(f"""
        SELECT entrypoint,
            count(*) FILTER (WHERE status = 'queued') AS waiting,
            count(*) FILTER (WHERE status = 'picked') AS running,
            count(*) FILTER (WHERE status = 'failed') AS failed,
            coalesce(extract(epoch FROM now() - min(created) FILTER (WHERE status = 'queued')), 0) AS age
        FROM {NAMES.queue_table} GROUP BY entrypoint
    """)  # noqa: S608 - ours  # nosec
    nothing = {"waiting": 0, "running": 0, "failed": 0, "age": 0}
    rows = (await session.execute(query)).mappings()
    found = dict.fromkeys(tasks, nothing) | {row["entrypoint"]: dict(row) for row in rows}
    jobs = gauge("jobs", "Jobs that wait, run, or were given up.", ["task", "state"])
    oldest = gauge("jobs_oldest_waiting_seconds", "The age of the oldest job that waits.", ["task"])
    for task, row in found.items():
        for state in ("waiting", "running", "failed"):
            jobs.add_metric([task, state], row[state])
        oldest.add_metric([task], float(row["age"]))
    return [jobs, oldest]


class Jobs:
    """The tasks that this process can do; jobs of others are left to workers that can."""

    def __init__(self, pace: Pace = PACE) -> None:
        self._pace = pace
        self._tasks: dict[str, Task] = {}
        self._schedules: dict[str, str] = {}

    def task(
        self, name: str, *, patience: Patience = PATIENCE, deadline: timedelta = DEADLINE, at_once: int = 0
    ) -> Callable[[Handler[P]], Handler[P]]:
        """Register the handler of a task; its argument's annotation says what the payload is.

        Args:
            name: as `enqueue` names it.
            patience: how long a job that fails is tried again.
            deadline: one try may take so long.
            at_once: so many jobs of the task are done at the same time, all workers together; 0: as many as there are.
        """

        def register(handler: Handler[P]) -> Handler[P]:
            types = [kind for argument, kind in get_type_hints(handler).items() if argument != "return"]
            self._tasks[name] = Task(name, handler, TypeAdapter(types[0]), patience, deadline, at_once)
            return handler

        return register

    def schedule(
        self, name: str, cron: str, *, patience: Patience = PATIENCE, deadline: timedelta = DEADLINE
    ) -> Callable[[Callable[[], Awaitable[None]]], Callable[[], Awaitable[None]]]:
        """Register work for set times (`cron`, in UTC), done once however many workers there are.

        It is a job as any other: tried again when it fails, and taken up by another worker when this one is killed.
        """

        def register(work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
            async def handler(_: None) -> None:
                await work()

            self.task(name, patience=patience, deadline=deadline)(handler)
            self._schedules[name] = cron
            return work

        return register

    @asynccontextmanager
    async def running(self, database: Database) -> AsyncIterator[None]:
        """Do jobs for as long as the block runs."""
        stop = asyncio.Event()
        worker = asyncio.create_task(self.work(database, stop))
        try:
            yield
        finally:
            stop.set()
            await worker

    async def work(self, database: Database, stop: asyncio.Event) -> None:
        """Do jobs until `stop` is set, whatever happens; one connection of the pool is kept for the queue."""
        await Worker(database, self._tasks.values(), self._schedules, self._pace).run(stop)
