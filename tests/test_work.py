"""The work behind the requests, as this deployment does it: in the web process, and as `movie-finder worker`."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy import URL, text

from app.auth.mails import MAIL_TASK, VERIFY_EMAIL, MailPayload
from app.auth.repository import OneTimeTokenRepository, UserRepository
from app.cli.configuration import keep_mails
from app.core.database import Database
from app.core.jobs import enqueue
from app.core.leases import take_lease
from app.upstream.services import upstream_services
from app.work import known_jobs, working
from tests.conftest import ROOT, make_settings
from tests.doubles.smtp import SmtpDouble

HOUR = timedelta(hours=1)


@pytest.fixture
async def database(empty_url: URL) -> AsyncIterator[Database]:
    database = Database(empty_url)
    yield database
    await database.close()


async def sign_up(database: Database) -> None:
    """Store a user, and order the mail."""
    async with database.transaction() as session:
        user_id = await UserRepository(session).add("ada@example.com")
        assert user_id is not None
        await enqueue(session, MAIL_TASK, MailPayload(user_id, VERIFY_EMAIL))


async def value(database: Database, query: str) -> object:
    async with database.reading() as session:
        found: object = (await session.execute(text(query))).scalar()
        return found


async def until(database: Database, condition: str) -> None:
    async with asyncio.timeout(10):
        while not await value(database, condition):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_mails_wait_where_nothing_sends_them_the_log_warns_and_the_next_start_sends_them(
    database: Database, tmp_path: Path
) -> None:
    url = database.engine.url
    with structlog.testing.capture_logs() as logs:
        async with working(make_settings(url), url):
            await sign_up(database)
            await asyncio.sleep(0.3)
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == [
        "mails are not sent, and wait: EMAIL_HOST is not set"
    ]
    assert await value(database, "SELECT status::text || attempts FROM jobs") == "queued0"
    with structlog.testing.capture_logs() as logs:
        async with working(make_settings(url, email_folder=tmp_path, frontend_url="http://localhost:3000"), url):
            await until(database, "SELECT count(*) = 0 FROM jobs")
    file = next(Path(entry["file"]) for entry in logs if entry["event"] == "mail written")
    found = re.search(r"^http://localhost:3000/verify-email\?token=(\S+)\s*$", file.read_text(), re.MULTILINE)
    assert found is not None
    async with database.transaction() as session:
        assert await OneTimeTokenRepository(session).take(VERIFY_EMAIL, found[1])


async def test_the_worker_command_sends_mails_and_stops_when_it_is_told_to(database: Database, tmp_path: Path) -> None:
    await sign_up(database)
    async with SmtpDouble() as server:
        environment = {
            "PYTHONPATH": str(ROOT),
            "SECRET_KEY": "0123456789abcdef0123456789abcdef",
            "DATABASE_URL": database.engine.url.render_as_string(hide_password=False),
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(server.port),
            "EMAIL_USE_TLS": "false",
        }
        log = tmp_path / "log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "app.cli", "worker"),
                cwd=tmp_path,
                env={**os.environ, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        assert (await server.mail())["To"] == "ada@example.com"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert "Traceback" not in log.read_text()
    assert "ada@" not in log.read_text()
    assert "mail sent" in log.read_text()


async def test_what_has_had_its_time_is_purged_by_the_hour(database: Database) -> None:
    await sign_up(database)
    async with database.transaction() as session:
        await OneTimeTokenRepository(session).add("a", 1, -HOUR)
        await OneTimeTokenRepository(session).add("b", 1, HOUR)
        for age in ("25 hours", "23 hours"):
            await session.execute(
                text(
                    "INSERT INTO search_answers (provider, expression, movie_ids, stored_at)"
                    f" VALUES ('omdb', '{age}', '{{}}', now() - interval '{age}')"
                )
            )
        await take_lease(session, "over", -HOUR)
        await take_lease(session, "held", HOUR)
        for days in (91, 90):
            await session.execute(
                text(f"INSERT INTO ai_usage VALUES (1, (now() AT TIME ZONE 'UTC')::date - {days}, {days})")
            )
    async with upstream_services(settings := make_settings(database.engine.url)) as upstream:
        jobs = known_jobs(settings, database, upstream)
    assert list(jobs._schedules) == ["purge"]
    async with database.transaction() as session:
        await enqueue(session, "purge")
    async with jobs.running(database):
        await until(database, "SELECT count(*) = 0 FROM jobs WHERE entrypoint = 'purge'")
    assert await value(database, "SELECT string_agg(purpose, '') FROM one_time_tokens") == "b"
    assert await value(database, "SELECT string_agg(expression, '') FROM search_answers") == "23 hours"
    assert await value(database, "SELECT string_agg(name, '') FROM leases") == "held"
    assert await value(database, "SELECT sum(used) FROM ai_usage") == 90


@pytest.mark.parametrize(
    ("configured", "folder"),
    [({}, ".data/mail"), ({"DATA_DIR": "kept"}, "kept/mail"), ({"EMAIL_HOST": "smtp.example.com"}, None)],
)
def test_make_run_writes_mails_into_a_folder_unless_a_server_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, configured: dict[str, str], folder: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMAIL_FOLDER", "")  # so that it is restored
    for name, content in configured.items():
        monkeypatch.setenv(name, content)
    keep_mails()
    assert (os.environ["EMAIL_FOLDER"] or None) == folder
