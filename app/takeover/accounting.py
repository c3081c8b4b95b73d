"""Both sides' numbers, for the report."""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Integer, Table, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.auth.models import AccountTier
from app.movies.models import Movie
from app.takeover.findings import EXAMPLES, Finding, Findings
from app.takeover.report import Line
from app.takeover.source import NAMES
from app.takeover.staging import MOVIES, TIERS, USERS, taken


class Accounting:
    """Counts what is staged, and what is here."""

    def __init__(self, session: AsyncSession, findings: Findings) -> None:
        self._session = session
        self._findings = findings

    async def line(
        self,
        name: str,
        staged: Table,
        target: InstrumentedAttribute[Any],
        new: int | None = None,
        updated: int | None = None,
    ) -> Line:
        """The numbers of a table; what is here is counted by the column `target`."""
        rows = select(func.count(), func.count(staged.c.left_out)).select_from(staged)
        there, left_out = (await self._session.execute(rows)).one()
        here = await self._number(func.count(target))
        return Line(name, there=there, left_out=left_out, here=here, new=new, updated=updated)

    async def parts(self) -> list[Line]:
        """The numbers of what is part of movies."""
        lines = []
        for name, measure in (("ratings", _ratings), ("names of movies", _names)):
            there = self._findings.read[name]
            kept = await self._number(func.sum(measure(MOVIES)), taken(MOVIES))
            here = await self._number(func.sum(measure(Movie.__table__)))
            lines.append(Line(name, there=there, left_out=there - kept, here=here))
        return lines

    async def reasons(self, staged: Table) -> dict[str, Finding]:
        """Why rows were left out, the most frequent reason first."""
        ids = func.array_agg(aggregate_order_by(staged.c.id, staged.c.id), type_=ARRAY(Integer))
        reason, count = staged.c.left_out, func.count()
        groups = select(reason, count, ids[1:EXAMPLES]).where(~taken(staged)).group_by(reason)
        rows = await self._session.execute(groups.order_by(count.desc(), func.min(staged.c.id)))
        return {why: Finding(number, examples) for why, number, examples in rows}

    async def note_tiers(self) -> None:
        """Note tiers whose limit is another here, and users without one of their own."""
        differs = (AccountTier.code == TIERS.c.code) & (
            AccountTier.daily_ai_search_limit != TIERS.c.daily_ai_search_limit
        )
        for row in await self._session.execute(
            select(AccountTier.id, AccountTier.code, AccountTier.daily_ai_search_limit).join(TIERS, differs)
        ):
            kept = f"{row.code} keeps its {row.daily_ai_search_limit} AI searches a day"
            self._findings.change("account tiers", kept, row.id)
        without = select(USERS.c.id).where(USERS.c.tier_code.is_(None), taken(USERS)).order_by(USERS.c.id)
        for user_id in (await self._session.execute(without)).scalars():
            self._findings.change("users", "without a tier there: given the default one", user_id)

    async def _number(self, counted: ColumnElement[Any], *conditions: ColumnElement[bool]) -> int:
        return int((await self._session.execute(select(func.coalesce(counted, 0)).where(*conditions))).scalar_one())


def _ratings(movies: FromClause) -> ColumnElement[int]:
    return func.jsonb_array_length(movies.c.ratings)


def _names(movies: FromClause) -> ColumnElement[int]:
    lengths = [func.cardinality(movies.c[plural]) for plural in NAMES]
    return sum(lengths[1:], start=cast(lengths[0], Integer))
