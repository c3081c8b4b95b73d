"""Connections to one service: how many there are at most, and that each call leaves its place."""

import asyncio
from pathlib import Path

import httpx
import pytest

from app.upstream.connections import MOST_CONNECTIONS, pooled_connections, tls_context
from app.upstream.errors import Reason
from app.upstream.omdb import Omdb
from tests.doubles.omdb import KEY, OmdbDouble
from tests.doubles.server import Reply
from tests.doubles.smtp import Certificate
from tests.movies.conftest import title
from tests.upstream.conftest import reason

ID = "tt9000001"
# A call is at work between so many turns of the event loop, and then waits for its answer.
MOMENTS = 40


def opened() -> httpx.AsyncClient:
    """A client that waits for as long as the slowest machine needs."""
    return httpx.AsyncClient(transport=pooled_connections(), timeout=60)


async def ask(client: httpx.AsyncClient, url: str) -> int:
    """The status of an answer."""
    return (await client.get(url, params={"i": ID, "apikey": KEY})).status_code


async def test_many_calls_at_once_have_so_many_connections_and_the_others_wait() -> None:
    async with OmdbDouble([title(ID)]) as omdb, opened() as client:
        omdb.latency = 0.2
        answers = await asyncio.gather(*(ask(client, omdb.url) for _ in range(2 * MOST_CONNECTIONS)))
        assert answers == [200] * 2 * MOST_CONNECTIONS
        assert omdb.most_in_flight == MOST_CONNECTIONS


@pytest.mark.parametrize("reply", [Reply(drop=True), Reply(b"{", cut=True), Reply(hang=True)], ids=str)
async def test_calls_that_fail_leave_their_places(reply: Reply) -> None:
    async with OmdbDouble([title(ID)]) as omdb, opened() as client:
        omdb.always = reply
        calls = [asyncio.create_task(ask(client, omdb.url)) for _ in range(MOST_CONNECTIONS)]
        await omdb.asked(MOST_CONNECTIONS)
        await asyncio.wait(calls, timeout=0.1)
        await give_up(calls)
        await find_every_place(client, omdb)


async def test_calls_that_are_given_up_at_any_moment_leave_their_places() -> None:
    async with OmdbDouble([title(ID)]) as omdb, opened() as client:
        for used_before in (False, True):
            for moment in range(MOMENTS):
                omdb.always = Reply(hang=True)
                calls = [asyncio.create_task(ask(client, omdb.url)) for _ in range(8)]
                for _ in range(moment):
                    await asyncio.sleep(0)
                await give_up(calls)
                if used_before:
                    omdb.always = None
                    assert await asyncio.gather(*(ask(client, omdb.url) for _ in range(8))) == [200] * 8
        await find_every_place(client, omdb)


async def give_up(calls: list[asyncio.Task[int]]) -> None:
    """Cancel calls, none of which had an answer."""
    for call in calls:
        call.cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, BaseException) for outcome in outcomes)


async def find_every_place(client: httpx.AsyncClient, omdb: OmdbDouble) -> None:
    """Assert that as many calls may be under way at once as ever."""
    while omdb.in_flight:  # noqa: ASYNC110 - until it has seen that they are gone
        await asyncio.sleep(0.01)
    omdb.forget()
    omdb.always = None
    with omdb.held():
        calls = [asyncio.create_task(ask(client, omdb.url)) for _ in range(MOST_CONNECTIONS)]
        async with asyncio.timeout(60):
            await omdb.asked(MOST_CONNECTIONS)
    assert await asyncio.gather(*calls) == [200] * MOST_CONNECTIONS


async def test_https_is_spoken_with_whom_is_trusted_and_with_nobody_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = Certificate.made(tmp_path)
    omdb = OmdbDouble([title(ID)])
    omdb.tls = certificate.serving()
    async with omdb:
        client = Omdb(omdb.url, KEY, deadline=10)
        assert await reason(client.title(ID)) == Reason.UNREACHABLE
        assert omdb.calls == []
        await client.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
        tls_context.cache_clear()
        try:
            client = Omdb(omdb.url, KEY, deadline=10)
        finally:
            tls_context.cache_clear()
        facts = await client.title(ID)
        assert facts is not None
        assert facts.imdb_id == ID
        await client.close()


@pytest.mark.parametrize("at_once", [1, 8])
async def test_few_calls_use_the_same_connections_again(at_once: int) -> None:
    async with OmdbDouble([title(ID)]) as omdb, opened() as client:
        for _ in range(10):
            await asyncio.gather(*(ask(client, omdb.url) for _ in range(at_once)))
        assert omdb.accepted <= at_once
