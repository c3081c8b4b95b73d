"""Accounts: users, tiers and what is used of their quota, refresh-token families, and what mails and OAuth carry."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    false,
    func,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.database import Base

MAX_EMAIL_LENGTH = 255


class AccountTier(Base):
    """What an account may do. Exactly one is the default, which new accounts get: the database holds both halves."""

    __tablename__ = "account_tiers"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    daily_ai_search_limit: Mapped[int] = mapped_column(Integer, comment="AI searches in a UTC day")
    throttle_exempt: Mapped[bool] = mapped_column(server_default=false(), comment="Exempt from the AI throttles")
    is_default: Mapped[bool] = mapped_column(server_default=false())

    __table_args__ = (
        CheckConstraint("daily_ai_search_limit >= 0", name="daily_ai_search_limit_positive"),
        Index("uq_account_tiers_is_default", "is_default", unique=True, postgresql_where=text("is_default")),
    )


class User(Base):
    """An account."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    email: Mapped[str] = mapped_column(Text, unique=True, comment="In lower case")
    email_verified: Mapped[bool] = mapped_column(server_default=false())
    password: Mapped[str | None] = mapped_column(Text, comment="A hash; null where none is set")
    google_subject: Mapped[str | None] = mapped_column(Text, unique=True, comment="Google's `sub`")
    is_active: Mapped[bool] = mapped_column(server_default=true())
    is_staff: Mapped[bool] = mapped_column(server_default=false())
    session_version: Mapped[int] = mapped_column(
        Integer, server_default=text("1"), comment="A token or session of an earlier version has ended"
    )
    account_tier_id: Mapped[int] = mapped_column(ForeignKey(AccountTier.id), index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    last_login_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    account_tier: Mapped[AccountTier] = relationship(lazy="raise")

    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_lower"),
        CheckConstraint(f"char_length(email) <= {MAX_EMAIL_LENGTH}", name="email_length"),
    )


class TokenFamily(Base):
    """The refresh tokens that descend from one login; only the last two of them are of interest."""

    __tablename__ = "token_families"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    current_jti: Mapped[UUID] = mapped_column(Uuid, comment="The newest token, not used yet")
    previous_jti: Mapped[UUID | None] = mapped_column(Uuid, comment="The token that the newest was given for")
    rotated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class OneTimeToken(Base):
    """A token that works once: the link in a mail, or the code that a front end trades for a login."""

    __tablename__ = "one_time_tokens"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True, comment="SHA-256 of the token")
    purpose: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    code_challenge: Mapped[str | None] = mapped_column(Text, comment="PKCE, S256 (RFC 7636)")
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class AiUsage(Base):
    """How many AI searches a user has made on a day."""

    __tablename__ = "ai_usage"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True, index=True, comment="In UTC")
    used: Mapped[int] = mapped_column(Integer)
