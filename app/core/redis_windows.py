"""Moving windows in Redis, which every process that counts there shares.

Neither slowapi nor limits is asked here. slowapi waits for Redis on the event loop; limits' own storages, those for
asyncio too, take one window at a time, so that of two limits one would be counted where the other refuses. A script in
Redis counts them all or none, by Redis's own clock, so that hosts need not agree on the time.

While Redis is away nobody waits for it: the first call that fails says so, and a task of its own asks until it is back.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.core.metrics import THROTTLE_FALLBACKS, THROTTLES_IN_MEMORY
from app.core.throttle_windows import Held, Standing, Window, WindowFull

# To connect, where that is needed, and to answer: 200 ms. A Redis in the same building takes one.
# They are counted in slices, since an answer that came in time waits to be read where this process is busy itself; a
# slice that ends late counts as one.
SLICE_SECONDS = 0.02
SLICES = 10
PROBE_SECONDS = 1.0
# An answer takes this process longer to read than Redis to give. More wait in line, which is no fault of Redis's.
CONNECTIONS = 4
PREFIX = "movie-finder:throttle:"
PROBE = Window("probe", 1_000_000, 1)

# A window is a sorted set of entries by their time in microseconds, which a double holds exactly until the year 2255.
# KEYS are the windows. ARGV is the entry's name, then for each window its amount and its seconds. The answer is
# whether one was full (1 or 0), and then for each window, as it was found, its remaining entries and the microseconds
# until the oldest leaves it.
ACQUIRE_ALL = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local answer = {0}
for i, key in ipairs(KEYS) do
    local amount, span = tonumber(ARGV[2 * i]), ARGV[2 * i + 1] * 1000000
    redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('(%.0f', now - span))
    local remaining = amount - redis.call('ZCARD', key)
    local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] or now
    answer[2 * i] = remaining
    answer[2 * i + 1] = oldest + span - now
    if remaining < 1 then answer[1] = 1 end
end
if answer[1] == 1 then return answer end
for i, key in ipairs(KEYS) do
    redis.call('ZADD', key, string.format('%.0f', now), ARGV[1])
    redis.call('EXPIRE', key, ARGV[2 * i + 1])
end
return answer
"""

FAILURES = (RedisError, OSError)  # TimeoutError is an OSError

T = TypeVar("T")
log = structlog.stdlib.get_logger(__name__)


class RedisAway(Exception):  # noqa: N818 - it is expected, and says what is so
    """Redis does not answer, or not in time, or cannot count."""


class RedisWindows:
    """Counts in Redis. Made and used in one event loop.

    Args:
        url: as redis-py reads it: `redis://`, `rediss://` or `unix://`.
    """

    def __init__(self, url: str) -> None:
        pool = ConnectionPool.from_url(url, retry=Retry(NoBackoff(), 0), max_connections=CONNECTIONS)
        self._redis = Redis.from_pool(pool)
        self._script = self._redis.register_script(ACQUIRE_ALL)
        self._turn = asyncio.Semaphore(CONNECTIONS)
        self._watch: asyncio.Task[None] | None = None

    @property
    def is_away(self) -> bool:
        """Whether Redis is known not to answer."""
        return self._watch is not None

    async def acquire_all(self, windows: Sequence[Window]) -> list[Held]:
        """An entry in each of the windows.

        Raises:
            WindowFull: one of them is, and none has taken an entry.
            RedisAway: nothing is known to be counted.
        """
        entry = secrets.token_hex(8)
        keys = [PREFIX + window.key for window in windows]
        numbers = [number for window in windows for number in (window.amount, window.seconds)]
        is_full, *found = await self._ask(lambda: self._script(keys, [entry, *numbers]))
        now = time.time()
        standings = [Standing(left, now + wait / 1e6) for left, wait in zip(found[::2], found[1::2], strict=True)]
        if is_full:
            raise WindowFull(standings)
        return [Held(one.key, entry, standing.taken()) for one, standing in zip(windows, standings, strict=True)]

    async def give_back(self, held: Held) -> None:
        """Take an entry out again.

        Raises:
            RedisAway: it is perhaps still there.
        """
        await self._ask(lambda: self._redis.zrem(PREFIX + held.key, str(held.entry)))

    async def close(self) -> None:
        """Close the connections."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
            THROTTLES_IN_MEMORY.set(0)
        await self._redis.aclose()

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T:
        async with self._turn:
            if self.is_away:
                raise RedisAway
            try:
                return await _in_time(question())
            except FAILURES as failure:
                self._go_on_without(failure)
                raise RedisAway from None

    def _go_on_without(self, failure: Exception) -> None:
        if self._watch is None:
            # Its text may name a host, or what the client sent.
            log.warning("Redis is away: throttles count in this process", reason=type(failure).__name__)
            THROTTLE_FALLBACKS.inc()
            THROTTLES_IN_MEMORY.set(1)
            self._watch = asyncio.create_task(self._until_back())

    async def _until_back(self) -> None:
        """Until Redis counts again: one that may not be written to answers a ping as well."""
        keys, numbers = [PREFIX + PROBE.key], ("probe", PROBE.amount, PROBE.seconds)
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            with suppress(*FAILURES):
                await _in_time(self._script(keys, numbers))
                break
        log.info("Redis is back: throttles count there")
        THROTTLES_IN_MEMORY.set(0)
        self._watch = None


async def _in_time(answer: Awaitable[T]) -> T:
    task = asyncio.ensure_future(answer)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # else a late failure is logged
    try:
        for _ in range(SLICES):
            await asyncio.wait({task}, timeout=SLICE_SECONDS)
            if task.done():
                return task.result()
        raise TimeoutError
    finally:
        task.cancel()
