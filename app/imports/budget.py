"""How many upstream calls a day imports may make, all users' together."""

from datetime import UTC, date, datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.imports.models import UpstreamLookups


class LookupBudget:
    """The daily share of the upstream's own limit, in calls; a day is one in UTC.

    What is taken and not used is handed back. A process that dies in between takes it along: too few calls are made
    that day, never too many.

    Args:
        database: where it is kept.
        limit: calls a day.
    """

    def __init__(self, database: Database, limit: int) -> None:
        self._database = database
        self.limit = limit

    async def take(self, calls: int) -> tuple[date, int]:
        """Up to so many calls of today's, as many as there are."""
        today = datetime.now(UTC).date()
        wanted = min(calls, self.limit)
        while wanted > 0:
            async with self._database.transaction() as session:
                if await self._take(session, today, wanted):
                    return today, wanted
                used = (
                    await session.execute(select(UpstreamLookups.used).where(UpstreamLookups.day == today))
                ).scalar_one()
            wanted = min(wanted - 1, self.limit - used)
        return today, 0

    async def hand_back(self, day: date, calls: int) -> None:
        """Calls that were not made; below zero, such as were made beyond what was taken."""
        if calls:
            async with self._database.transaction() as session:
                left = func.greatest(UpstreamLookups.used - calls, 0)
                await session.execute(update(UpstreamLookups).where(UpstreamLookups.day == day).values(used=left))

    async def _take(self, session: AsyncSession, day: date, calls: int) -> bool:
        budget = insert(UpstreamLookups).values(day=day, used=calls)
        used = UpstreamLookups.used + calls
        taken = budget.on_conflict_do_update(
            index_elements=[UpstreamLookups.day], set_={"used": used}, where=used <= self.limit
        )
        return (await session.execute(taken.returning(UpstreamLookups.used))).scalar() is not None
