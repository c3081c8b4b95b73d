"""The mails of accounts, from the transaction that orders them to the token in the link."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.message import EmailMessage
from typing import Any, Literal

import pytest
import structlog
from sqlalchemy import URL, text

from app.auth.mails import (
    MAIL_PATIENCE,
    MAIL_TASK,
    RESET_PASSWORD,
    VERIFY_EMAIL,
    AccountMails,
    MailPayload,
    Template,
)
from app.auth.repository import OneTimeTokenRepository, UserRepository
from app.core.database import Database
from app.core.jobs import Jobs, Pace, Patience, enqueue
from app.upstream.mail import SmtpMailer
from tests.doubles.smtp import SmtpDouble

FRONTEND = "https://films.example.com/app/"
QUICK = Pace(poll=0.1)
IMPATIENT = Patience(first=timedelta(milliseconds=50), longest=timedelta(milliseconds=50), total=timedelta(minutes=1))


@pytest.fixture
async def database(empty_url: URL) -> AsyncIterator[Database]:
    database = Database(empty_url)
    yield database
    await database.close()


@pytest.fixture
async def server() -> AsyncIterator[SmtpDouble]:
    async with SmtpDouble() as server:
        yield server


async def user(database: Database, email: str = "ada@example.com", **values: object) -> int:
    async with database.transaction() as session:
        user_id = await UserRepository(session).add(email, **values)
        assert user_id is not None
        return user_id


def account_mails(database: Database, server: SmtpDouble, frontend_url: str | None = FRONTEND) -> AccountMails:
    mailer = SmtpMailer("127.0.0.1", server.port, sender="films@example.com", use_tls=False, deadline=0.5)
    return AccountMails(database, mailer, frontend_url)


@asynccontextmanager
async def sending(database: Database, mails: AccountMails) -> AsyncIterator[list[Any]]:
    """A worker that sends them, and its log."""
    jobs = Jobs(QUICK)
    jobs.task(MAIL_TASK, patience=IMPATIENT)(mails.send)
    own = Database(database.engine.url)
    with structlog.testing.capture_logs() as logs:
        async with jobs.running(own):
            yield logs
    await own.close()


async def order(database: Database, user_id: int, template: Template = VERIFY_EMAIL) -> None:
    async with database.transaction() as session:
        await enqueue(session, MAIL_TASK, MailPayload(user_id=user_id, template=template))


async def value(database: Database, query: str) -> object:
    async with database.reading() as session:
        found: object = (await session.execute(text(query))).scalar()
        return found


async def taken(database: Database, purpose: str, token: str) -> int | None:
    """The user of a token, which is used up by this."""
    async with database.transaction() as session:
        found = await OneTimeTokenRepository(session).take(purpose, token)
        return found.user_id if found else None


def body(mail: EmailMessage, kind: Literal["plain", "html"]) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content


def token_in(mail: EmailMessage) -> str:
    found = re.search(r"token=([\w-]{43})\s", body(mail, "plain"))
    assert found is not None
    return found[1]


@pytest.mark.parametrize(("template", "page"), [(VERIFY_EMAIL, "verify-email"), (RESET_PASSWORD, "reset-password")])
async def test_a_mail_brings_a_link_that_works_once(
    database: Database, server: SmtpDouble, template: Template, page: str
) -> None:
    user_id = await user(database)
    async with sending(database, account_mails(database, server)) as logs:
        await order(database, user_id, template)
        mail = await server.mail()
    token = token_in(mail)
    assert mail["To"] == "ada@example.com"
    link = f"https://films.example.com/app/{page}?token={token}"
    assert link in body(mail, "plain").split()
    assert f'href="{link}"' in body(mail, "html")
    assert await value(database, "SELECT expires_at - now() > interval '59 minutes' FROM one_time_tokens")
    assert await taken(database, "another purpose", token) is None
    assert await taken(database, template, token) == user_id
    assert await taken(database, template, token) is None
    assert token not in str(logs)
    assert "ada@" not in str(logs)
    assert ("mail sent", user_id) in [(entry["event"], entry.get("user_id")) for entry in logs]


@pytest.mark.parametrize(
    ("template", "endpoint"),
    [(VERIFY_EMAIL, "POST /users/verify_email/"), (RESET_PASSWORD, "POST /users/reset_password/confirm/")],
)
async def test_without_a_front_end_the_mail_shows_the_token_and_who_takes_it(
    database: Database, server: SmtpDouble, template: Template, endpoint: str
) -> None:
    user_id = await user(database)
    await account_mails(database, server, frontend_url=None).send(MailPayload(user_id, template))
    for kind in ("plain", "html"):
        content = body(server.mails[0], kind)
        assert endpoint in content
        assert "http" not in content
    found = re.search(r"^[\w-]{43}\s*$", body(server.mails[0], "plain"), re.MULTILINE)
    assert found is not None
    assert await taken(database, template, found[0].strip()) == user_id


async def test_what_waits_names_the_user_and_the_template_only(database: Database) -> None:
    user_id = await user(database)
    await order(database, user_id, RESET_PASSWORD)
    waiting = await value(database, "SELECT convert_from(payload, 'utf8') FROM jobs")
    assert waiting == f'{{"user_id":{user_id},"template":"reset_password"}}'
    assert await value(database, "SELECT count(*) FROM one_time_tokens") == 0


async def test_a_mail_server_that_is_down_loses_nothing_and_leaves_no_token_behind(database: Database) -> None:
    user_id = await user(database)
    server = SmtpDouble()
    async with server:
        pass
    async with sending(database, account_mails(database, server)) as logs:
        await order(database, user_id)
        while len([entry for entry in logs if entry["event"].startswith("job failed")]) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert await value(database, "SELECT count(*) FROM jobs") == 1
        async with server:
            mail = await server.mail()
    assert {entry["reason"] for entry in logs if "reason" in entry} == {"UpstreamError: mail: unreachable"}
    assert await value(database, "SELECT count(*) FROM one_time_tokens") == 1
    assert await taken(database, VERIFY_EMAIL, token_in(mail)) == user_id
    stored = str(await value(database, "SELECT string_agg(traceback::text, ' ') FROM job_log"))
    assert "UpstreamError" in stored
    assert "ada@" not in stored


@pytest.mark.parametrize(("command", "reply"), [("CONNECT", "HANG"), ("RCPT", "450 busy"), ("END", "DROP")])
async def test_a_server_that_fails_once_is_tried_again(
    database: Database, server: SmtpDouble, command: str, reply: str
) -> None:
    user_id = await user(database)
    server.replies[command] = reply
    async with sending(database, account_mails(database, server)) as logs:
        await order(database, user_id)
        while not [entry for entry in logs if entry["event"].startswith("job failed")]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        server.replies.clear()
        assert await taken(database, VERIFY_EMAIL, token_in(await server.mail())) == user_id
    assert len(server.mails) == 1


async def test_no_connection_is_held_while_the_mail_server_is_waited_for(empty_url: URL, server: SmtpDouble) -> None:
    database = Database(empty_url, pool_size=1)
    user_id = await user(database)
    server.replies["EHLO"] = "HANG"
    async with asyncio.TaskGroup() as tasks:
        failing = tasks.create_task(_failing(account_mails(database, server), MailPayload(user_id, VERIFY_EMAIL)))
        await asyncio.sleep(0.2)
        assert not failing.done()
        assert await value(database, "SELECT count(*) FROM one_time_tokens") == 1
    assert await value(database, "SELECT count(*) FROM one_time_tokens") == 0
    await database.close()


async def _failing(mails: AccountMails, order: MailPayload) -> None:
    with pytest.raises(Exception, match="mail: timeout"):
        await mails.send(order)


async def test_an_address_that_takes_no_mail_is_not_tried_again(database: Database, server: SmtpDouble) -> None:
    user_id = await user(database)
    server.replies["RCPT"] = "550 5.1.1 no such user"
    with structlog.testing.capture_logs() as logs:
        await account_mails(database, server).send(MailPayload(user_id, VERIFY_EMAIL))
    assert logs == [
        {
            "event": "the address takes no mail",
            "log_level": "warning",
            "user_id": user_id,
            "template": "verify_email",
        }
    ]
    assert await value(database, "SELECT count(*) FROM one_time_tokens") == 0


async def test_a_mail_that_nobody_waits_for_any_more_is_not_sent(database: Database, server: SmtpDouble) -> None:
    mails = account_mails(database, server)
    gone = await user(database, "gone@example.com", is_active=False)
    proved = await user(database, "proved@example.com", email_verified=True)
    for user_id, template in [(2**40, RESET_PASSWORD), (gone, RESET_PASSWORD), (proved, VERIFY_EMAIL)]:
        await mails.send(MailPayload(user_id, template))
    assert server.mails == []
    assert await value(database, "SELECT count(*) FROM one_time_tokens") == 0
    await mails.send(MailPayload(proved, RESET_PASSWORD))
    assert [mail["To"] for mail in server.mails] == ["proved@example.com"]


def test_mails_are_tried_for_more_than_a_day_and_at_least_every_hour() -> None:
    pauses = [MAIL_PATIENCE.pause(failures) for failures in range(30)]
    assert all(pause is not None and pause <= timedelta(hours=1) for pause in pauses)
