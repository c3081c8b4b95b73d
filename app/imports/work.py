"""The job behind an import: what is stored goes onto the list at once, the rest once upstream has been asked for it.

It may be killed at any point. What became of rows, and the entries that they made, are committed together; what was
not committed is done again, and adds nothing twice.
"""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.core.jobs import Patience, Postponed
from app.imports.budget import LookupBudget
from app.imports.destination import Destination, Entry, Kind, Target
from app.imports.lookups import Answers, Lookups
from app.imports.problems import until_tomorrow
from app.imports.repository import ADDED, ALREADY_THERE, NOT_FOUND, ImportRepository, ImportRow
from app.imports.service import ImportPayload
from app.movies.lookup import MOST_CALLS
from app.movies.matching import WantedTitle
from app.movies.resolution import TitleResolver

# Rows that are matched with what is stored, and settled, at once.
STORED_AT_ONCE = 500
# Rows that upstream is asked for side by side.
LOOKED_UP_AT_ONCE = 20
# Upstream has failed so often at a row, while it answered others.
MOST_TRIES = 3
# While upstream is away, the pause is as long as it has been so already, within these bounds.
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
# And after so long nothing more is hoped for.
HOPE = timedelta(days=3)
# Its limit is one of a day, but when that begins it does not say.
LIMITED_PAUSE = timedelta(hours=1)
# So that not all that waited for the day begin in the same second.
SPREAD_SECONDS = 300
# Of a try of the job, which goes on where it was: 5,000 rows, all slow, take a third of that.
IMPORT_DEADLINE = timedelta(hours=1)
IMPORT_PATIENCE = Patience(longest=LONGEST_PAUSE, total=HOPE)
# So many imports at once, all workers together: mails need not wait behind them.
IMPORTS_AT_ONCE = 3

log = structlog.stdlib.get_logger(__name__)


