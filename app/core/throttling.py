"""How often something may be done: slowapi's limiter, asked by our own code.

slowapi brings the limiter and limits the moving window. Its decorator and its middleware are left alone. They wait for
the storage on the event loop; count before the body is checked, so that a refused request costs; count one limit after
the other, so that a refusal by the second has cost the first; write a header once for each decorator; and log keys. So
a route asks `take` when its input is known to be good, and the refusal is a `Problem` like any other.

Counted is in Redis where there is one, else, and while it is away, in this process.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import cast

import structlog
from limits import RateLimitItem
from slowapi import Limiter

from app.core.client_address import client_address
from app.core.metrics import THROTTLED, THROTTLES_FAILED_OPEN
from app.core.problems import Problem
from app.core.redis_windows import RedisAway, RedisWindows
from app.core.throttle_windows import Held, MemoryWindows, Standing, Window, WindowFull
from app.settings import Settings

# What a browser must be allowed to read on an answer from another origin.
HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
DOCUMENTED_HEADERS = {
    "X-RateLimit-Limit": {"schema": {"type": "integer"}, "description": "How many there may be."},
    "X-RateLimit-Remaining": {"schema": {"type": "integer"}, "description": "How many are left."},
    "X-RateLimit-Reset": {"schema": {"type": "integer"}, "description": "When there is one more, in Unix time."},
}
log = structlog.stdlib.get_logger(__name__)


class Throttled(Problem):
    """This was asked for too often."""

    status = 429
    code = "throttled"
    detail = "Too many requests. `Retry-After` says in how many seconds to try again."

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.headers = headers or {}  # type: ignore[misc]  # another problem's are the same every time


@dataclass(frozen=True, slots=True)
class Throttle:
    """One limit, and for whom.

    Attributes:
        name: what is counted; two throttles of one name count together.
        limit: how often in how long, in a moving window.
        of: whose count it is, such as an account and an address. It is kept as a hash only.
    """

    name: str
    limit: RateLimitItem
    of: tuple[str | int, ...]


class Throttles(Limiter):
    """Counts what is done.

    Args:
        secret: makes the keys' hashes; the same in every process that counts together.
        shared: where the processes count together; without it this one counts for itself.
    """

    def __init__(self, secret: bytes, shared: RedisWindows | None = None) -> None:
        super().__init__(
            client_address,
            strategy="moving-window",
            storage_uri=f"{MemoryWindows.STORAGE_SCHEME[0]}://",
            storage_options={},  # slowapi's default is one dictionary for all limiters, which it writes to
        )
        self._windows = cast("MemoryWindows", self._storage)
        self._shared = shared
        self._secret = hashlib.sha256(secret).digest()

    @classmethod
    def configured(cls, settings: Settings) -> "Throttles":
        """As the settings have it."""
        url = settings.redis_url
        shared = RedisWindows(url.get_secret_value()) if url else None
        return cls(settings.secret_key.get_secret_value().encode(), shared)

    async def close(self) -> None:
        """Close the connections."""
        if self._shared is not None:
            await self._shared.close()

    async def take(self, *throttles: Throttle) -> list[Held]:
        """Count once against each of the throttles, all or none; what to give back, in their order.

        Nothing is given back where nothing could be counted: then the list is empty.

        Raises:
            Throttled: one of them is used up. Then nothing has been counted.
        """
        try:
            held = await self._acquire([self._window(throttle) for throttle in throttles])
        except WindowFull as full:
            name, headers = _refusal(throttles, full.standings)
            THROTTLED.labels(name, "refused").inc()
            raise Throttled(headers) from None
        except Exception:
            log.exception("a throttle cannot be asked, and lets the request through")
            THROTTLES_FAILED_OPEN.inc()
            return []
        for throttle in throttles:
            THROTTLED.labels(throttle.name, "taken").inc()
        return held

    async def give_back(self, held: Held) -> None:
        """Undo one count."""
        if self._shared is None or not isinstance(held.entry, str):
            self._windows.give_back(held)
            return
        with suppress(RedisAway):  # it leaves its window in time
            await self._shared.give_back(held)

    @asynccontextmanager
    async def attempt(self, *attempts: Throttle, failures: Throttle, failure: type[Exception]) -> AsyncIterator[None]:
        """Count an attempt, and against `failures` too where the block raises `failure`.

        It is counted as a failure until it is known to be none: of many at once no more get in than may fail. Who goes
        away in the middle has failed. A success leaves earlier failures counted.

        Raises:
            Throttled: a throttle is used up. Then the block is not entered.
        """
        held = (await self.take(*attempts, failures))[-1:]
        try:
            yield
        except failure:
            raise
        except Exception:  # a fault of ours
            await self._undo(held)
            raise
        await self._undo(held)

    async def _undo(self, held: Sequence[Held]) -> None:
        for entry in held:
            await self.give_back(entry)

    async def _acquire(self, windows: Sequence[Window]) -> list[Held]:
        if self._shared is not None and not self._shared.is_away:
            with suppress(RedisAway):
                return await self._shared.acquire_all(windows)
        return self._windows.acquire_all(windows)

    def _key(self, throttle: Throttle) -> str:
        """A hash, as short for a long User-Agent as for an address; it tells nobody who was here."""
        whose = repr((throttle.name, *throttle.of)).encode()
        return hashlib.blake2b(whose, key=self._secret, digest_size=16).hexdigest()

    def _window(self, throttle: Throttle) -> Window:
        limit = throttle.limit
        return Window(limit.key_for(self._key(throttle)), limit.amount, limit.get_expiry())


def headers_of(throttles: Sequence[Throttle], held: Sequence[Held]) -> dict[str, str]:
    """What is left after `held` was taken of `throttles`, by the one that has the least; nothing where none counts."""
    standings = [(one.standing, throttle.limit.amount) for one, throttle in zip(held, throttles, strict=False)]
    if not standings:
        return {}
    return _headers(*min(standings, key=lambda pair: (pair[0].remaining, -pair[0].reset)))


def _headers(standing: Standing, amount: int) -> dict[str, str]:
    values = (amount, max(standing.remaining, 0), int(standing.reset) + 1)
    return dict(zip(HEADERS, map(str, values), strict=True))


def _refusal(throttles: Sequence[Throttle], standings: Sequence[Standing]) -> tuple[str, dict[str, str]]:
    """The name of the throttle that is used up for longest, and the headers that tell of it."""
    throttle, standing = max(zip(throttles, standings, strict=True), key=lambda pair: (pair[1][0] < 1, pair[1][1]))
    wait = max(int(standing.reset - time.time()) + 1, 1)  # in whole seconds, and long enough
    return throttle.name, {"Retry-After": str(wait), **_headers(standing, throttle.limit.amount)}
