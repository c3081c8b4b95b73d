"""How often something may be done: slowapi's limiter, asked by our own code.

slowapi brings the storage, the moving window and, with a storage elsewhere, the way back to memory. Its decorator and
its middleware are left alone. They wait for the storage on the event loop; count before the body is checked, so that a
refused request costs; count one limit after the other, so that a refusal by the second has cost the first; write a
header once for each decorator; and log keys. So a route asks `take` when its input is known to be good, and the refusal
is a `Problem` like any other.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from limits import RateLimitItem
from slowapi import Limiter

from app.core.client_address import client_address
from app.core.problems import Problem
from app.core.throttle_windows import Held, MemoryWindows, Window
from app.settings import Settings

# What a browser must be allowed to read on an answer from another origin.
HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


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
    """Counts what is done, in this process.

    Args:
        secret: makes the keys' hashes; the same in every process that counts together.
    """

    def __init__(self, secret: bytes) -> None:
        super().__init__(
            client_address,
            strategy="moving-window",
            storage_uri=f"{MemoryWindows.STORAGE_SCHEME[0]}://",
            storage_options={},  # slowapi's default is one dictionary for all limiters, which it writes to
        )
        self._windows = cast("MemoryWindows", self._storage)
        self._secret = hashlib.sha256(secret).digest()

    @classmethod
    def configured(cls, settings: Settings) -> "Throttles":
        """As the settings have it."""
        return cls(settings.secret_key.get_secret_value().encode())

    async def take(self, *throttles: Throttle) -> list[Held]:
        """Count once against each of the throttles, all or none; what to give back, in their order.

        Raises:
            Throttled: one of them is used up. Then nothing has been counted.
        """
        held = self._windows.acquire_all([self._window(throttle) for throttle in throttles])
        if held is None:
            raise Throttled(self._refusal(throttles))
        return held

    async def give_back(self, held: Held) -> None:
        """Undo one count."""
        self._windows.give_back(held)

    @asynccontextmanager
    async def attempt(self, *attempts: Throttle, failures: Throttle, failure: type[Exception]) -> AsyncIterator[None]:
        """Count an attempt, and against `failures` too where the block raises `failure`.

        It is counted as a failure until it is known to be none: of many at once no more get in than may fail. Who goes
        away in the middle has failed. A success leaves earlier failures counted.

        Raises:
            Throttled: a throttle is used up. Then the block is not entered.
        """
        *_, held = await self.take(*attempts, failures)
        try:
            yield
        except failure:
            raise
        except Exception:  # a fault of ours
            await self.give_back(held)
            raise
        await self.give_back(held)

    def _key(self, throttle: Throttle) -> str:
        """A hash, as short for a long User-Agent as for an address; it tells nobody who was here."""
        whose = repr((throttle.name, *throttle.of)).encode()
        return hashlib.blake2b(whose, key=self._secret, digest_size=16).hexdigest()

    def _window(self, throttle: Throttle) -> Window:
        limit = throttle.limit
        return Window(limit.key_for(self._key(throttle)), limit.amount, limit.get_expiry())

    def _refusal(self, throttles: Sequence[Throttle]) -> dict[str, str]:
        """The headers for a refusal, by the throttle that is used up for longest."""
        stats = [(t.limit.amount, *self.limiter.get_window_stats(t.limit, self._key(t))) for t in throttles]
        amount, reset, remaining = max(stats, key=lambda found: (found[2] < 1, found[1]))
        wait = max(int(reset - time.time()) + 1, 1)  # in whole seconds, and long enough
        headers = dict(zip(HEADERS, map(str, (amount, remaining, int(reset) + 1)), strict=True))
        return {"Retry-After": str(wait), **headers}
