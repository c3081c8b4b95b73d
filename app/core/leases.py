"""Leases: work that outlasts a statement is done by one process at a time, and no connection is held for it."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, DateTime, Text, delete, exists, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base


class Lease(Base):
    """Somebody does the work of this name until then."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


async def take_lease(session: AsyncSession, name: str, age: timedelta) -> bool:
    """Take the lease `name` for so long; False where somebody else has it.

    Whoever has it must be done before it expires, or bear that somebody else begins the same work.
    """
    lease = insert(Lease).values(name=name, expires_at=func.now() + age)
    taken = lease.on_conflict_do_update(
        index_elements=[Lease.name],
        set_={"expires_at": lease.excluded.expires_at},
        where=Lease.expires_at < func.now(),
    )
    return (await session.execute(taken.returning(Lease.name))).scalar() is not None


async def end_lease(session: AsyncSession, name: str) -> None:
    """Let others have the lease `name`."""
    await session.execute(delete(Lease).where(Lease.name == name))


def is_leased(name: str) -> ColumnElement[bool]:
    """Whether somebody has the lease `name`, to look before one tries to take it; only taking it decides."""
    return exists().where(Lease.name == name, Lease.expires_at >= func.now())


async def purge_leases(session: AsyncSession) -> None:
    """Forget leases that have expired."""
    await session.execute(delete(Lease).where(Lease.expires_at < func.now()))
