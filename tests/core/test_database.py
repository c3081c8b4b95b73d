"""Transactions that stand in each other's way."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.core.database_errors import DatabaseUnavailable, WriteConflict


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


async def test_who_waits_for_a_connection_is_served_in_the_order_of_coming(empty_url: URL) -> None:
    database = Database(empty_url, pool_size=1)
    served: list[int] = []

    async def ask(number: int) -> None:
        async with database.reading() as session:
            served.append(number)
            await session.execute(text("SELECT 1"))

    await asyncio.gather(*(ask(number) for number in range(50)))
    await database.close()
    assert served == list(range(50))


async def test_who_gets_no_connection_in_time_is_told_however_it_is_held(empty_url: URL) -> None:
    database = Database(empty_url, pool_size=1)

    async def ask() -> None:
        async with database.reading() as session:
            await session.execute(text("SELECT 1"))

    async with database.reading() as session:
        await session.execute(text("SELECT 1"))
        with pytest.raises(DatabaseUnavailable):
            await ask()
    async with database.engine.connect():
        with pytest.raises(DatabaseUnavailable):
            await ask()
    await ask()
    await database.close()
