"""The worker below `core/jobs.py`: takes jobs from the queue, and sees to their end.

pgqueuer takes care of who does which job, and of those whose worker has died. What a failure means is decided here.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from pgqueuer.core.qm import QueueManager
from pgqueuer.core.sm import SchedulerManager
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job, Schedule
from pgqueuer.queries import Queries
from pydantic import TypeAdapter

from app.core.database import Database
from app.core.database_errors import DatabaseUnavailable
from app.core.job_queue import NAMES, QueueConnection, queue_queries, wait_for

LONGEST_PAUSE_SECONDS = 30.0
log = structlog.stdlib.get_logger(__name__)


class Postponed(Exception):  # noqa: N818 - nothing has gone wrong
    """Raised by a handler whose time has not come: the job waits, and that counts as no failure."""

    def __init__(self, delay: timedelta, reason: str) -> None:
        super().__init__(reason)
        self.delay = delay


@dataclass(frozen=True)
class Patience:
    """How long a job that fails is tried again: after `first`, then twice as long each time, up to `longest`.

    Attributes:
        first: the first pause.
        longest: the longest pause.
        total: the pauses' sum, after which the job is kept as failed.
    """

    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(hours=1)
    total: timedelta = timedelta(hours=6)

    def pause(self, failures: int) -> timedelta | None:
        """The pause after so many earlier failures, or None where it is over."""
        waited = pause = timedelta()
        for failure in range(failures + 1):
            pause = min(self.first * 2 ** min(failure, 30), self.longest)
            waited += pause
        return pause if waited <= self.total else None


@dataclass(frozen=True)
class Pace:
    """The worker's times, in seconds.

    Attributes:
        poll: so often it looks for jobs whose notification it missed, or whose time has come.
        heartbeat: a worker that gave no sign of life for so long is taken for dead, and its jobs are done by others.
        stop: running jobs have so long to finish at the end; then they are broken off, and wait for the next start.
        at_once: so many jobs of one worker run at the same time.
    """

    poll: float = 3.0
    heartbeat: float = 30.0
    stop: float = 10.0
    at_once: int = 8


@dataclass(frozen=True)
class Task:
    """What a worker knows of a task."""

    name: str
    handler: Callable[[Any], Awaitable[None]]
    payload: TypeAdapter[Any]
    patience: Patience
    deadline: timedelta
    at_once: int


class Worker:
    """Does the jobs of some tasks; those of others are left to workers that know them.

    Args:
        database: one connection of its pool is kept for the queue.
        tasks: what can be done.
        schedules: tasks that are ordered at set times, and when.
        pace: the worker's times.
    """

    def __init__(self, database: Database, tasks: Iterable[Task], schedules: Mapping[str, str], pace: Pace) -> None:
        self._database = database
        self._tasks = tuple(tasks)
        self._schedules = schedules
        self._pace = pace
        self._running: set[asyncio.Future[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Do jobs until `stop` is set, whatever happens."""
        pause = 1.0
        while not stop.is_set():
            try:
                await self._run(stop)
            except Exception:
                log.exception("the worker broke, and starts again", seconds=pause)
                await wait_for(stop, pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _run(self, stop: asyncio.Event) -> None:
        queue = QueueConnection(self._database)
        queries = queue_queries(queue)
        manager, scheduler = self._manager(queries), self._scheduler(queries)
        workers = [asyncio.create_task(self._work(manager))]
        if self._schedules:  # without any it would look every second
            workers.append(asyncio.create_task(scheduler.run()))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([*workers, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            queue.closing.set()
            manager.shutdown.set()
            scheduler.shutdown.set()
            # Never by cancelling pgqueuer's own tasks: it would take the jobs for called off, and delete them.
            await asyncio.wait(workers, timeout=self._pace.stop)
            for job in self._running:
                job.cancel()
            outcomes = await asyncio.gather(*workers, return_exceptions=True)
            await queue.close()
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not stop.is_set():
                raise outcome

    async def _work(self, manager: QueueManager) -> None:
        await manager.run(
            dequeue_timeout=timedelta(seconds=self._pace.poll),
            batch_size=self._pace.at_once // 2,
            max_concurrent_tasks=self._pace.at_once,
            heartbeat_timeout=timedelta(seconds=self._pace.heartbeat),
            log_aggregation_interval=timedelta(),  # into statistics, which nobody reads
        )

    def _manager(self, queries: Queries) -> QueueManager:
        manager = QueueManager(queries, NAMES.channel)
        for task in self._tasks:
            register = manager.entrypoint(
                task.name, concurrency_limit=task.at_once, accepts_context=False, on_failure="hold"
            )
            register(self._entrypoint(task, queries))
        return manager

    def _scheduler(self, queries: Queries) -> SchedulerManager:
        scheduler = SchedulerManager(queries)
        for name, cron in self._schedules.items():
            scheduler.schedule(name, cron, accepts_context=False)(_ordering(name, queries))
        return scheduler

    def _entrypoint(self, task: Task, queries: Queries) -> Callable[[Job], Awaitable[None]]:
        async def attempt(job: Job) -> None:
            with structlog.contextvars.bound_contextvars(job=task.name, job_id=job.id):
                try:
                    await self._attempt(task, job)
                except Postponed as postponed:
                    with suppress(DatabaseUnavailable):  # pgqueuer counts every try
                        await queries.driver.execute(
                            f"UPDATE {NAMES.queue_table} SET attempts = attempts - 1 WHERE id = $1",  # noqa: S608 - ours  # nosec
                            job.id,
                        )
                    raise RetryRequested(postponed.delay, str(postponed)) from None
                except Exception as error:
                    pause = task.patience.pause(job.attempts)
                    if pause is None:
                        log.warning("job given up", failures=job.attempts + 1)
                        raise  # pgqueuer logs it, and keeps the job as failed
                    pause *= random.uniform(0.75, 1.25)  # noqa: S311 - so that those that failed together come apart
                    reason = f"{type(error).__name__}: {error}"
                    log.warning("job failed, and will be tried again", reason=reason, seconds=pause.total_seconds())
                    raise RetryRequested(pause, reason) from error

        return attempt

    async def _attempt(self, task: Task, job: Job) -> None:
        work = asyncio.ensure_future(task.handler(task.payload.validate_json(job.payload or b"null")))
        self._running.add(work)
        work.add_done_callback(self._running.discard)
        late = False
        try:
            done, _ = await asyncio.wait({work}, timeout=task.deadline.total_seconds())
            late = not done
        except asyncio.CancelledError:
            pass  # pgqueuer would take the job for called off, and delete it
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
        if not work.cancelled():
            work.result()
        elif late:
            raise TimeoutError(f"not done within {task.deadline}")
        else:
            raise Postponed(timedelta(), "broken off at the worker's end")


def _ordering(name: str, queries: Queries) -> Callable[[Schedule], Awaitable[None]]:
    async def order(_: Schedule) -> None:
        await queries.enqueue(name, b"null", dedupe_key=f"schedule:{name}", on_conflict="skip")

    return order
