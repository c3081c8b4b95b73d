"""Jobs on a real PostgreSQL: they exist when their transaction commits, and are done, whatever comes in between."""

import asyncio
import logging
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from alembic import command
from sqlalchemy import URL, make_url, text

from app.core.database import Database
from app.core.database_errors import DatabaseUnavailable
from app.core.embedded_postgres import embedded_postgres
from app.core.job_queue import QueueConnection
from app.core.jobs import Jobs, Pace, Patience, Postponed, enqueue, purge_jobs
from app.core.postgres_cluster import locate
from tests.conftest import ROOT, alembic, open_folder

QUICK = Pace(poll=0.2, heartbeat=1.0, stop=0.3, at_once=4)
IMPATIENT = Patience(first=timedelta(milliseconds=20), longest=timedelta(milliseconds=50), total=timedelta(seconds=1))


@dataclass(frozen=True)
class Note:
    """A payload."""

    text: str


@pytest.fixture
async def database(empty_url: URL) -> AsyncIterator[Database]:
    database = Database(empty_url)
    yield database
    await database.close()


@asynccontextmanager
async def worker(database: Database, jobs: Jobs) -> AsyncIterator[None]:
    """A worker with a pool of its own, as another process has it."""
    own = Database(database.engine.url, pool_size=2)
    async with jobs.running(own):
        yield
    await own.close()


async def value(database: Database, query: str) -> object:
    """The first value that `query` gives."""
    async with database.reading() as session:
        found: object = (await session.execute(text(query))).scalar()
        return found


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 10.0) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - it is in the database
            await asyncio.sleep(0.02)


async def order(database: Database, name: str = "note", *texts: str, **options: Any) -> None:
    for content in texts or ("a",):
        async with database.transaction() as session:
            await enqueue(session, name, Note(content), **options)


def noting(jobs: Jobs, **options: Any) -> list[str]:
    """A task that keeps what it is given."""
    noted: list[str] = []

    @jobs.task("note", **options)
    async def note(payload: Note) -> None:
        noted.append(payload.text)

    return noted


async def test_a_job_exists_exactly_when_its_transaction_commits(database: Database) -> None:
    jobs = Jobs(QUICK)
    noted = noting(jobs)
    async with worker(database, jobs):
        async with database.transaction() as session:
            await enqueue(session, "note", Note("rolled back"))  # the first statement, before any BEGIN was sent
            await session.rollback()
        async with database.transaction() as session:
            await enqueue(session, "note", Note("committed"))
            await asyncio.sleep(0.5)
            assert noted == []
        await until(lambda: _equal(noted, ["committed"]))
    assert await value(database, "SELECT count(*) FROM jobs") == 0


async def _equal(noted: list[str], expected: list[str]) -> bool:
    return sorted(noted) == sorted(expected)


async def test_a_job_starts_at_once_by_its_notification(database: Database) -> None:
    jobs = Jobs(Pace(poll=60.0))
    noted = noting(jobs)
    async with worker(database, jobs):
        await order(database, "note", "first")
        await until(lambda: _equal(noted, ["first"]))
        await order(database, "note", "second")
        await until(lambda: _equal(noted, ["first", "second"]), seconds=2)


async def test_without_a_notification_it_is_found_all_the_same(database: Database) -> None:
    jobs = Jobs(QUICK)
    noted = noting(jobs)
    async with database.transaction() as session:
        await session.execute(text("DROP TRIGGER jobs_changed ON jobs"))
    async with worker(database, jobs):
        await asyncio.sleep(0.3)
        await order(database)
        await until(lambda: _equal(noted, ["a"]))


async def test_several_workers_do_each_job_once(database: Database) -> None:
    noted: list[list[str]] = []
    texts = [f"{number}" for number in range(40)]
    async with AsyncExitStack() as stack:
        for _ in range(3):
            jobs = Jobs(QUICK)
            noted.append(noting(jobs))
            await stack.enter_async_context(worker(database, jobs))
        await order(database, "note", *texts)
        await until(lambda: _equal([text for each in noted for text in each], texts))
        await asyncio.sleep(0.5)
    assert sorted(text for each in noted for text in each) == sorted(texts)


