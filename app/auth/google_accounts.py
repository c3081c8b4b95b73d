"""Which account somebody may enter on Google's word."""

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.mails import MAIL_TASK, VERIFY_EMAIL, MailPayload
from app.auth.problems import AccountExists, OAuthFailed
from app.auth.repository import OneTimeTokenRepository, UserRepository, UserRow
from app.auth.schemas import Email
from app.core.database_errors import WriteConflict
from app.core.jobs import enqueue
from app.upstream.google import GoogleIdentity

_EMAIL: TypeAdapter[str] = TypeAdapter(Email)


async def account_of(session: AsyncSession, identity: GoogleIdentity) -> int:
    """The id of the account that somebody with this identity may enter, made where there is none.

    Raises:
        AccountExists: there is one with this address, and it may not be linked.
        OAuthFailed: it is deactivated, or the address cannot be used.
    """
    users = UserRepository(session)
    user = await users.by_google_subject(identity.subject)
    if user is None:
        email = _usable(identity.email)
        values = {"google_subject": identity.subject, "email_verified": identity.email_verified}
        new = await users.add(email, **values)
        if new is not None:
            if not identity.email_verified:
                await enqueue(session, MAIL_TASK, MailPayload(user_id=new, template=VERIFY_EMAIL))
            return new
        # Somebody has the address; or this very person was faster, in another tab.
        user = await users.by_google_subject(identity.subject) or await _linked(session, email, identity)
    if not user.is_active:
        raise OAuthFailed
    user_id: int = user.id
    return user_id


async def _linked(session: AsyncSession, email: str, identity: GoogleIdentity) -> UserRow:
    """The account with this address, to which the Google account now belongs, unless it is deactivated.

    Where the address was never proved, somebody else may have made the account, to lie in wait in it: what they left
    behind ends.
    """
    users = UserRepository(session)
    user = await users.lock_by_email(email)
    if user is None:  # deleted a moment ago: begin again
        raise WriteConflict
    if not _google_speaks_for(identity) or (user.email_verified and user.google_subject):
        raise AccountExists
    if not user.is_active:
        return user
    if user.email_verified:
        await users.update(user.id, google_subject=identity.subject)
    else:
        await users.update(user.id, google_subject=identity.subject, email_verified=True, password=None)
        await users.end_sessions(user.id)
        await OneTimeTokenRepository(session).drop(user.id)
    return user


def _google_speaks_for(identity: GoogleIdentity) -> bool:
    """Whether Google is the authority for the address; for others it has only once sent a mail there.

    https://developers.google.com/identity/gsi/web/guides/verify-google-id-token
    """
    at_google = identity.email.lower().endswith("@gmail.com") or bool(identity.hosted_domain)
    return identity.email_verified and at_google


def _usable(email: str) -> str:
    """The address as a signup would take it."""
    try:
        return _EMAIL.validate_python(email)
    except ValidationError:
        raise OAuthFailed from None
