"""The SQL of the staff's pages, as far as no other room has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Row, Select, delete, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import AccountTier, User
from app.auth.repository import normal_email
from app.core.ordering import order_by
from app.core.text import like_pattern
from app.movies.models import Movie
from app.movies.repository import title_columns

AdminRow = Row[Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a page of a list shows.

    Attributes:
        search: a substring that it is narrowed to.
        ordering: as the API's `ordering=`.
    """

    search: str | None
    ordering: str
    limit: int
    offset: int


class UserAdministrationRepository:
    """Reads and writes users for the staff; never commits."""

    ORDERINGS: Mapping[str, ColumnElement[Any]] = {"id": User.__table__.c.id, "email": User.__table__.c.email}

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(self, listing: Listing) -> Sequence[AdminRow]:
        """A page of the users whose address matches."""
        order = order_by(listing.ordering, self.ORDERINGS, tie=User.__table__.c.id)
        page = _users().where(*_of_address(listing.search)).order_by(*order)
        rows: Sequence[AdminRow] = (await self._session.execute(page.limit(listing.limit).offset(listing.offset))).all()
        return rows

    async def total(self, search: str | None) -> int:
        """How many users' addresses match."""
        counted = select(func.count()).select_from(User).where(*_of_address(search))
        return (await self._session.execute(counted)).scalar_one()

    async def get(self, user_id: int) -> AdminRow | None:
        """The user with this id."""
        row: AdminRow | None = (await self._session.execute(_users().where(User.id == user_id))).one_or_none()
        return row

    async def lock(self, *user_ids: int) -> dict[int, Row[int, bool, bool]]:
        """Whether these users are active and staff, which nobody else changes until the transaction ends; by id."""
        states = select(User.id, User.is_active, User.is_staff).where(User.id.in_(user_ids)).order_by(User.id)
        found = await self._session.execute(states.with_for_update(key_share=True))
        return {user.id: user for user in found}

    async def upsert(self, email: str, **values: object) -> Row[int, bool]:
        """Make the user with this address have these values; the id, and whether the user is new."""
        made = insert(User).values(email=normal_email(email), **values)
        made = made.on_conflict_do_update(index_elements=[User.email], set_=values)
        # A row version that no transaction has replaced has no xmax: it was inserted.
        is_new = literal_column("xmax = 0", Boolean).label("is_new")
        return (await self._session.execute(made.returning(User.id, is_new))).one()

    async def tier_id(self, code: str) -> int | None:
        """The id of the tier with this code."""
        return (await self._session.execute(select(AccountTier.id).where(AccountTier.code == code))).scalar()


class TierAdministrationRepository:
    """Reads and writes tiers; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self) -> Sequence[AdminRow]:
        """Every tier, and how many users are in it: there are a handful."""
        rows: Sequence[AdminRow] = (await self._session.execute(_tiers().order_by(AccountTier.id))).all()
        return rows

    async def get(self, tier_id: int) -> AdminRow | None:
        """The tier with this id."""
        row: AdminRow | None = (await self._session.execute(_tiers().where(AccountTier.id == tier_id))).one_or_none()
        return row

    async def add(self, **values: object) -> int:
        """A new tier."""
        await self._clear_default(values)
        return (await self._session.execute(insert(AccountTier).values(values).returning(AccountTier.id))).scalar_one()

    async def change(self, tier_id: int, **values: object) -> None:
        """Change a tier. To make it the default unmakes the one before."""
        await self._clear_default(values)
        await self._session.execute(update(AccountTier).where(AccountTier.id == tier_id).values(values))

    async def delete(self, tier_id: int) -> None:
        """Delete a tier."""
        await self._session.execute(delete(AccountTier).where(AccountTier.id == tier_id))

    async def _clear_default(self, values: Mapping[str, object]) -> None:
        """Of two that are made the default at once, the database's unique index refuses the second."""
        if values.get("is_default"):
            await self._session.execute(update(AccountTier).where(AccountTier.is_default).values(is_default=False))


class MovieAdministrationRepository:
    """Writes movies for the staff; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def change(self, movie_id: int, *, title: str, **values: object) -> None:
        """Set texts of a movie."""
        await self._session.execute(update(Movie).where(Movie.id == movie_id).values(values | title_columns(title)))

    async def delete(self, movie_id: int) -> None:
        """Delete a movie, and by the tables' foreign keys all that refers to it."""
        await self._session.execute(delete(Movie).where(Movie.id == movie_id))


def _users() -> Select[*tuple[Any, ...]]:
    """Users as the staff see them: of a password only whether there is one."""
    return select(
        User.id,
        User.email,
        User.email_verified,
        User.is_active,
        User.is_staff,
        User.account_tier_id,
        User.created_at,
        User.last_login_at,
        AccountTier.name.label("tier_name"),
        User.password.is_not(None).label("has_password"),
        User.google_subject.is_not(None).label("has_google"),
    ).join(AccountTier, AccountTier.id == User.account_tier_id)


def _of_address(search: str | None) -> list[ColumnElement[bool]]:
    return [User.email.like(f"%{like_pattern(normal_email(search))}%")] if search else []


def _tiers() -> Select[*tuple[Any, ...]]:
    users = select(func.count()).select_from(User).where(User.account_tier_id == AccountTier.id).scalar_subquery()
    return select(*AccountTier.__table__.c, users.label("users_count"))
