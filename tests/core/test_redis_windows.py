"""Throttles on a Redis that goes away: nobody waits for it, and nobody is refused for it."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from limits import parse
from pydantic import SecretStr, ValidationError

from app.core import redis_windows
from app.core.redis_windows import RedisWindows
from app.core.throttling import Throttle, Throttled, Throttles
from app.settings import Settings
from tests.conftest import SECRET_KEY
from tests.doubles.server import LoopbackServer
from tests.log_lines import log_lines
from tests.metrics_text import metric
from tests.redis_server import PASSWORD, RedisServer, redis_server

DAY = Throttle("a day's", parse("10/day"), ("one",))
HOUR = Throttle("an hour's", parse("20/hour"), ("one",))


@pytest.fixture(scope="module")
def one_redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def redis(one_redis: RedisServer) -> RedisServer:
    """A Redis that holds nothing."""
    one_redis.client.flushall()
    return one_redis


@pytest.fixture(autouse=True)
def probed_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_windows, "PROBE_SECONDS", 0.1)


@asynccontextmanager
async def throttles(url: str, secret: bytes = SECRET_KEY.encode()) -> AsyncIterator[Throttles]:
    """Throttles of one process."""
    limiter = Throttles(secret, RedisWindows(url))
    try:
        yield limiter
    finally:
        await limiter.close()


async def got_through(limiter: Throttles, *asked: Throttle, times: int) -> int:
    found = await asyncio.gather(*(limiter.take(*asked) for _ in range(times)), return_exceptions=True)
    assert {type(one) for one in found} <= {list, Throttled}
    return sum(isinstance(one, list) for one in found)


async def until_back(limiter: Throttles) -> None:
    async with asyncio.timeout(5):
        while limiter._shared and limiter._shared.is_away:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def events(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in lines if "Redis" in line["event"]]


async def test_processes_that_share_a_redis_count_together(redis: RedisServer) -> None:
    async with throttles(redis.url) as one, throttles(redis.url) as other:
        found = await asyncio.gather(*(got_through(limiter, DAY, HOUR, times=50) for limiter in (one, other)))
        assert sum(found) == 10
        # The ninety that were refused by the day's have cost the hour's nothing.
        assert sum(await asyncio.gather(*(got_through(limiter, HOUR, times=50) for limiter in (one, other)))) == 10


async def test_what_is_given_back_can_be_taken_again(redis: RedisServer) -> None:
    async with throttles(redis.url) as limiter:
        held = [await limiter.take(DAY) for _ in range(10)]
        await limiter.give_back(held[3][0])
        await limiter.give_back(held[3][0])
        assert await got_through(limiter, DAY, times=5) == 1


async def test_redis_keeps_hashes_and_nothing_for_longer_than_its_window(redis: RedisServer) -> None:
    throttle = Throttle("login", parse("5/minute"), ("192.0.2.1", "ada@example.com"))
    async with throttles(redis.url) as limiter:
        for _ in range(20):
            await got_through(limiter, throttle, times=1)
    (key,) = redis.client.keys("*")
    assert key.startswith("movie-finder:throttle:")
    assert not {"ada", "192.0.2.1", "login"} & set(key.replace("/", ":").split(":"))
    assert 55 <= redis.client.ttl(key) <= 60
    assert redis.client.zcard(key) == 5


async def test_a_redis_that_is_restarted_and_has_forgotten_the_script_is_taught_it_again(redis: RedisServer) -> None:
    async with throttles(redis.url) as limiter:
        await limiter.take(DAY)
        redis.client.script_flush()
        with log_lines() as lines:
            assert await got_through(limiter, DAY, times=50) == 9
    assert events(lines) == []


async def test_who_goes_away_leaves_the_connections_in_order(redis: RedisServer) -> None:
    async with throttles(redis.url) as limiter:
        for _ in range(30):
            task = asyncio.create_task(limiter.take(HOUR))
            await asyncio.sleep(0.0005)
            task.cancel()
            await asyncio.wait({task})
        assert await got_through(limiter, DAY, times=50) == 10
        assert limiter._shared is not None
        assert not limiter._shared.is_away


async def test_while_redis_is_stopped_requests_go_on_and_are_counted_here(redis: RedisServer) -> None:
    before = metric("throttle_fallbacks_total")
    async with throttles(redis.url) as limiter:
        await limiter.take(DAY)
        with log_lines() as lines:
            redis.stop()
            assert await got_through(limiter, DAY, times=50) == 10
            assert await got_through(limiter, HOUR, times=50) == 20
            assert metric("throttles_in_memory") == 1
            redis.start()
            await until_back(limiter)
            assert metric("throttles_in_memory") == 0
            assert await got_through(limiter, DAY, times=50) == 10
    assert events(lines) == ["Redis is away: throttles count in this process", "Redis is back: throttles count there"]
    assert metric("throttle_fallbacks_total") == before + 1


async def test_while_redis_is_frozen_nobody_waits_for_it(redis: RedisServer) -> None:
    async with throttles(redis.url) as limiter:
        await limiter.take(HOUR)
        redis.freeze()
        try:
            began = time.monotonic()
            assert await got_through(limiter, DAY, times=500) == 10
            first = time.monotonic() - began
            slowest = 0.0
            for _ in range(200):
                began = time.monotonic()
                await got_through(limiter, HOUR, times=1)
                slowest = max(slowest, time.monotonic() - began)
        finally:
            redis.thaw()
        # Once 200 ms, for all of them together; and then never again, although it is tried all the time.
        assert first < 1.0
        assert slowest < 0.1
        await until_back(limiter)
        redis.client.flushall()  # what was asked while it was frozen is answered now, and may have counted
        assert await got_through(limiter, DAY, times=50) == 10


async def test_what_is_given_back_when_redis_has_gone_or_come_fails_nothing(redis: RedisServer) -> None:
    once = Throttle("once", parse("1/day"), ("one",))
    async with throttles(redis.url) as limiter:
        (there,) = await limiter.take(DAY)
        redis.stop()
        await limiter.give_back(there)
        (here,) = await limiter.take(once)
        redis.start()
        await until_back(limiter)
        await limiter.give_back(here)
        redis.stop()
        assert await got_through(limiter, once, times=5) == 1
    redis.start()


async def test_a_redis_that_answers_but_cannot_count_is_away(redis: RedisServer) -> None:
    async with throttles(redis.url) as limiter:
        redis.client.replicaof("127.0.0.1", 1)  # of nobody: it may not be written to
        try:
            with log_lines() as lines:
                assert await got_through(limiter, DAY, times=50) == 10
                await asyncio.sleep(0.35)  # it is tried meanwhile, and does not come back just for a ping
                assert await got_through(limiter, DAY, times=5) == 0
        finally:
            redis.client.replicaof("NO", "ONE")
        assert events(lines) == ["Redis is away: throttles count in this process"]
        await until_back(limiter)


async def test_no_log_line_names_the_password(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), log_lines() as lines:
        for url in (redis.url, redis.url.replace(PASSWORD, f"wrong-{PASSWORD}"), f"redis://:{PASSWORD}@127.0.0.1:1/0"):
            async with throttles(url) as limiter:
                await limiter.take(DAY)
                await asyncio.sleep(0.15)
    assert events(lines) == ["Redis is away: throttles count in this process"] * 2
    assert PASSWORD not in caplog.text
    assert not any(PASSWORD in repr(line) for line in lines)


class Nonsense(LoopbackServer):
    """Speaks Redis's protocol, and answers seven to everything."""

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        asked = await reader.readuntil(b"\r\n")
        for _ in range(int(asked[1:])):
            await reader.readuntil(b"\r\n")
            asked = await reader.readuntil(b"\r\n")
        writer.write(b"%1\r\n+proto\r\n:3\r\n" if asked == b"3\r\n" else b":7\r\n")
        await writer.drain()
        return True


