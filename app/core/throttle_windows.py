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


class Standing(NamedTuple):
    """How full a window is.

    Attributes:
        remaining: how many entries it still takes.
        reset: when its oldest entry leaves it, in seconds since 1970.
    """

    remaining: int
    reset: float

    def taken(self) -> "Standing":
        """The same with one entry more."""
        return self._replace(remaining=self.remaining - 1)


class Held(NamedTuple):
    """An entry in a window, to be given back perhaps: in memory, or by its name elsewhere.

    Attributes:
        standing: how full the window is with it.
    """

    key: str
    entry: Entry | str
    standing: Standing


class WindowFull(Exception):  # noqa: N818 - nothing has gone wrong
    """One of several windows takes no entry, so none of them has taken one."""

    def __init__(self, standings: Sequence[Standing]) -> None:
        super().__init__("a window is full")
        self.standings = standings


class MemoryWindows(MemoryStorage):
    """limits' memory storage, for one event loop: no method waits, so each is done before another begins."""

    STORAGE_SCHEME = ["movie-finder+memory"]  # noqa: RUF012 - read by limits' registry, which slowapi asks

    def __init__(self, uri: str | None = None, *, wrap_exceptions: bool = False, **options: str) -> None:
        super().__init__(uri, wrap_exceptions, **options)
        self.timer.cancel()  # the first clean-up; `acquire_entry` would start others, and is not called
        self._ends: list[tuple[float, str]] = []  # a heap, with every key of `events` in it once

    def acquire_all(self, windows: Sequence[Window]) -> list[Held]:
        """An entry in each of the windows.

        Raises:
            WindowFull: one of them is, and none has taken an entry.
        """
        standings = [self._standing(window) for window in windows]
        if any(standing.remaining < 1 for standing in standings):
            raise WindowFull(standings)
        held = [self._add(window, standing.taken()) for window, standing in zip(windows, standings, strict=True)]
        self._forget(time.time())
        return held

    def give_back(self, held: Held) -> None:
        """Take an entry out again, as if it had never been."""
        entries = self.events.get(held.key, [])
        if held.entry in entries:
            entries.remove(held.entry)

    def _standing(self, window: Window) -> Standing:
        oldest, taken = self.get_moving_window(*window)
        return Standing(window.amount - taken, oldest + window.seconds)

    def _add(self, window: Window, standing: Standing) -> Held:
        entry = Entry(window.seconds)
        entries = self.events.get(window.key)
        if entries is None:
            entries = self.events[window.key] = []
            heapq.heappush(self._ends, (entry.expiry, window.key))
        entries.insert(0, entry)  # the newest first, as limits reads them
        del entries[window.amount :]
        return Held(window.key, entry, standing)

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
