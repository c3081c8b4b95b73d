"""Mails, handed to a server as it should be and to one that misbehaves, or written into a folder."""

import email
import email.policy
import ssl
import stat
import time
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import pytest
import structlog
from pydantic import ValidationError

from app.settings import Settings
from app.upstream import mail as mail_module
from app.upstream.errors import Reason, UpstreamError
from app.upstream.mail import Mail, MailFolder, RecipientRefusedError, SmtpMailer, configured_mailer
from tests.conftest import SECRET_KEY
from tests.doubles.smtp import PASSWORD, USER, Certificate, SmtpDouble
from tests.processes import free_port

LINK = "https://films.example.com/verify-email?token=" + "k" * 60
MAIL = Mail("ada@example.com", "Hello", f"Follow\n\n{LINK}\n", f'<a href="{LINK}">Follow</a>\n')
SENDER = "Movie Finder <films@example.com>"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.made(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def server() -> AsyncIterator[SmtpDouble]:
    async with SmtpDouble() as server:
        yield server


def mailer(server: SmtpDouble, **options: Any) -> SmtpMailer:
    """A mailer for a server without TLS."""
    return SmtpMailer("127.0.0.1", server.port, **{"sender": SENDER, "use_tls": False, "deadline": 5.0, **options})


async def failure(mailer: SmtpMailer, mail: Mail = MAIL) -> UpstreamError:
    """How a mail fails."""
    with pytest.raises(UpstreamError) as caught:
        await mailer.send(mail)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def content(mail: EmailMessage, kind: Literal["plain", "html"]) -> str:
    """One of the two bodies of a mail."""
    body = mail.get_body((kind,))
    assert body is not None
    text: str = body.get_content()
    return text.replace("\r\n", "\n")


async def test_a_mail_arrives_by_starttls_with_credentials(certificate: Certificate) -> None:
    async with SmtpDouble(certificate) as server:
        options = {"use_tls": True, "tls": certificate.trusted(), "credentials": (USER, PASSWORD)}
        await mailer(server, **options).send(MAIL)
        assert (server.secure, server.logins) == ([True], [(USER, PASSWORD)])
        arrived = server.mails[0]
    assert (arrived["From"], arrived["To"], arrived["Subject"]) == (SENDER, "ada@example.com", "Hello")
    assert arrived["Auto-Submitted"] == "auto-generated"
    assert arrived["Date"]
    assert arrived["Message-ID"].endswith("@example.com>")
    assert (content(arrived, "plain"), content(arrived, "html")) == (MAIL.text, MAIL.html)
    assert LINK in arrived.as_string()  # in one piece, also for who reads the source


async def test_tls_from_the_first_byte_on_the_port_for_it(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SmtpDouble(certificate, implicit=True) as server:
        monkeypatch.setattr(mail_module, "IMPLICIT_TLS_PORT", server.port)
        await mailer(server, use_tls=True, tls=certificate.trusted()).send(MAIL)
        assert server.secure == [True]


async def test_nothing_is_sent_where_tls_is_missing_or_not_to_be_trusted(certificate: Certificate) -> None:
    async with SmtpDouble() as plain, SmtpDouble(certificate) as own:
        assert (await failure(mailer(plain, use_tls=True))).reason == Reason.UNREACHABLE
        assert (await failure(mailer(own, use_tls=True, tls=ssl.create_default_context()))).reason in {
            Reason.REFUSED,
            Reason.UNREACHABLE,
        }
        assert [*plain.mails, *own.mails, *plain.logins, *own.logins] == []


async def test_text_that_is_not_ascii_and_lines_that_begin_with_a_dot_arrive_whole(server: SmtpDouble) -> None:
    await mailer(server).send(Mail("ada@example.com", "Grüße", ".\nÜber\n", "<p>Ü</p>\n"))
    assert (server.mails[0]["Subject"], content(server.mails[0], "plain")) == ("Grüße", ".\nÜber\n")


@pytest.mark.parametrize("reply", ["550 5.1.1 no such user", "550 no", "551 moved", "553 no", "556 no mail"])
async def test_an_address_that_takes_no_mail_is_told_from_passing_trouble(server: SmtpDouble, reply: str) -> None:
    server.replies["RCPT"] = reply
    assert isinstance(await failure(mailer(server)), RecipientRefusedError)


@pytest.mark.parametrize(
    ("command", "reply", "reason"),
    [
        ("CONNECT", "421 busy", Reason.UNAVAILABLE),
        ("CONNECT", "DROP", Reason.UNREACHABLE),
        ("EHLO", "DROP", Reason.UNREACHABLE),
        ("MAIL", "451 later", Reason.UNAVAILABLE),
        ("MAIL", "550 not from there", Reason.REFUSED),
        ("RCPT", "450 mailbox busy", Reason.UNAVAILABLE),
        ("RCPT", "452 mailbox full", Reason.UNAVAILABLE),
        ("RCPT", "550 5.7.1 relaying denied", Reason.REFUSED),
        ("RCPT", "530 log in first", Reason.REFUSED),
        ("RCPT", "nonsense", Reason.UNAVAILABLE),
        ("DATA", "452 full", Reason.UNAVAILABLE),
        ("END", "451 later", Reason.UNAVAILABLE),
        ("END", "554 looks like spam", Reason.REFUSED),
        ("END", "DROP", Reason.UNREACHABLE),
    ],
)
async def test_trouble_has_a_name_and_may_be_tried_again(
    server: SmtpDouble, command: str, reply: str, reason: Reason
) -> None:
    server.replies[command] = reply
    error = await failure(mailer(server))
    assert (error.service, error.reason) == ("mail", reason)
    assert not isinstance(error, RecipientRefusedError)


async def test_nobody_there(server: SmtpDouble) -> None:
    server.port = free_port()
    assert (await failure(mailer(server))).reason == Reason.UNREACHABLE


async def test_wrong_credentials_are_told_and_shown_nowhere(server: SmtpDouble) -> None:
    with structlog.testing.capture_logs() as logs:
        error = await failure(mailer(server, credentials=(USER, "wrong-1f09")))
    assert error.reason == Reason.REFUSED
    assert "1f09" not in f"{error!r} {logs}"


@pytest.mark.parametrize("command", ["CONNECT", "EHLO", "AUTH", "RCPT", "DATA", "END"])
async def test_the_deadline_is_for_the_whole_of_it_wherever_the_server_hangs(server: SmtpDouble, command: str) -> None:
    server.replies[command] = "HANG"
    began = time.monotonic()
    assert (await failure(mailer(server, deadline=0.3, credentials=(USER, PASSWORD)))).reason == Reason.TIMEOUT
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("reply", ["DROP", "451 no"])
async def test_what_goes_wrong_after_the_mail_was_taken_does_not_have_it_sent_again(
    server: SmtpDouble, reply: str
) -> None:
    server.replies["QUIT"] = reply
    await mailer(server).send(MAIL)
    assert len(server.mails) == 1


async def test_addresses_in_other_letters() -> None:
    def to(recipient: str) -> Mail:
        return Mail(recipient, MAIL.subject, MAIL.text, MAIL.html)

    async with SmtpDouble() as ascii_only, SmtpDouble(utf8=True) as modern:
        await mailer(ascii_only).send(to("ada@bücher.example"))
        assert ascii_only.recipients == ["ada@xn--bcher-kva.example"]
        assert isinstance(await failure(mailer(ascii_only), to("jürgen@example.com")), RecipientRefusedError)
        await mailer(modern).send(to("jürgen@bücher.example"))
        assert modern.recipients == ["jürgen@xn--bcher-kva.example"]
        assert isinstance(await failure(mailer(modern), to(f"ada@{'a' * 64}.example")), RecipientRefusedError)


async def test_a_sender_that_cannot_be_used_is_no_fault_of_the_recipients(server: SmtpDouble) -> None:
    error = await failure(mailer(server, sender="a b <>"))
    assert (type(error), error.reason) == (UpstreamError, Reason.REFUSED)


def test_a_mail_shows_nothing_of_itself() -> None:
    assert "token" not in repr(MAIL)
    assert "ada" not in repr(MAIL)


async def test_a_folder_takes_mails_that_only_their_owner_may_read_and_the_log_names_them(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "mail"
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            await MailFolder(folder, sender=SENDER).send(MAIL)
    files = sorted(folder.iterdir())
    assert [entry["file"] for entry in logs] == [str(file) for file in files]
    assert len(files) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert LINK in files[0].read_text()
    assert email.message_from_bytes(files[0].read_bytes(), policy=email.policy.default)["To"] == "ada@example.com"
    assert "token" not in str(logs)


async def test_a_folder_that_cannot_be_written_is_passing_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UpstreamError, match="mail: unavailable"):
        await MailFolder(tmp_path / "file" / "mail", sender=SENDER).send(MAIL)


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **{"secret_key": SECRET_KEY, **given})


async def test_the_settings_say_where_mails_go(tmp_path: Path, server: SmtpDouble) -> None:
    assert configured_mailer(settings()) is None
    assert isinstance(configured_mailer(settings(email_folder=tmp_path)), MailFolder)
    login = {"email_host_user": USER, "email_host_password": PASSWORD}
    configured = configured_mailer(
        settings(email_host="127.0.0.1", email_port=server.port, email_use_tls=False, email_folder=tmp_path, **login)
    )
    assert configured is not None
    await configured.send(MAIL)
    assert server.logins == [(USER, PASSWORD)]
    assert server.mails[0]["From"] == "Movie Finder <movie-finder@localhost>"
    assert len(server.mails) == 1


def test_mails_come_from_the_address_that_is_set_else_from_the_servers_user() -> None:
    login = {"email_host_user": "films@example.com", "email_host_password": "x"}
    assert settings(**login).mail_sender == "Movie Finder <films@example.com>"
    assert settings(**login, email_from=SENDER).mail_sender == SENDER


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"email_host_user": "someone"}, "EMAIL_HOST_USER and EMAIL_HOST_PASSWORD go together"),
        ({"email_host_password": "x"}, "EMAIL_HOST_USER and EMAIL_HOST_PASSWORD go together"),
        ({"email_from": "nobody"}, "EMAIL_FROM is no address"),
        ({"email_from": "a@b.example\nBcc: c@d.example"}, "EMAIL_FROM is no address"),
        ({"frontend_url": "films.example.com"}, "FRONTEND_URL"),
    ],
)
def test_mail_settings_that_contradict_each_other_stop_the_start(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**wrong)