async def test_a_job_that_waits_for_its_time_and_one_that_is_wanted_once(database: Database) -> None:
    jobs = Jobs(QUICK)
    noted = noting(jobs)
    await order(database, "note", "later", delay=timedelta(hours=1))
    await order(database, "note", "soon", delay=timedelta(milliseconds=300))
    await order(database, "note", "once", "again", once="key")
    async with worker(database, jobs):
        await until(lambda: _equal(noted, ["once", "soon"]))
        await order(database, "note", "anew", once="key")
        await until(lambda: _equal(noted, ["once", "soon", "anew"]))
    assert await value(database, "SELECT count(*) FROM jobs") == 1


async def test_of_a_task_that_says_so_only_some_are_done_at_once_and_others_need_not_wait(database: Database) -> None:
    jobs = Jobs(QUICK)
    noted = noting(jobs)
    running = most = done = 0

    @jobs.task("slow", at_once=1)
    async def slow(_: Note) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.3)
        running -= 1
        done += 1

    await order(database, "slow", *"abcde")
    await order(database, "note", "first")
    async with worker(database, jobs), worker(database, jobs):
        await until(lambda: _equal(noted, ["first"]))
        assert done < 5
        await until(lambda: _equal([str(done)], ["5"]))
    assert most == 1


async def test_a_task_that_this_worker_does_not_know_waits_for_one_that_does(database: Database) -> None:
    jobs = Jobs(QUICK)
    noting(jobs)
    await order(database, "other")
    async with worker(database, jobs):
        await asyncio.sleep(0.5)
    assert await value(database, "SELECT status::text FROM jobs") == "queued"


def test_pauses_grow_to_an_hour_and_end_after_days() -> None:
    patience = Patience(total=timedelta(days=2))
    pauses = [patience.pause(failures) for failures in range(80)]
    given = [pause for pause in pauses if pause is not None]
    assert [pause.total_seconds() for pause in given[:4]] == [5, 10, 20, 40]
    assert max(given) == timedelta(hours=1)
    assert timedelta(days=1, hours=22) < sum(given, timedelta()) <= timedelta(days=2)
    assert pauses[len(given) :] == [None] * (80 - len(given))