class ImportWork:
    """Works at imports.

    Args:
        database: where they are.
        destinations: the kinds of lists.
        resolver: finds what is stored by its name.
        lookups: asks upstream; None where there is none, or none that imports may ask.
        budget: how often it may be asked.
    """

    def __init__(
        self,
        database: Database,
        destinations: Mapping[Kind, Destination],
        resolver: TitleResolver,
        lookups: Lookups | None,
        budget: LookupBudget,
    ) -> None:
        self._database = database
        self._destinations = destinations
        self._resolver = resolver
        self._lookups = lookups
        self._budget = budget

    async def run(self, payload: ImportPayload) -> None:
        """Go on with an import until it has ended.

        Raises:
            Postponed: it goes on later.
        """
        async with self._database.transaction() as session:
            target = await ImportRepository(session).claim(payload.import_id)
        if target is None:
            return
        goes_on = await self._take_stored(target)
        while goes_on:
            async with self._database.reading() as session:
                rows = await ImportRepository(session).next_rows(target.import_id, LOOKED_UP_AT_ONCE)
            goes_on = await self._look_up(target, rows) if rows else await self._end(target, "done")

    async def _take_stored(self, target: Target) -> bool:
        """Settle the rows whose titles are stored; False where the list is gone."""
        last = 0
        while True:
            async with self._database.reading() as session:
                rows = await ImportRepository(session).open_rows(target.import_id, last, STORED_AT_ONCE)
            if not rows:
                return True
            last = rows[-1].number
            found = {row.number: row.movie_id for row in rows if row.movie_id is not None}
            named = [row for row in rows if row.imdb_id is None]
            movies = await self._resolver.stored([WantedTitle(row.title, year=row.year) for row in named])
            found |= {row.number: movie.id for row, movie in zip(named, movies, strict=True) if movie is not None}
            if not await self._settle(target, Answers(found)):
                return False

    async def _look_up(self, target: Target, rows: Sequence[ImportRow]) -> bool:
        """Ask upstream for rows, and settle those that it answers; False where that ends the import.

        Raises:
            Postponed: there is nobody to ask for now.
        """
        if self._lookups is None:
            return await self._settle(target, Answers(unknown=[row.number for row in rows]))
        day, granted = await self._budget.take(sum(map(self._most_calls, rows)))
        asked = list(self._affordable(rows, granted))
        answers = await self._lookups.ask(asked) if asked else Answers()
        await self._budget.hand_back(day, granted - answers.calls)
        if not asked:
            await self._wait(target)
            spread = timedelta(seconds=random.uniform(0, SPREAD_SECONDS))  # noqa: S311 - no secret
            raise Postponed(until_tomorrow(datetime.now(UTC)) + spread, "the day's look-ups are used up")
        # A row is to blame where others were answered, and once it was, also where no others were asked.
        is_away = not answers.found and not answers.unknown
        is_to_blame = not is_away or all(row.tries for row in asked)
        if not await self._settle(target, answers, answers.failed if is_to_blame else ()):
            return False
        is_spent = is_to_blame and any(row.tries + 1 >= MOST_TRIES for row in asked)  # it is not asked for again
        if answers.limited or (is_away and not is_spent):
            return await self._stall(target, answers)
        return True

    def _most_calls(self, row: ImportRow) -> int:
        """How many calls it takes at most to find what a row names; with a smaller budget than that, all of a day's."""
        return min(1 if row.imdb_id is not None else MOST_CALLS, self._budget.limit)

    def _affordable(self, rows: Sequence[ImportRow], calls: int) -> Iterator[ImportRow]:
        for row in rows:
            if self._most_calls(row) <= calls:
                calls -= self._most_calls(row)
                yield row

    async def _stall(self, target: Target, answers: Answers) -> bool:
        """Wait for upstream, or give up: then False.

        Raises:
            Postponed: the import waits.
        """
        ago = await self._wait(target, progress=False)
        if ago > HOPE:
            log.warning("import given up: upstream does not answer", import_id=target.import_id)
            return await self._end(target, "failed")
        if answers.limited:
            raise Postponed(LIMITED_PAUSE, "upstream's limit is used up")
        raise Postponed(min(max(ago, SHORTEST_PAUSE), LONGEST_PAUSE), "upstream does not answer")

    async def _settle(self, target: Target, answers: Answers, blamed: Collection[int] = ()) -> bool:
        """Put what was found onto the list, and note what became of the rows; False where the list is gone."""
        destination = self._destinations[target.kind]

        async def settle(session: AsyncSession) -> bool:
            imports = ImportRepository(session)
            if not (await imports.hold_user(target.user_id) and await destination.hold(session, target)):
                await imports.end(target.import_id, "failed")
                return False
            if not await imports.hold(target.import_id):
                return False
            rows = await imports.still_open(target.import_id, [*answers.found, *answers.unknown])
            kept = await imports.keep_movies(set(answers.found.values()))
            entries = _entries(rows, answers.found, kept)
            added = await destination.add(session, target, list(entries.values())) if entries else set()
            outcomes = {row.number: _outcome(row.number, answers.found, entries, added) for row in rows}
            await imports.settle(target.import_id, outcomes)
            await imports.failed_at(target.import_id, blamed, MOST_TRIES)
            return True

        return await self._database.write(settle)

    async def _wait(self, target: Target, *, progress: bool = True) -> timedelta:
        async with self._database.transaction() as session:
            return await ImportRepository(session).wait(target.import_id, progress=progress)

    async def _end(self, target: Target, status: str) -> bool:
        async with self._database.transaction() as session:
            await ImportRepository(session).end(target.import_id, status)
        return False


def _entries(rows: Sequence[ImportRow], found: Mapping[int, int], kept: AbstractSet[int]) -> dict[int, Entry]:
    """The entries that rows make, by movie; of rows with one movie the first makes it."""
    entries: dict[int, Entry] = {}
    for row in rows:
        movie_id = found.get(row.number)
        if movie_id is not None and movie_id in kept:
            entries.setdefault(movie_id, Entry(row.number, movie_id, row.added_at))
    return entries


def _outcome(
    number: int, found: Mapping[int, int], entries: Mapping[int, Entry], added: AbstractSet[int]
) -> tuple[str, int | None]:
    movie_id = found.get(number)
    if movie_id is None or movie_id not in entries:
        return NOT_FOUND, None
    is_added = movie_id in added and entries[movie_id].number == number
    return (ADDED if is_added else ALREADY_THERE), movie_id
