"""Transactions that stand in each other's way."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database, WriteConflict


@pytest.fixture
async def database(empty_url: URL) -> AsyncIterator[Database]:
    """A pool on a database with two rows to fight for."""
    database = Database(empty_url)
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE seats AS SELECT id, 0 AS taken FROM generate_series(1, 2) AS id"))
    yield database
    await database.close()


async def test_of_two_works_that_deadlock_the_loser_is_done_once_more(database: Database) -> None:
    both_hold_one = asyncio.Barrier(2)
    attempts = 0

    async def take(first: int, second: int, session: AsyncSession) -> None:
        nonlocal attempts
        attempts += 1
        await session.execute(text("UPDATE seats SET taken = taken + 1 WHERE id = :id"), {"id": first})
        if attempts <= 2:
            await both_hold_one.wait()
        await session.execute(text("UPDATE seats SET taken = taken + 1 WHERE id = :id"), {"id": second})

    await asyncio.gather(
        database.write(lambda session: take(1, 2, session)), database.write(lambda session: take(2, 1, session))
    )
    assert attempts == 3
    async with database.reading() as session:
        assert (await session.execute(text("SELECT taken FROM seats"))).scalars().all() == [2, 2]


async def test_a_work_that_is_broken_off_twice_is_told_of(database: Database) -> None:
    async def broken_off(session: AsyncSession) -> None:
        await session.execute(text("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'deadlock_detected'; END $$"))

    with pytest.raises(WriteConflict):
        await database.write(broken_off)