async def test_a_job_that_fails_is_tried_again_until_it_succeeds(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, tries = Jobs(QUICK), 0

    @jobs.task("note", patience=IMPATIENT)
    async def note(_: Note) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise OSError("no luck")

    with structlog.testing.capture_logs() as logs:
        async with worker(database, jobs):
            await order(database)
            await until(lambda: _done(database))
    assert tries == 3
    failures = [entry for entry in logs if entry["event"] == "job failed, and will be tried again"]
    assert [entry["reason"] for entry in failures] == ["OSError: no luck"] * 2
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def _done(database: Database) -> bool:
    return bool(await value(database, "SELECT count(*) FROM jobs WHERE status <> 'failed'") == 0)


async def test_a_job_that_never_succeeds_is_kept_as_failed_and_logged(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, tries = Jobs(QUICK), 0

    @jobs.task("note", patience=Patience(IMPATIENT.first, IMPATIENT.longest, total=timedelta(milliseconds=100)))
    async def note(_: Note) -> None:
        nonlocal tries
        tries += 1
        raise OSError("no luck")

    async with worker(database, jobs):
        await order(database)
        await until(lambda: _done(database))
        await asyncio.sleep(0.3)
    assert tries == 3  # after pauses of 20 and 40 ms, and not after one more of 50
    assert await value(database, "SELECT payload FROM jobs WHERE status = 'failed'") == b'{"text":"a"}'
    assert "note/1" in next(record.getMessage() for record in caplog.records if record.levelno == logging.ERROR)


async def test_a_payload_that_the_handler_does_not_understand_is_a_failure_like_others(database: Database) -> None:
    jobs = Jobs(QUICK)
    noted = noting(jobs, patience=Patience(total=timedelta()))
    async with database.transaction() as session:
        await enqueue(session, "note", {"words": 1})
    async with worker(database, jobs):
        await until(lambda: _done(database))
    assert noted == []
    assert await value(database, "SELECT status::text FROM jobs") == "failed"


async def test_a_job_may_say_that_its_time_has_not_come_as_often_as_it_likes(database: Database) -> None:
    jobs, tries = Jobs(QUICK), 0

    @jobs.task("note", patience=Patience(total=timedelta()))
    async def note(_: Note) -> None:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise Postponed(timedelta(milliseconds=10), "the shop is closed")

    async with worker(database, jobs):
        await order(database)
        await until(lambda: _done(database))
    assert tries == 4
    assert await value(database, "SELECT count(*) FROM jobs") == 0


async def test_a_try_that_takes_too_long_is_broken_off_and_counts_as_a_failure(database: Database) -> None:
    jobs = Jobs(QUICK)

    @jobs.task("note", patience=Patience(total=timedelta()), deadline=timedelta(milliseconds=50))
    async def note(_: Note) -> None:
        await asyncio.sleep(3600)

    async with worker(database, jobs):
        await order(database)
        await until(lambda: _done(database))
    failed = "SELECT traceback->>'exception_message' FROM job_log WHERE status = 'failed'"
    assert await value(database, failed) == "not done within 0:00:00.050000"


async def test_at_the_end_a_running_job_may_finish_and_a_long_one_goes_back_unharmed(database: Database) -> None:
    jobs, finished, begun = Jobs(QUICK), [], asyncio.Semaphore(0)

    @jobs.task("note", patience=Patience(total=timedelta()))
    async def note(payload: Note) -> None:
        begun.release()
        await asyncio.sleep(0.15 if payload.text == "short" else 3600)
        finished.append(payload.text)

    async with worker(database, jobs):
        await order(database, "note", "short", "long")
        await begun.acquire()
        await begun.acquire()
    assert finished == ["short"]
    assert await value(database, "SELECT convert_from(payload, 'utf8') || attempts || status FROM jobs") == (
        '{"text":"long"}0queued'
    )


async def test_a_job_whose_task_the_library_calls_off_is_not_lost(database: Database) -> None:
    jobs, begun = Jobs(QUICK), asyncio.Event()

    @jobs.task("note")
    async def note(_: Note) -> None:
        begun.set()
        await asyncio.sleep(3600)

    async with worker(database, jobs):
        await order(database)
        await begun.wait()
        for task in asyncio.all_tasks():
            if getattr(task.get_coro(), "__qualname__", "") == "QueueManager._dispatch":
                task.cancel()
        begun.clear()
        await begun.wait()
    assert await value(database, "SELECT status::text FROM jobs") == "queued"


KILLED = """
    import asyncio, os, signal, sys
    from app.core.database import Database
    from app.core.jobs import Jobs, Pace
    from tests.core.test_jobs import Note

    jobs = Jobs(Pace(poll=0.2))

    @jobs.task("note")
    async def note(payload: Note) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(jobs.work(Database(sys.argv[1]), asyncio.Event()))
"""


async def test_a_job_whose_worker_was_killed_in_the_middle_of_it_is_done_by_the_next(database: Database) -> None:
    await order(database)
    url = database.engine.url.render_as_string(hide_password=False)
    arguments = ("-c", textwrap.dedent(KILLED), url)
    killed = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, env=os.environ)
    assert await killed.wait() == -signal.SIGKILL
    assert await value(database, "SELECT status::text FROM jobs") == "picked"
    jobs = Jobs(QUICK)
    noted = noting(jobs)
    async with worker(database, jobs):
        await until(lambda: _equal(noted, ["a"]))
        await until(lambda: _done(database))
    assert noted == ["a"]


async def test_scheduled_work_is_done_once_by_several_workers_and_tried_again_when_it_fails(database: Database) -> None:
    done: list[str] = []

    async def tidy() -> None:
        done.append("tidied")
        if len(done) == 1:
            raise OSError

    async with AsyncExitStack() as stack:
        for _ in range(3):
            jobs = Jobs(QUICK)
            jobs.schedule("tidy", "0 0 1 1 *", patience=IMPATIENT)(tidy)
            await stack.enter_async_context(worker(database, jobs))
        await until(lambda: value(database, "SELECT count(*) = 1 FROM job_schedules"))
    async with database.transaction() as session:
        await session.execute(text("UPDATE job_schedules SET next_run = now() - interval '1 hour'"))
    async with AsyncExitStack() as stack:
        for _ in range(3):
            jobs = Jobs(QUICK)
            jobs.schedule("tidy", "0 0 1 1 *", patience=IMPATIENT)(tidy)
            await stack.enter_async_context(worker(database, jobs))
        await until(lambda: _equal(done, ["tidied", "tidied"]))
        await until(lambda: _done(database))
        await asyncio.sleep(0.3)
    assert len(done) == 2
    assert await value(database, "SELECT next_run > now() AND status = 'queued' FROM job_schedules")


async def test_a_worker_that_breaks_starts_again_and_brings_nothing_down(database: Database) -> None:
    jobs = Jobs(QUICK)
    noted = noting(jobs)
    await order(database)
    await rename(database, "job_log", "gone")
    with structlog.testing.capture_logs() as logs:

        async def broke() -> bool:
            return any(entry["event"] == "the worker broke, and starts again" for entry in logs)

        async with worker(database, jobs):
            await until(broke)
            await rename(database, "gone", "job_log")
            await until(lambda: _equal(noted, ["a"]))


async def rename(database: Database, table: str, name: str) -> None:
    async with database.transaction() as session:
        await session.execute(text(f"ALTER TABLE {table} RENAME TO {name}"))


async def test_finished_and_failed_jobs_are_forgotten_after_a_month(database: Database) -> None:
    jobs = Jobs(QUICK)
    noting(jobs, patience=Patience(total=timedelta()))
    await order(database, "note", "a")
    async with database.transaction() as session:
        await enqueue(session, "note", "no note")
        await enqueue(session, "unknown", None)
    async with worker(database, jobs):
        await until(
            lambda: value(database, "SELECT count(*) = 2 FROM job_log WHERE status IN ('successful', 'failed')")
        )

    async def left() -> tuple[object, object]:
        async with database.transaction() as session:
            await purge_jobs(session)
        return await value(database, "SELECT count(*) FROM jobs"), await value(database, "SELECT count(*) FROM job_log")

    assert await left() == (2, 7)
    async with database.transaction() as session:
        await session.execute(text("UPDATE jobs SET updated = now() - interval '31 days'"))
        await session.execute(text("UPDATE job_log SET created = now() - interval '31 days'"))
    assert await left() == (1, 0)
    assert await value(database, "SELECT entrypoint FROM jobs") == "unknown"


async def test_a_connection_that_cannot_listen_is_let_go_and_nothing_waits_for_it_at_the_end(empty_url: URL) -> None:
    database = Database(empty_url, pool_size=1)
    queue = QueueConnection(database)
    assert await queue.fetch("SELECT 1 AS one") == [{"one": 1}]
    await queue.add_listener("", print)  # no channel has this name
    queue.shutdown.set()
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            await queue.fetch("SELECT 1")
    assert await value(database, "SELECT 1") == 1  # by the pool's only connection
    assert queue.tm.tasks == set()
    await database.close()


@dataclass(frozen=True)
class Server:
    """A PostgreSQL that can be stopped and started."""

    database: Database
    folder: Path

    async def control(self, *arguments: str) -> None:
        cluster = locate(self.folder)
        options = ("-w", "-D", cluster.data, "-l", cluster.data / "log")
        done = await asyncio.to_thread(cluster.account.run, [cluster.programs / "pg_ctl", *arguments, *options])
        assert done.returncode == 0, done.stdout


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    with open_folder() as folder, embedded_postgres(folder, durable=False) as url:
        await asyncio.to_thread(alembic, make_url(url), command.upgrade, "head")
        database = Database(url)
        yield Server(database, folder)
        await database.close()


async def test_a_restart_of_postgresql_is_survived_by_the_worker_and_by_the_job_that_it_is_doing(
    server: Server,
) -> None:
    jobs, begun, go, done = Jobs(QUICK), asyncio.Event(), asyncio.Event(), []

    @jobs.task("note")
    async def note(payload: Note) -> None:
        begun.set()
        await go.wait()
        done.append(payload.text)

    with structlog.testing.capture_logs() as logs:
        async with worker(server.database, jobs):
            await order(server.database, "note", "before")
            await begun.wait()
            await server.control("stop", "-m", "fast")
            await asyncio.sleep(0.5)
            go.set()
            await until(lambda: _equal(done, ["before"]))
            await server.control("restart", "-m", "fast")
            await order(server.database, "note", "after")
            await until(lambda: _equal(done, ["before", "after"]), seconds=5)
            await until(lambda: _done(server.database))
            await asyncio.sleep(0.5)
    assert done == ["before", "after"]
    said = [entry["event"] for entry in logs]
    assert "the job queue has lost PostgreSQL" in said
    assert "the job queue has PostgreSQL back" in said
    await server.control("stop", "-m", "immediate")


async def test_a_worker_stops_in_time_while_postgresql_is_away(server: Server) -> None:
    jobs = Jobs(QUICK)
    noting(jobs)
    began = None
    async with worker(server.database, jobs):
        await asyncio.sleep(0.5)
        await server.control("stop", "-m", "immediate")
        await asyncio.sleep(0.5)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 3
