"""What an import notes on its way, for its report."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Findings:
    """What was read, and what was not taken.

    Attributes:
        read: titles in title.basics.
        taken: those of them that were chosen and can be kept.
        left_out: the others, by the reason.
        broken: by file, lines that are not as they should be.
        examples: the first of these, by file, and what is wrong with it.
    """

    read: int = 0
    taken: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def broken_line(self, file: str, title: bytes, reason: str) -> None:
        """Note a line that is passed over."""
        self.broken[file] += 1
        self.examples.setdefault(file, f"that of {title[:20].decode(errors='replace')!r}: {reason}")
