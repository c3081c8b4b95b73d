"""A title's way through upstream: by its name, else by a search, at most three calls one after the other."""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from app.movies.matching import WantedTitle, best_match
from app.movies.title_keys import askable, main_title
from app.upstream.errors import Reason, UpstreamError
from app.upstream.titles import SearchPage, TitleFacts

T = TypeVar("T")

# What one title can take, for those who keep a budget: its name, then its original name and two searches, then two
# more calls.
MOST_CALLS = 6
# The longest title that IMDb has is under 250 characters.
LONGEST_TITLE = 250


class TitleFinder(Protocol):
    """An upstream service that knows titles by their names. Every call may raise UpstreamError."""

    async def titled(self, title: str, *, year: int | None = None, kind: str | None = None) -> TitleFacts | None:
        """The title of this name, or None where there is none."""

    async def find(self, words: str, *, year: int | None = None, kind: str | None = None) -> SearchPage:
        """The titles with these words."""

    async def title(self, imdb_id: str) -> TitleFacts | None:
        """The title with this IMDb id, or None where there is none."""


@dataclass(slots=True)
class Lookup:
    """What upstream says of a wanted title.

    Attributes:
        facts: what it is, where that was found out.
        failure: the last reason why upstream could not answer, where that left the title out.
        calls: how often upstream was asked.
    """

    facts: TitleFacts | None = None
    failure: Reason | None = None
    calls: int = 0


async def look_up(finder: TitleFinder, wanted: WantedTitle) -> Lookup:
    """Find out upstream what a title stands for.

    One call where upstream knows the title by its name and year. Else two searches, side by side, and one call for what
    they found: among the titles of the year for the main title, as subtitles are told in many ways, and among those of
    any year for the whole title, as years are. Where there are too many to be shown, the years around are asked for.
    """
    if not wanted.is_possible or len(askable(wanted.title)) > LONGEST_TITLE:
        return Lookup()
    way = _Way(finder, wanted)
    facts = await way.by_name()
    if facts is None and way.lookup.failure in {None, Reason.GARBLED}:
        facts = await way.by_search()
    way.lookup.facts = facts
    if facts is not None:
        way.lookup.failure = None
    return way.lookup


class _Way:
    """The calls for one title; a failed one is noted and counts as if it had told nothing."""

    def __init__(self, finder: TitleFinder, wanted: WantedTitle) -> None:
        self.lookup = Lookup()
        self._finder = finder
        self._wanted = wanted

    async def by_name(self) -> TitleFacts | None:
        return self._match([await self._titled(self._wanted.title, self._wanted.year)])

    async def by_search(self) -> TitleFacts | None:
        others = [name for name in self._wanted.names[1:] if len(name) <= LONGEST_TITLE]
        originals = asyncio.gather(*(self._titled(name, self._wanted.year) for name in others))
        pages, facts = await asyncio.gather(self._search(), originals)
        if match := self._match(facts):
            return match
        hits = {hit.imdb_id: hit for page in pages for hit in page.hits}
        if hit := best_match(self._wanted, hits.values()):
            return await self._answer(self._finder.title(hit.imdb_id))
        if self._wanted.year is not None and any(page.more for page in pages):
            around = (self._wanted.year - 1, self._wanted.year + 1)
            return self._match(await asyncio.gather(*(self._titled(self._wanted.title, year) for year in around)))
        return None

    async def _search(self) -> list[SearchPage]:
        kind, year = self._wanted.kind, self._wanted.year
        searches = [self._finder.find(askable(self._wanted.title), kind=kind)]
        if year is not None:
            searches.append(self._finder.find(main_title(self._wanted.title), year=year, kind=kind))
        pages = await asyncio.gather(*map(self._answer, searches))
        return [page for page in pages if page]

    async def _titled(self, name: str, year: int | None) -> TitleFacts | None:
        return await self._answer(self._finder.titled(askable(name), year=year, kind=self._wanted.kind))

    def _match(self, facts: Iterable[TitleFacts | None]) -> TitleFacts | None:
        return best_match(self._wanted, [title for title in facts if title])

    async def _answer(self, call: Awaitable[T]) -> T | None:
        self.lookup.calls += 1
        try:
            return await call
        except UpstreamError as error:
            self.lookup.failure = error.reason
            return None
