"""Connections to one service: how many there are at most, and that each call leaves its place."""

import asyncio

import httpx
import pytest

from app.upstream.connections import CONNECTIONS_EACH, POOLS, PooledConnections
from tests.doubles.omdb import KEY, OmdbDouble
from tests.doubles.server import Reply
from tests.movies.conftest import title

MOST = POOLS * CONNECTIONS_EACH
ID = "tt9000001"


def opened() -> httpx.AsyncClient:
    """A client that waits for long enough on any machine."""
    return httpx.AsyncClient(transport=PooledConnections(), timeout=60)


async def ask(client: httpx.AsyncClient, url: str) -> int:
    """The status of an answer."""
    return (await client.get(url, params={"i": ID, "apikey": KEY})).status_code


async def test_many_calls_at_once_have_so_many_connections_and_the_others_wait() -> None:
    async with OmdbDouble([title(ID)]) as omdb, opened() as client:
        omdb.latency = 0.2
        answers = await asyncio.gather(*(ask(client, omdb.url) for _ in range(2 * MOST)))
        assert answers == [200] * 2 * MOST
        assert omdb.most_in_flight == MOST


async def test_calls_that_fail_or_are_given_up_leave_their_places() -> None:
    async with OmdbDouble([title(ID)]) as omdb, opened() as client:
        for reply in (Reply(drop=True), Reply(b"{", cut=True), Reply(hang=True)):
            omdb.always = reply
            calls = [asyncio.create_task(ask(client, omdb.url)) for _ in range(MOST)]
            await asyncio.wait(calls, timeout=0.5)
            for call in calls:
                call.cancel()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(outcome, BaseException) for outcome in outcomes)
        while omdb.in_flight:  # noqa: ASYNC110 - until it has seen that they are gone
            await asyncio.sleep(0.01)
        omdb.forget()
        omdb.always = None
        omdb.latency = 0.2
        async with asyncio.timeout(60):
            assert await asyncio.gather(*(ask(client, omdb.url) for _ in range(MOST))) == [200] * MOST
        assert omdb.most_in_flight == MOST


@pytest.mark.parametrize("at_once", [1, CONNECTIONS_EACH])
async def test_few_calls_use_the_same_connections_again(at_once: int) -> None:
    async with OmdbDouble([title(ID)]) as omdb, opened() as client:
        for _ in range(10):
            await asyncio.gather(*(ask(client, omdb.url) for _ in range(at_once)))
        assert omdb.accepted <= at_once
