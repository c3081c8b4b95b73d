"""Mail: by SMTP, or into a folder where a developer reads it."""

import asyncio
import os
import secrets
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, make_msgid, parseaddr
from pathlib import Path
from typing import Protocol

import aiosmtplib
import idna
import structlog

from app.settings import Settings
from app.upstream.calls import counted
from app.upstream.errors import Reason, UpstreamError

SERVICE = "mail"
# For one mail, from the connection's first packet to the server's last word.
DEADLINE_SECONDS = 30.0
# RFC 8314 section 3.3: TLS from the first byte on; elsewhere the connection changes to it by STARTTLS.
IMPLICIT_TLS_PORT = 465
# RFC 5321 section 4.2.1: a reply of 500 and above is the server's last word.
PERMANENT = 500
# RFC 5321 section 4.2.3, RFC 7504: what RCPT answers where the fault is the address. But a server that will not relay
# for us says 550 as well, and by its enhanced code (RFC 3463 section 3.8) that this is policy: our fault, to be mended.
NO_SUCH_MAILBOX = frozenset({550, 551, 553, 556})
POLICY = "5.7."

log = structlog.stdlib.get_logger(__name__)


class RecipientRefusedError(UpstreamError):
    """The server will never take mail for this address: to try again is no use."""

    def __init__(self) -> None:
        super().__init__(SERVICE, Reason.REFUSED)


@dataclass(frozen=True, slots=True, repr=False)
class Mail:
    """A mail to one person; it may hold a secret, and shows nothing of itself in logs."""

    recipient: str
    subject: str
    text: str
    html: str


class Mailer(Protocol):
    """Sends mails."""

    async def send(self, mail: Mail) -> None:
        """Send a mail.

        Raises:
            RecipientRefusedError: the address takes no mail.
            UpstreamError: it could not be sent now.
        """


class SmtpMailer:
    """Hands mails to an SMTP server.

    Args:
        host: the server.
        port: its port; on 465 the connection begins with TLS.
        sender: the From header, an address with or without a name.
        credentials: user and password; None where the server asks for none.
        use_tls: insist on TLS. Without it the mail, and the credentials, travel in the open.
        tls: what certificates are trusted; the machine's own where None.
        deadline: seconds that one mail may take.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        sender: str,
        credentials: tuple[str, str] | None = None,
        use_tls: bool = True,
        tls: ssl.SSLContext | None = None,
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        self._host = host
        self._port = port
        self._sender = sender
        self._credentials = credentials
        self._use_tls = use_tls
        self._tls = tls or ssl.create_default_context()
        self._deadline = deadline

    async def send(self, mail: Mail) -> None:
        with counted(SERVICE):
            await self._send(mail)

    async def _send(self, mail: Mail) -> None:
        implicit = self._port == IMPLICIT_TLS_PORT
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            use_tls=implicit,
            start_tls=self._use_tls and not implicit,
            tls_context=self._tls if implicit or self._use_tls else None,
            local_hostname=_domain(self._sender),  # else the machine's name is looked up, and told
            timeout=self._deadline,
        )
        try:
            async with asyncio.timeout(self._deadline):
                await self._deliver(client, mail)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise _named(error) from None  # their texts hold addresses
        finally:
            client.close()

    async def _deliver(self, client: aiosmtplib.SMTP, mail: Mail) -> None:
        recipient = _wire_address(mail.recipient)
        await client.connect()
        await client.ehlo()
        if not recipient.isascii() and not client.supports_extension("smtputf8"):
            raise RecipientRefusedError
        if self._credentials is not None:
            await client.login(*self._credentials)
        await client.send_message(written(mail, self._sender), recipients=[recipient])
        # It is sent: what happens from here on must not have it sent again.
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.quit()


class MailFolder:
    """Writes mails into a folder, and logs where, so that a developer can follow their links."""

    def __init__(self, folder: Path, *, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, mail: Mail) -> None:
        try:
            file = await asyncio.to_thread(self._write, written(mail, self._sender).as_bytes())
        except OSError:
            raise UpstreamError(SERVICE, Reason.UNAVAILABLE) from None
        log.info("mail written", file=str(file), subject=mail.subject)

    def _write(self, content: bytes) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{secrets.token_hex(3)}.eml"
        draft, file = self._folder / f".{name}", self._folder / name
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            handle.write(content)
        return draft.rename(file)  # whole, or not there


def configured_mailer(settings: Settings) -> Mailer | None:
    """What sends the mails of this deployment; None where nothing does, and they must wait."""
    sender = settings.mail_sender
    if settings.email_host:
        user, password = settings.email_host_user, settings.email_host_password
        return SmtpMailer(
            settings.email_host,
            settings.email_port,
            sender=sender,
            credentials=(user, password.get_secret_value()) if user and password else None,
            use_tls=settings.email_use_tls,
        )
    return MailFolder(settings.email_folder, sender=sender) if settings.email_folder else None


def written(mail: Mail, sender: str) -> EmailMessage:
    """`mail` as a message: plain text, and HTML beside it."""
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = sender
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=_domain(sender))
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice answers this
    # A link is longer than a line, and would be written with `=` and breaks in it, which only a mail reader undoes.
    message.set_content(mail.text, cte="7bit" if mail.text.isascii() else None)
    message.add_alternative(mail.html, subtype="html", cte="7bit" if mail.html.isascii() else None)
    return message


def _named(error: Exception) -> UpstreamError:
    match error:
        case aiosmtplib.SMTPRecipientsRefused(recipients=[refused, *_]):
            if refused.code in NO_SUCH_MAILBOX and not refused.message.startswith(POLICY):
                return RecipientRefusedError()
            return _named(refused)
        case TimeoutError():
            return UpstreamError(SERVICE, Reason.TIMEOUT)
        case aiosmtplib.SMTPResponseException(code=code):
            return UpstreamError(SERVICE, Reason.REFUSED if code >= PERMANENT else Reason.UNAVAILABLE)
        case ValueError() | ssl.SSLError():  # addresses or certificates that cannot be used
            return UpstreamError(SERVICE, Reason.REFUSED)
    return UpstreamError(SERVICE, Reason.UNREACHABLE)


def _domain(sender: str) -> str:
    return parseaddr(sender)[1].rpartition("@")[2] or "localhost"


def _wire_address(address: str) -> str:
    """`address` with its domain as DNS writes it: only a name in other letters needs a server that knows SMTPUTF8."""
    name, _, domain = address.rpartition("@")
    try:
        return f"{name}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        raise RecipientRefusedError from None
