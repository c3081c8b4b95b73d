"""Titles as people and models write them, made films of: from the catalogue, else from upstream."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import compress

from app.core.database import Database
from app.movies.candidates import stored_candidates
from app.movies.enrichment import store_fetched
from app.movies.lookup import Lookup, TitleFinder, look_up
from app.movies.matching import WantedTitle, best_match
from app.movies.repository import MovieRepository, MovieRow
from app.upstream.errors import Reason


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of a wanted title.

    Attributes:
        movie: the film, stored; None where there is none to give.
        failure: why upstream could not say, where it could not: to ask again later may help. None beside no movie
            means that nobody knows such a title.
        repeats: whether there is no movie because it was given for another of the titles already.
        calls: how many upstream calls it took; titles that ask for the same share them.
    """

    movie: MovieRow | None = None
    failure: Reason | None = None
    repeats: bool = False
    calls: int = 0


class TitleResolver:
    """Finds the films that titles stand for.

    A stored film is taken as it is, however old. No connection is held while upstream is asked.

    Args:
        database: where the catalogue is.
        finder: who is asked for what is not stored; None for the catalogue alone.
    """

    def __init__(self, database: Database, finder: TitleFinder | None = None) -> None:
        self._database = database
        self._finder = finder

    async def resolve(self, wanted: Sequence[WantedTitle]) -> list[Resolution]:
        """The films of these titles, in their order; all are looked for side by side, and what is new stored at once.

        A film is given once: for the first of the titles that stand for it, and for those that ask for the same.
        """
        async with aclosing(self._resolved(wanted, asyncio.ALL_COMPLETED)) as resolved:
            found = {position: resolution async for position, resolution in resolved}
        given = _Given()
        return [given.once(title, found[position]) for position, title in enumerate(wanted)]

    async def as_resolved(self, wanted: Sequence[WantedTitle]) -> AsyncGenerator[tuple[int, Resolution]]:
        """The same one by one: a title's position and what became of it, as soon as that is known.

        To close the generator (`contextlib.aclosing`) stops the look-ups that are under way. A film is given for the
        title that is resolved first.
        """
        given = _Given()
        async with aclosing(self._resolved(wanted, asyncio.FIRST_COMPLETED)) as resolved:
            async for position, resolution in resolved:
                yield position, given.once(wanted[position], resolution)

    async def stored(self, wanted: Sequence[WantedTitle]) -> list[MovieRow | None]:
        """The stored films of these titles, in their order: one statement, and no upstream call."""
        async with self._database.reading() as session:
            candidates = await stored_candidates(session, wanted)
        return [best_match(title, rows) for title, rows in zip(wanted, candidates, strict=True)]

    async def upstream(self, wanted: WantedTitle) -> Resolution:
        """The film of a title that is not stored: looked up with at most `lookup.MOST_CALLS` calls, and stored."""
        (resolution,) = await self._store([await self._look_up(wanted)])
        return resolution

    async def _resolved(
        self, wanted: Sequence[WantedTitle], return_when: str
    ) -> AsyncGenerator[tuple[int, Resolution]]:
        missing: dict[object, list[int]] = {}
        for position, movie in enumerate(await self.stored(wanted)):
            if movie is None and self._finder is not None:
                missing.setdefault(wanted[position].meaning, []).append(position)
            else:
                yield position, Resolution(movie)
        looked_up = [asyncio.create_task(self._look_up(wanted[positions[0]])) for positions in missing.values()]
        try:
            pending = set(looked_up)
            while pending:
                done, pending = await asyncio.wait(pending, return_when=return_when)
                ended = [task in done for task in looked_up]
                resolutions = await self._store([task.result() for task in compress(looked_up, ended)])
                for positions, resolution in zip(compress(missing.values(), ended), resolutions, strict=True):
                    for position in positions:
                        yield position, resolution
        finally:
            for task in looked_up:
                task.cancel()
            if looked_up:  # no gather: cancelled again, it would cancel them again, in the middle of hanging up
                await asyncio.wait(looked_up)

    async def _look_up(self, wanted: WantedTitle) -> Lookup:
        return await look_up(self._finder, wanted) if self._finder is not None else Lookup()

    async def _store(self, lookups: Sequence[Lookup]) -> list[Resolution]:
        """Keep what upstream told; upstream's knowledge of one id twice is stored once."""
        facts = {lookup.facts.imdb_id: lookup.facts for lookup in lookups if lookup.facts}
        movies: dict[str, MovieRow] = {}
        if facts:
            await store_fetched(self._database, facts.values())
            async with self._database.reading() as session:
                movies = await MovieRepository(session).by_imdb_id(list(facts))
        return [
            Resolution(movies.get(lookup.facts.imdb_id) if lookup.facts else None, lookup.failure, calls=lookup.calls)
            for lookup in lookups
        ]


class _Given:
    """Which films have been given, and for what."""

    def __init__(self) -> None:
        self._meanings: dict[int, object] = {}

    def once(self, wanted: WantedTitle, resolution: Resolution) -> Resolution:
        """The resolution, without its film where that was given for another title."""
        movie = resolution.movie
        if movie is None or self._meanings.setdefault(movie.id, wanted.meaning) == wanted.meaning:
            return resolution
        return replace(resolution, movie=None, repeats=True)
