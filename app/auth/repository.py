"""The SQL of accounts."""

import hashlib
import secrets
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import Row, Select, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import AccountTier, OneTimeToken, TokenFamily, User
from app.core.database import Database
from app.core.driver_statement import DriverStatement

UserRow = Row[Any]


def normal_email(email: str) -> str:
    """An address as it is kept: who writes it with other capitals, or another spelling of it, is the same person."""
    with suppress(EmailNotValidError):
        email = validate_email(email, check_deliverability=False).normalized
    return email.strip().lower()


def _users() -> Select[*tuple[Any, ...]]:
    return select(
        User.id,
        User.email,
        User.email_verified,
        User.password,
        User.google_subject,
        User.is_active,
        User.is_staff,
        User.session_version,
        User.created_at,
        AccountTier.code.label("tier_code"),
        AccountTier.name.label("tier_name"),
        AccountTier.daily_ai_search_limit,
        AccountTier.throttle_exempt,
    ).join(AccountTier, AccountTier.id == User.account_tier_id)


_SESSION_VERSION = DriverStatement.of(
    select(User.session_version).where(User.id == bindparam("id"), User.is_active.is_(True))
)


async def session_version(database: Database, user_id: int) -> int | None:
    """The session version of an active account; None where there is no such account. Asked for at every request."""
    rows = await database.fetch(_SESSION_VERSION, id=user_id)
    return rows[0]["session_version"] if rows else None


class UserRepository:
    """Reads and writes users; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, user_id: int) -> UserRow | None:
        """The user with this id, and the tier."""
        user: UserRow | None = (await self._session.execute(_users().where(User.id == user_id))).one_or_none()
        return user

    async def by_email(self, email: str) -> UserRow | None:
        """The user with this address, and the tier."""
        found = await self._session.execute(_users().where(User.email == normal_email(email)))
        user: UserRow | None = found.one_or_none()
        return user

    async def by_google_subject(self, subject: str) -> UserRow | None:
        """The user with this Google account, and the tier."""
        found = await self._session.execute(_users().where(User.google_subject == subject))
        user: UserRow | None = found.one_or_none()
        return user

    async def lock_by_email(self, email: str) -> UserRow | None:
        """The user with this address, whom nobody else changes until the transaction ends."""
        by_email = _users().where(User.email == normal_email(email))
        found = await self._session.execute(by_email.with_for_update(of=User, key_share=True))
        user: UserRow | None = found.one_or_none()
        return user

    async def add(self, email: str, **values: object) -> int | None:
        """A new user of the default tier, or None where the address or the Google account is taken."""
        tier = select(AccountTier.id).where(AccountTier.is_default).scalar_subquery()
        new = insert(User).values(email=normal_email(email), account_tier_id=tier, **values)
        added = new.on_conflict_do_nothing().returning(User.id)
        return (await self._session.execute(added)).scalar()

    async def update(self, user_id: int, *conditions: Any, **values: object) -> int | None:
        """Change a user while the conditions hold; the session version afterwards, or None where they do not."""
        changed = update(User).where(User.id == user_id, *conditions).values(**values).returning(User.session_version)
        return (await self._session.execute(changed)).scalar()

    async def end_sessions(self, user_id: int) -> int:
        """End every token and session of a user at once; the session version of new ones."""
        await self._session.execute(delete(TokenFamily).where(TokenFamily.user_id == user_id))
        version = update(User).where(User.id == user_id).values(session_version=User.session_version + 1)
        return (await self._session.execute(version.returning(User.session_version))).scalar_one()

    async def delete(self, user_id: int) -> None:
        """Delete a user, and by the tables' foreign keys all that it owns."""
        await self._session.execute(delete(User).where(User.id == user_id))


class Presented(StrEnum):
    """What a refresh token turned out to be."""

    ROTATED = "rotated"
    SPENT = "spent"
    REUSED = "reused"
    UNKNOWN = "unknown"


class TokenFamilyRepository:
    """Reads and writes refresh-token families; never commits."""

    # Two requests of one client that use the same token within this time are a race, no theft.
    RACE = timedelta(seconds=2)

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, family: UUID, user_id: int, jti: UUID, age: timedelta) -> None:
        """A new family with its first token."""
        await self._session.execute(
            insert(TokenFamily).values(id=family, user_id=user_id, current_jti=jti, expires_at=func.now() + age)
        )

    async def rotate(self, family: UUID, presented: UUID, successor: UUID, age: timedelta) -> Presented:
        """Give `successor` for the token `presented`, if it may have one.

        The newest token gets one. So does the one before it, as long as its successor has not been used: the answer
        was lost on the way, or the client keeps its first token; the successor is replaced. Within a moment of the
        rotation that is refused, as a race. A still older token has been stolen: the family ends.
        """
        found = await self._session.execute(
            select(TokenFamily, (TokenFamily.rotated_at > func.now() - self.RACE).label("just_rotated"))
            .where(TokenFamily.id == family, TokenFamily.expires_at > func.now())
            .with_for_update()
        )
        row = found.one_or_none()
        if row is None:
            return Presented.UNKNOWN
        known: TokenFamily = row.TokenFamily
        if presented not in {known.current_jti, known.previous_jti}:
            await self.end(family)
            return Presented.REUSED
        if presented == known.previous_jti and row.just_rotated:
            return Presented.SPENT
        await self._session.execute(
            update(TokenFamily)
            .where(TokenFamily.id == family)
            .values(current_jti=successor, previous_jti=presented, rotated_at=func.now(), expires_at=func.now() + age)
        )
        return Presented.ROTATED

    async def end(self, family: UUID) -> None:
        """End a family: none of its tokens is taken any more."""
        await self._session.execute(delete(TokenFamily).where(TokenFamily.id == family))


class OneTimeTokenRepository:
    """Makes and takes tokens that work once; only their hashes are stored. Never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, purpose: str, user_id: int, age: timedelta, code_challenge: str | None = None) -> str:
        """A new token."""
        token = secrets.token_urlsafe(32)
        await self._session.execute(
            insert(OneTimeToken).values(
                digest=_digest(token),
                purpose=purpose,
                user_id=user_id,
                code_challenge=code_challenge,
                expires_at=func.now() + age,
            )
        )
        return token

    async def take(self, purpose: str, token: str) -> Row[int, str | None] | None:
        """The user and the code challenge of a token, which is used up by this; None where it is not valid."""
        taken = (
            delete(OneTimeToken)
            .where(
                OneTimeToken.digest == _digest(token),
                OneTimeToken.purpose == purpose,
                OneTimeToken.expires_at > func.now(),
            )
            .returning(OneTimeToken.user_id, OneTimeToken.code_challenge)
        )
        return (await self._session.execute(taken)).one_or_none()

    async def drop(self, user_id: int, purpose: str | None = None) -> None:
        """Make a user's tokens worthless, all or those of one purpose."""
        dropped = delete(OneTimeToken).where(OneTimeToken.user_id == user_id)
        await self._session.execute(dropped.where(OneTimeToken.purpose == purpose) if purpose else dropped)


def _digest(token: str) -> bytes:
    """A hash is enough, without salt or cost: the token has 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


async def purge_expired(session: AsyncSession) -> None:
    """Drop families and one-time tokens that have expired."""
    for table in (TokenFamily, OneTimeToken):
        await session.execute(delete(table).where(table.expires_at < func.now()))
