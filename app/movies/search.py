"""Search by title: an upstream provider finds ids, the catalogue and OMDb make films of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.core.metrics import counter
from app.core.single_flight import SingleFlight
from app.movies.answers import SearchAnswerRepository
from app.movies.enrichment import Enrichment
from app.movies.listing import MovieLists
from app.movies.repository import MovieRepository, MovieRow
from app.movies.schemas import Marks
from app.upstream.errors import UpstreamError

MOST_RESULTS = 10
CATALOGUE = "catalogue"
SEARCHES = counter(
    "searches", "Searches by title: who answered, and whether from a stored answer.", ["source", "stored"]
)


class SearchProvider(Protocol):
    """An upstream service that finds titles by their words."""

    name: str

    async def search(self, expression: str) -> list[str]:
        """The IMDb ids it finds, best first. Raises UpstreamError."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, and who found it.

    Attributes:
        stored: whether it was found before, within a day.
        marks: what the user who searches has to do with the movies; the search itself is shared.
    """

    source: str
    movies: Sequence[MovieRow]
    stored: bool = False
    marks: Marks = field(default_factory=Marks)


class MovieSearch:
    """Answers searches.

    Args:
        database: where the catalogue is.
        provider: who is asked first; None for the catalogue alone.
        enrichment: who makes films of the provider's ids; None for the catalogue alone.
    """

    def __init__(
        self, database: Database, provider: SearchProvider | None = None, enrichment: Enrichment | None = None
    ) -> None:
        self._database = database
        self._provider = provider
        self._enrichment = enrichment
        self._flights: SingleFlight[Found] = SingleFlight()

    async def search(self, expression: str, viewer: int | None) -> Found:
        """Up to ten films for `expression`, in the provider's order, as a user sees them.

        A provider's answer is kept for a day. The same expression asked at the same moment goes upstream once. Where
        the provider fails, or none of its films can be had, the catalogue answers.
        """
        found = await self._search(" ".join(expression.split()))
        SEARCHES.labels(found.source, str(found.stored).lower()).inc()
        if viewer is None or not found.movies:
            return found
        async with self._database.reading() as session:
            marks = await MovieRepository(session).marks(viewer, [movie.id for movie in found.movies])
        return replace(found, marks=marks)

    async def close(self) -> None:
        """Stop the searches under way."""
        await self._flights.close()

    async def _search(self, words: str) -> Found:
        provider, enrichment = self._provider, self._enrichment
        if provider is None or enrichment is None:
            return await self._in_catalogue(words)
        key = words.casefold()
        async with self._database.reading() as session:
            stored = await SearchAnswerRepository(session).get(provider.name, key)
        if stored is not None:
            return Found(provider.name, stored, stored=True)
        return await self._flights.run(key, lambda: self._upstream(provider, enrichment, words))

    async def _upstream(self, provider: SearchProvider, enrichment: Enrichment, words: str) -> Found:
        try:
            imdb_ids = await provider.search(words)
        except UpstreamError:
            return await self._in_catalogue(words)
        titles = await enrichment.titles(imdb_ids[:MOST_RESULTS])
        if titles.complete:
            await self._keep(provider.name, words.casefold(), [movie.id for movie in titles.movies])
        elif not titles.movies:
            return await self._in_catalogue(words)
        return Found(provider.name, titles.movies)

    async def _keep(self, provider: str, key: str, movie_ids: Sequence[int]) -> None:
        async def keep(session: AsyncSession) -> None:
            await SearchAnswerRepository(session).put(provider, key, movie_ids)

        await self._database.write(keep)

    async def _in_catalogue(self, words: str) -> Found:
        async with self._database.reading() as session:
            return Found(CATALOGUE, await MovieLists(session).best(words, MOST_RESULTS))
