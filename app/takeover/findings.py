"""What a takeover notes on its way, for its report."""

from collections import Counter
from dataclasses import dataclass, field

# Enough to look at; a fault of a whole table would fill the screen.
EXAMPLES = 5


@dataclass
class Finding:
    """Rows of which the same is to be said, and the ids of the first of them."""

    count: int = 0
    ids: list[int] = field(default_factory=list)


class Findings:
    """What was read, and what was changed on the way."""

    def __init__(self) -> None:
        self.read: Counter[str] = Counter()
        self.changed: dict[tuple[str, str], Finding] = {}

    def change(self, table: str, what: str, row_id: int) -> None:
        """Note that a row was taken with a change."""
        finding = self.changed.setdefault((table, what), Finding())
        finding.count += 1
        if len(finding.ids) < EXAMPLES:
            finding.ids.append(row_id)