async def test_a_limiter_that_cannot_be_asked_lets_the_request_through_and_counts_that() -> None:
    before = metric("throttles_failed_open_total")
    async with Nonsense() as server, throttles(f"redis://127.0.0.1:{server.port}") as limiter:
        with log_lines() as lines:
            assert await limiter.take(DAY) == []
            async with limiter.attempt(DAY, failures=HOUR, failure=ValueError):
                pass
    assert [line["event"] for line in lines] == ["a throttle cannot be asked, and lets the request through"] * 2
    assert metric("throttles_failed_open_total") == before + 2


async def test_what_was_taken_and_what_was_refused_is_counted_by_throttle(redis: RedisServer) -> None:
    names = [secrets.token_hex(4) for _ in range(2)]
    one, other = (Throttle(name, parse("3/day"), (name,)) for name in names)
    async with throttles(redis.url) as limiter:
        await got_through(limiter, one, times=2)
        await got_through(limiter, one, other, times=5)
    found = {
        (name, end): metric("throttles_total", throttle=name, outcome=end)
        for name in names
        for end in ("taken", "refused")
    }
    assert found == {(names[0], "taken"): 3, (names[0], "refused"): 4, (names[1], "taken"): 1, (names[1], "refused"): 0}


@pytest.mark.parametrize(
    "url", ["", "http://localhost", "redis://localhost:port", "redis://localhost?junk=1", "redis://localhost?db=x"]
)
def test_a_bad_redis_url_stops_the_start_and_is_not_shown(url: str) -> None:
    if not url:
        assert Settings(_env_file=None, secret_key=SECRET_KEY, redis_url=None).redis_url is None
        return
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None, secret_key=SECRET_KEY, redis_url=SecretStr(url))
    (fault,) = refused.value.errors(include_input=False, include_url=False)
    assert fault["msg"].startswith("Value error, is no URL of the form redis://")
