"""The same work, asked for by many at the same moment, is done once."""

import asyncio
import gc

import pytest

from app.core.single_flight import SingleFlight


class Work:
    """Counts how often it was begun, and ends when told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = 0
        self.gate = asyncio.Event()
        self.error = error

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return number


async def ask(flights: SingleFlight[int], work: Work, *keys: str) -> list[asyncio.Task[int]]:
    """One caller for each key, all under way."""
    callers = [asyncio.ensure_future(flights.run(key, work)) for key in keys]
    await asyncio.sleep(0.01)
    return callers


async def test_callers_with_one_key_share_one_piece_of_work() -> None:
    flights: SingleFlight[int] = SingleFlight()
    work = Work()
    callers = await ask(flights, work, *["key"] * 50)
    work.gate.set()
    assert await asyncio.gather(*callers) == [1] * 50
    assert work.begun == 1


async def test_callers_with_different_keys_do_not() -> None:
    flights: SingleFlight[int] = SingleFlight()
    work = Work()
    callers = await ask(flights, work, "one", "other")
    work.gate.set()
    assert sorted(await asyncio.gather(*callers)) == [1, 2]


async def test_a_call_after_the_end_begins_anew() -> None:
    flights: SingleFlight[int] = SingleFlight()
    work = Work()
    work.gate.set()
    assert [await flights.run("key", work) for _ in range(3)] == [1, 2, 3]


async def test_an_error_reaches_every_caller_and_is_not_kept() -> None:
    flights: SingleFlight[int] = SingleFlight()
    work = Work(ValueError("no"))
    callers = await ask(flights, work, *["key"] * 3)
    work.gate.set()
    assert [str(error) for error in await asyncio.gather(*callers, return_exceptions=True)] == ["no"] * 3
    work.error = None
    assert await flights.run("key", work) == 2


async def test_a_caller_that_goes_away_leaves_the_work_to_the_others() -> None:
    flights: SingleFlight[int] = SingleFlight()
    work = Work()
    first, second = await ask(flights, work, "key", "key")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.gate.set()
    assert await second == 1


async def test_work_that_fails_after_every_caller_went_away_complains_to_nobody() -> None:
    complaints: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    try:
        flights: SingleFlight[int] = SingleFlight()
        work = Work(ValueError("no"))
        (caller,) = await ask(flights, work, "key")
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        work.gate.set()
        await asyncio.sleep(0.01)
        del caller
        gc.collect()
    finally:
        loop.set_exception_handler(None)
    assert complaints == []


async def test_closing_stops_what_is_under_way() -> None:
    flights: SingleFlight[int] = SingleFlight()
    work = Work()
    callers = await ask(flights, work, "one", "other")
    await flights.close()
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    await flights.close()  # and once more, with nothing under way
