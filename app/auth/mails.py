"""The mails of accounts: what is ordered, and how it is made and sent.

A mail is ordered in the transaction that gives rise to it, and names the user and the template only. Its token is made
when it is sent, so that none waits anywhere: not in the queue, and not for longer than the hour that it lives.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from app.auth.repository import OneTimeTokenRepository, UserRepository
from app.core.database import Database
from app.core.jobs import Patience
from app.upstream.mail import Mail, Mailer, RecipientRefusedError

MAIL_TASK = "send_mail"
Template = Literal["verify_email", "reset_password"]
VERIFY_EMAIL: Template = "verify_email"
RESET_PASSWORD: Template = "reset_password"  # noqa: S105 - the name of a mail
SUBJECTS: dict[Template, str] = {
    VERIFY_EMAIL: "Is this your email address?",
    RESET_PASSWORD: "A new password for Movie Finder",
}
TOKEN_AGE = timedelta(hours=1)
# Mail servers themselves keep trying for some days (RFC 5321 section 4.5.4.1).
MAIL_PATIENCE = Patience(first=timedelta(seconds=5), longest=timedelta(hours=1), total=timedelta(days=3))
MAIL_DEADLINE = timedelta(minutes=2)

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MailPayload:
    """A mail that waits to be sent."""

    user_id: int
    template: Template


class AccountMails:
    """Makes the mails of accounts, and sends them.

    Args:
        database: where users and tokens are.
        mailer: sends.
        frontend_url: where the links lead; None has the mail show the token for the API itself.
    """

    def __init__(self, database: Database, mailer: Mailer, frontend_url: str | None) -> None:
        self._database = database
        self._mailer = mailer
        self._frontend_url = frontend_url and frontend_url.rstrip("/")
        self._templates = Environment(
            loader=PackageLoader("app.auth", "mail_templates"),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )

    async def send(self, order: MailPayload) -> None:
        """Send a mail, if it is still wanted. No connection is held while the mail server is waited for.

        Raises:
            UpstreamError: it could not be sent now.
        """
        made = await self._token(order)
        if made is None:
            return
        recipient, token = made
        try:
            await self._mailer.send(self._mail(order.template, recipient, token))
        except RecipientRefusedError:
            await self._drop(order, token)
            log.warning("the address takes no mail", user_id=order.user_id, template=order.template)
        except Exception:
            await self._drop(order, token)  # the next try makes another
            raise
        else:
            log.info("mail sent", user_id=order.user_id, template=order.template)

    async def _token(self, order: MailPayload) -> tuple[str, str] | None:
        """The address and a new token; None where nobody waits for this mail any more."""
        async with self._database.transaction() as session:
            user = await UserRepository(session).get(order.user_id)
            if user is None or not user.is_active or (order.template == VERIFY_EMAIL and user.email_verified):
                return None
            return user.email, await OneTimeTokenRepository(session).add(order.template, order.user_id, TOKEN_AGE)

    async def _drop(self, order: MailPayload, token: str) -> None:
        async with self._database.transaction() as session:
            await OneTimeTokenRepository(session).take(order.template, token)

    def _mail(self, template: Template, recipient: str, token: str) -> Mail:
        page = template.replace("_", "-")
        link = f"{self._frontend_url}/{page}?token={token}" if self._frontend_url else None
        known = {"link": link, "token": token}
        return Mail(
            recipient=recipient,
            subject=SUBJECTS[template],
            text=self._templates.get_template(f"{template}.txt").render(known),
            html=self._templates.get_template(f"{template}.html").render(known),
        )
