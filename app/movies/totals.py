"""How many movies match some filters, kept for a while where it takes long to count them."""

import time
from collections.abc import Mapping
from typing import Any

SLOW_SECONDS, KEPT_SECONDS = 0.02, 30.0
MOST_KEPT = 1_000

Values = Mapping[str, Any]


class KeptTotals:
    """Totals by what was filtered for.

    Args:
        slow: what took longer than so many seconds is kept.
        most: so many are kept.
    """

    def __init__(self, *, slow: float = SLOW_SECONDS, most: int = MOST_KEPT) -> None:
        self._slow = slow
        self._most = most
        self._kept: dict[str, tuple[int, float]] = {}

    def recall(self, values: Values) -> int | None:
        """The total for these values, unless it is not kept, or no longer."""
        total, until = self._kept.get(_key(values), (None, 0.0))
        return total if time.monotonic() < until else None

    def keep(self, values: Values, total: int, seconds: float) -> None:
        """Keep a total that took so long; without any filter it is always exact."""
        if not values or seconds <= self._slow:
            return
        if len(self._kept) >= self._most:
            self._kept.clear()
        self._kept[_key(values)] = total, time.monotonic() + KEPT_SECONDS


def _key(values: Values) -> str:
    return repr(sorted(values.items()))
