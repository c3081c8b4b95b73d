"""The guard against requests that ask row by row, and against slow statements."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import Database
from app.core.request_record import recording
from app.core.sql_watch import SqlLimits
from app.settings import Settings
from tests.conftest import SECRET_KEY, make_settings, new_database
from tests.log_lines import log_lines


@pytest.fixture(scope="module")
async def url(administrator: AsyncEngine) -> AsyncIterator[URL]:
    async with new_database(administrator) as url:
        yield url


async def asked(url: URL, limits: SqlLimits, *statements: str) -> list[dict[str, object]]:
    """The log lines of a request that executes the statements one after the other."""
    database = Database(url, pool_size=1, limits=limits)
    try:
        with log_lines() as lines, recording():
            async with database.reading() as session:
                for statement in statements:
                    await session.execute(text(statement))
    finally:
        await database.close()
    return [line for line in lines if "SQL" in line["event"]]


async def test_a_statement_that_is_repeated_too_often_is_told_of_once(url: URL) -> None:
    (line,) = await asked(url, SqlLimits(repeats=3), *["SELECT 1"] * 9, *["SELECT 2"] * 3)
    assert (line["event"], line["statement"], line["times"], line["level"]) == (
        "repeated SQL",
        "SELECT 1",
        4,
        "WARNING",
    )


async def test_or_fails_the_request(url: URL) -> None:
    with pytest.raises(Exception, match="SELECT 1"):
        await asked(url, SqlLimits(repeats=3, guard="error"), *["SELECT 1"] * 4)
    await asked(url, SqlLimits(repeats=3, guard="error"), *["SELECT 1"] * 3)


async def test_a_slow_statement_is_told_of(url: URL) -> None:
    (line,) = await asked(url, SqlLimits(slow=0.05), "SELECT 1", "SELECT pg_sleep(0.06)")
    assert (line["event"], line["statement"]) == ("slow SQL", "SELECT pg_sleep(0.06)")
    assert isinstance(line["milliseconds"], float)
    assert line["milliseconds"] >= 60


async def test_or_nothing_is(url: URL) -> None:
    limits = SqlLimits(slow=0.01, repeats=1, guard="off")
    assert await asked(url, limits, *["SELECT pg_sleep(0.02)"] * 3) == []


async def test_work_of_the_services_own_is_held_against_nothing(url: URL) -> None:
    database = Database(url, pool_size=1, limits=SqlLimits(slow=0.01, repeats=1, guard="error"))
    with log_lines() as lines:
        async with database.reading() as session:
            for _ in range(3):
                await session.execute(text("SELECT pg_sleep(0.02)"))
    await database.close()
    assert lines == []


def test_the_settings_say_what_is_too_slow_and_too_often(url: URL) -> None:
    settings = Settings(
        _env_file=None, secret_key=SECRET_KEY, slow_sql_milliseconds=250, repeated_sql=7, sql_guard="off"
    )
    assert SqlLimits.configured(settings) == SqlLimits(0.25, 7, "off")
    assert SqlLimits.configured(make_settings(url)).guard == "error"
