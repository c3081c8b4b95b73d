"""What was moved over, and what was not, for the person who asked for it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.takeover.findings import Finding

# Reasons shown of one table; the rest is summed up.
REASONS = 10
HEADINGS = ("there", "new", "updated", "as before", "left out", "here")
NOT_MOVED = (
    "AI searches of today, recommendations and top movies (made anew), groups and permissions (is_staff says it here)"
)


@dataclass(frozen=True)
class Line:
    """The numbers of one table.

    Attributes:
        there: rows in the source.
        left_out: those of them that were not taken.
        here: rows in the table afterwards, whatever brought them.
        new: rows that were added; None for what is part of other rows.
        updated: rows that were here and were changed.
    """

    name: str
    there: int
    left_out: int
    here: int
    new: int | None = None
    updated: int | None = None

    def cells(self) -> Sequence[str]:
        """The numbers as they are shown."""
        before = None if self.new is None else self.there - self.left_out - self.new - (self.updated or 0)
        numbers = (self.there, self.new, self.updated, before, self.left_out, self.here)
        return ["" if number is None else f"{number:,}" for number in numbers]


@dataclass(frozen=True)
class Report:
    """All that is to be told.

    Attributes:
        left_out: by table, why rows were left out; the most frequent reasons first.
        changed: by table and what was done, rows that were taken with a change.
    """

    lines: Sequence[Line]
    left_out: Mapping[str, Mapping[str, Finding]]
    changed: Mapping[tuple[str, str], Finding]

    def __str__(self) -> str:
        return "\n".join([*self._table(), *self._left_out(), *self._changed(), f"\nNot moved: {NOT_MOVED}."])

    def _table(self) -> Iterator[str]:
        rows = [("", *HEADINGS), *((line.name, *line.cells()) for line in self.lines)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for name, *cells in rows:
            shown = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
            yield "  ".join([name.ljust(widths[0]), *shown])

    def _left_out(self) -> Iterator[str]:
        if self.left_out:
            yield "\nLeft out:"
        for table, reasons in self.left_out.items():
            shown = list(reasons.items())
            yield from (_sentence(table, reason, finding) for reason, finding in shown[:REASONS])
            if rest := [finding.count for _, finding in shown[REASONS:]]:
                yield f"  {table}: {sum(rest):,} more, for {len(rest):,} more reasons"

    def _changed(self) -> Iterator[str]:
        if self.changed:
            yield "\nTaken with a change:"
        yield from (_sentence(table, what, finding) for (table, what), finding in self.changed.items())


def _sentence(table: str, what: str, finding: Finding) -> str:
    more = ", …" if finding.count > len(finding.ids) else ""
    return f"  {table}: {finding.count:,}, {what} (id {', '.join(map(str, finding.ids))}{more})"
