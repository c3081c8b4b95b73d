"""Rows of a file, asked of the outside world."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.imports.repository import ImportRow
from app.movies.enrichment import Enrichment
from app.movies.matching import WantedTitle
from app.movies.resolution import TitleResolver
from app.upstream.errors import Reason

# With no better answer among them, so many that make no sense are the service's fault, not the titles'.
NONSENSE = 5


@dataclass(slots=True)
class Answers:
    """What came of asking for some rows, by their numbers. What is in none of these was not looked up.

    Attributes:
        found: the movies' ids; they are stored.
        unknown: upstream does not know them, or what it says of them makes no sense.
        failed: it was asked, and gave no answer.
        limited: it says that its own limit is used up.
        calls: so many were made.
    """

    found: dict[int, int] = field(default_factory=dict)
    unknown: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    limited: bool = False
    calls: int = 0


class Lookups:
    """Asks upstream for titles.

    Args:
        enrichment: asks for those whose IMDb ids are known, and stores them.
        resolver: the same for those whose names are.
    """

    def __init__(self, enrichment: Enrichment, resolver: TitleResolver) -> None:
        self._enrichment = enrichment
        self._resolver = resolver

    async def ask(self, rows: Sequence[ImportRow]) -> Answers:
        """What upstream says of rows, all asked for side by side."""
        by_id = [row for row in rows if row.imdb_id is not None]
        by_name = [row for row in rows if row.imdb_id is None]
        fetched, resolved = await asyncio.gather(
            self._enrichment.fetch(list(dict.fromkeys(row.imdb_id for row in by_id))),
            asyncio.gather(*(self._resolver.upstream(WantedTitle(row.title, year=row.year)) for row in by_name)),
        )
        outcomes: dict[int, int | Reason | None] = {}
        for row in by_id:
            failure = fetched.failures.get(row.imdb_id)
            outcomes[row.number] = failure.reason if failure else fetched.movies.get(row.imdb_id)
        for row, resolution in zip(by_name, resolved, strict=True):
            outcomes[row.number] = resolution.movie.id if resolution.movie else resolution.failure
        return _sorted(outcomes, fetched.calls + sum(resolution.calls for resolution in resolved))


def _sorted(outcomes: Mapping[int, int | Reason | None], calls: int) -> Answers:
    answers = Answers(calls=calls)
    nonsense = []
    for number, outcome in outcomes.items():
        match outcome:
            case int():
                answers.found[number] = outcome
            case None:
                answers.unknown.append(number)
            case Reason.GARBLED:
                nonsense.append(number)
            case Reason.LIMITED:
                answers.limited = True
            case Reason.BREAKER_OPEN | Reason.REFUSED:
                pass
            case _:
                answers.failed.append(number)
    is_away = not answers.found and not answers.unknown and len(nonsense) >= NONSENSE
    (answers.failed if is_away else answers.unknown).extend(nonsense)
    return answers
