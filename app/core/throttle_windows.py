"""Moving windows in this process's memory, as a storage for limits.

limits' own MemoryStorage counts rightly, and this one counts on with it. What it cannot do is added here: to count
several windows all or none, to give an entry back, and to forget. Its clean-up keeps every key for good, and walks over
all of them, in a thread of its own, after every hit (limits 5.8; 37 ms of a core a hit at 100,000 keys).
"""

import heapq
import time
from collections.abc import Sequence
from typing import NamedTuple

from limits.storage import MemoryStorage
from limits.storage.memory import Entry

# A key with its first entry costs 400 bytes, each further entry 150 (measured): 20 MB, or 160 MB if all of them were
# used up at 20 entries each. Past it the windows that end soonest are forgotten: a throttle fails open, the process
# does not run out of memory.
MOST_KEYS = 50_000
# A call adds a key for each of its windows, two at most so far. To look at a few more each time keeps up with any
# load, and no one call pays for all of them.
LOOKED_AT = 8


class Window(NamedTuple):
    """Up to `amount` entries in `seconds`, counted under `key`."""

    key: str
    amount: int
    seconds: int


class Held(NamedTuple):
    """An entry in a window, to be given back perhaps."""

    key: str
    entry: Entry


class MemoryWindows(MemoryStorage):
    """limits' memory storage, for one event loop: no method waits, so each is done before another begins."""

    STORAGE_SCHEME = ["movie-finder+memory"]  # noqa: RUF012 - read by limits' registry, which slowapi asks

    def __init__(self, uri: str | None = None, *, wrap_exceptions: bool = False, **options: str) -> None:
        super().__init__(uri, wrap_exceptions, **options)
        self.timer.cancel()  # the first clean-up; `acquire_entry` would start others, and is not called
        self._ends: list[tuple[float, str]] = []  # a heap, with every key of `events` in it once

    def acquire_all(self, windows: Sequence[Window]) -> list[Held] | None:
        """An entry in each of the windows, or None, and an entry in none of them, where one is full."""
        if any(self.get_moving_window(*window)[1] >= window.amount for window in windows):
            return None
        held = [self._add(window) for window in windows]
        self._forget(time.time())
        return held

    def give_back(self, held: Held) -> None:
        """Take an entry out again, as if it had never been."""
        entries = self.events.get(held.key, [])
        if held.entry in entries:
            entries.remove(held.entry)

    def _add(self, window: Window) -> Held:
        entry = Entry(window.seconds)
        entries = self.events.get(window.key)
        if entries is None:
            entries = self.events[window.key] = []
            heapq.heappush(self._ends, (entry.expiry, window.key))
        entries.insert(0, entry)  # the newest first, as limits reads them
        del entries[window.amount :]
        return Held(window.key, entry)

    def _forget(self, now: float) -> None:
        """Drop what has ended, and what is too much."""
        for _ in range(LOOKED_AT):
            too_many = len(self.events) > MOST_KEYS
            if not too_many and (not self._ends or self._ends[0][0] > now):
                return
            _, key = heapq.heappop(self._ends)
            entries = self.events.get(key)
            if entries and entries[0].expiry > now and not too_many:
                heapq.heappush(self._ends, (entries[0].expiry, key))
            else:
                self.events.pop(key, None)
