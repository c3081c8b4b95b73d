"""Search in one's own words: Claude suggests titles, the catalogue and OMDb make films of them.

Where Claude cannot answer, the catalogue does, by the words. No connection is held while Claude thinks, or OMDb is
asked.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

from app.ai.catalogue import CatalogueSearch
from app.ai.events import Event, Finished, Match, Progress, Source
from app.ai.metered import MeteredSuggestions
from app.ai.problems import AiNotConfigured, AiUnavailable
from app.ai.wording import understand
from app.core.database import Database
from app.movies.matching import WantedTitle
from app.movies.repository import MovieRepository, MovieRow
from app.movies.resolution import Resolution, TitleResolver
from app.movies.schemas import Marks
from app.upstream.errors import UpstreamError

MOST_RESULTS = 10
# Of the time that a search has: until when Claude must have answered, and until when its titles are looked for. What is
# left is the catalogue's, should it have to answer after all.
CLAUDES_SHARE, LOOKUPS_SHARE = 0.8, 0.9
# The catalogue knows an order, and not how well a movie fits: the first gets this, each after it so much less.
HIGHEST_SCORE, STEP = 90, 5


class NothingFoundError(Exception):
    """None of the titles that were suggested is one that anybody knows."""


@dataclass(frozen=True, slots=True)
class FoundForWords:
    """What a search found, best first, and who found it."""

    source: Source
    matches: Sequence[Match]


class AiSearch:
    """Answers searches in people's own words.

    Args:
        database: where the catalogue is.
        resolver: makes films of titles.
        suggestions: who suggests titles; None for the catalogue alone.
        timeout: seconds that a search may take.
    """

    def __init__(
        self, database: Database, resolver: TitleResolver, suggestions: MeteredSuggestions | None, timeout: float
    ) -> None:
        self._database = database
        self._resolver = resolver
        self._suggestions = suggestions
        self._timeout = timeout

    async def admit(self, user_id: int) -> None:
        """Let a user search who has something left of the quota.

        Raises:
            AiSearchLimitReached: nothing is left, and Claude would be asked.
        """
        if self._suggestions is not None:
            await self._suggestions.admit(user_id)

    async def search(self, user_id: int, words: str) -> FoundForWords:
        """Up to ten movies for a user's words, best first; all that is found within the time.

        Raises:
            AiSearchLimitReached: another search has used what was left.
            AiUnavailable: Claude gave no answer, and neither has the catalogue one.
            AiNotConfigured: there is no Claude, and the catalogue has no answer.
        """
        matches: list[Match] = []
        source: Source = "catalogue"
        async with aclosing(self._events(user_id, words, streaming=False)) as events:
            async for event in events:
                match event:
                    case Match():
                        matches.append(event)
                    case Finished():
                        source = event.source
        marks = await self._marks(user_id, matches)
        in_order = sorted(matches, key=lambda found: found.place)
        return FoundForWords(source, [replace(found, marks=marks) for found in in_order])

    async def events(self, user_id: int, words: str) -> AsyncGenerator[Event]:
        """The same as it comes; to close the generator stops the search.

        Raises:
            AiSearchLimitReached, AiUnavailable, AiNotConfigured: as `search` does.
        """
        async with aclosing(self._events(user_id, words, streaming=True)) as events:
            async for event in events:
                if isinstance(event, Match):
                    yield replace(event, marks=await self._marks(user_id, [event]))
                else:
                    yield event

    async def _events(self, user_id: int, words: str, *, streaming: bool) -> AsyncGenerator[Event]:
        started = asyncio.get_running_loop().time()
        yield Progress("thinking")
        if self._suggestions is not None:
            with suppress(UpstreamError, NothingFoundError):
                suggested = self._by_claude(self._suggestions, user_id, words, started, streaming=streaming)
                async with aclosing(suggested) as events:
                    async for event in events:
                        yield event
                return
        movies = await self._in_catalogue(words, until=started + self._timeout)
        for place, movie in enumerate(movies):
            yield Match(place, movie, HIGHEST_SCORE - STEP * place)
        yield Finished(len(movies), "catalogue")

    async def _by_claude(
        self, suggestions: MeteredSuggestions, user_id: int, words: str, started: float, *, streaming: bool
    ) -> AsyncGenerator[Event]:
        until = started + self._timeout * CLAUDES_SHARE
        answer = await suggestions.answer(user_id, words, until=until, streaming=streaming)
        titles = answer.suggestions
        wanted = [WantedTitle(title.title, title.original_title, title.year, title.kind) for title in titles]
        shown: set[int] = set()
        if wanted:
            yield Progress("resolving", 0, len(wanted))
        async with aclosing(self._resolver.as_resolved(wanted)) as resolutions:
            done = 0
            while resolved := await _next(resolutions, until=started + self._timeout * LOOKUPS_SHARE):
                place, resolution = resolved
                movie = resolution.movie
                if movie is not None and movie.id not in shown:
                    shown.add(movie.id)
                    yield Match(place, movie, titles[place].score, titles[place].reason)
                done += 1
                yield Progress("resolving", done, len(wanted))
        if wanted and not shown:
            await suggestions.hand_back(user_id, answer)
            raise NothingFoundError
        yield Finished(len(shown), "claude")

    async def _in_catalogue(self, words: str, *, until: float) -> Sequence[MovieRow]:
        movies: Sequence[MovieRow] = []
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until), self._database.reading() as session:
                movies = await CatalogueSearch(session, MOST_RESULTS).movies(understand(words))
        if not movies:
            raise AiUnavailable if self._suggestions else AiNotConfigured
        return movies

    async def _marks(self, user_id: int, matches: Sequence[Match]) -> Marks:
        if not matches:
            return Marks()
        async with self._database.reading() as session:
            return await MovieRepository(session).marks(user_id, [found.movie.id for found in matches])


async def _next(resolutions: AsyncGenerator[tuple[int, Resolution]], *, until: float) -> tuple[int, Resolution] | None:
    """The next that is resolved, None where there is none more, or the time is over."""
    try:
        async with asyncio.timeout_at(until):
            return await anext(resolutions)
    except (StopAsyncIteration, TimeoutError):
        return None
