"""How many AI searches an account has left today: its tier's quota of a UTC day."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Date, cast, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import AccountTier, AiUsage, User

# By the database's clock, so that all processes agree.
TODAY = cast(func.timezone("UTC", func.now()), Date)
# What was used is shown to its owner for so long.
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Quota:
    """What an account may use on a day, and what it has used."""

    limit: int
    used: int

    @property
    def left(self) -> int:
        """How many searches are left; none where a tier's quota was lowered below what is used."""
        return max(self.limit - self.used, 0)


def next_day() -> datetime:
    """When quotas begin anew: midnight, UTC."""
    return datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(), UTC)


class QuotaRepository:
    """Reads and writes what is used of quotas; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, user_id: int) -> Quota:
        """A user's quota today."""
        of_today = (AiUsage.user_id == User.id) & (AiUsage.day == TODAY)
        quota = select(AccountTier.daily_ai_search_limit, func.coalesce(AiUsage.used, 0))
        quota = quota.select_from(User).join(AccountTier).outerjoin(AiUsage, of_today).where(User.id == user_id)
        found = (await self._session.execute(quota)).one_or_none()
        return Quota(*found) if found else Quota(0, 0)

    async def take(self, user_id: int) -> date | None:
        """Use one search; the day that it is taken from, or None where none is left."""
        limit = select(AccountTier.daily_ai_search_limit).join(User).where(User.id == user_id).scalar_subquery()
        first = select(User.id, TODAY, literal(1)).join(AccountTier).where(User.id == user_id)
        one = insert(AiUsage).from_select(
            ["user_id", "day", "used"], first.where(AccountTier.daily_ai_search_limit > 0)
        )
        taken = one.on_conflict_do_update(
            index_elements=[AiUsage.user_id, AiUsage.day],
            set_={"used": AiUsage.used + 1},
            where=AiUsage.used < limit,
        )
        return (await self._session.execute(taken.returning(AiUsage.day))).scalar()

    async def give_back(self, user_id: int, day: date) -> None:
        """Undo one use of a day."""
        of_day = (AiUsage.user_id == user_id) & (AiUsage.day == day) & (AiUsage.used > 0)
        await self._session.execute(update(AiUsage).where(of_day).values(used=AiUsage.used - 1))

    async def purge(self) -> None:
        """Forget what was used long ago."""
        await self._session.execute(delete(AiUsage).where(AiUsage.day < TODAY - KEPT.days))
