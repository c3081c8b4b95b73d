"""What an import has done, for the person who asked for it."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.imdb_datasets.findings import Findings


@dataclass(frozen=True)
class Report:
    """All that is to be told.

    Attributes:
        taken: titles that were chosen and can be kept, those of an earlier start included; so are the next two.
        added: those that were not in the catalogue.
        updated: those that were, and of which something was missing or has changed.
        findings: what was read, and what was not taken.
    """

    taken: int
    added: int
    updated: int
    findings: Findings

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        as_before = self.taken - self.added - self.updated
        yield f"Titles: {self.findings.read:,} read, {self.taken:,} taken"
        yield f"  {self.added:,} new, {self.updated:,} updated, {as_before:,} as before"
        if self.findings.left_out:
            yield "Left out:"
        yield from (f"  {count:,} {reason}" for reason, count in self.findings.left_out.most_common())
        if self.findings.broken:
            yield "Broken lines, passed over:"
        for file, count in self.findings.broken.items():
            yield f"  {file}: {count:,}; the first is {self.findings.examples[file]}"
