"""Search by title: an upstream provider finds ids, the catalogue and OMDb make films of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.core.single_flight import SingleFlight
from app.movies.answers import SearchAnswerRepository
from app.movies.enrichment import Enrichment
from app.movies.repository import MovieRepository, MovieRow
from app.movies.schemas import MovieQuery
from app.upstream.errors import UpstreamError

MOST_RESULTS = 10
CATALOGUE = "catalogue"


class SearchProvider(Protocol):
    """An upstream service that finds titles by their words."""

    name: str

    async def search(self, expression: str) -> list[str]:
        """The IMDb ids it finds, best first. Raises UpstreamError."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, and who found it."""

    source: str
    movies: Sequence[MovieRow]


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

    async def search(self, expression: str) -> Found:
        """Up to ten films for `expression`, in the provider's order.

        A provider's answer is kept for a day. The same expression asked at the same moment goes upstream once. Where
        the provider fails, or none of its films can be had, the catalogue answers.
        """
        words = " ".join(expression.split())
        provider, enrichment = self._provider, self._enrichment
        if provider is None or enrichment is None:
            return await self._in_catalogue(words)
        key = words.casefold()
        async with self._database.reading() as session:
            stored = await SearchAnswerRepository(session).get(provider.name, key)
        if stored is not None:
            return Found(provider.name, stored)
        return await self._flights.run(key, lambda: self._upstream(provider, enrichment, words))

    async def close(self) -> None:
        """Stop the searches under way."""
        await self._flights.close()

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
        query = MovieQuery(search=words)
        async with self._database.reading() as session:
            movies = MovieRepository(session)
            matches = await movies.match(query)
            return Found(CATALOGUE, await movies.page(query, MOST_RESULTS, 0, forgiving=matches.forgiving))
