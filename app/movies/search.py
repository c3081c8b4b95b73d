"""Search by title: an upstream provider finds ids, the catalogue and OMDb make films of them."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from app.core.database import Database
from app.core.metrics import counter
from app.core.single_flight import SingleFlight
from app.movies.answers import SearchAnswers
from app.movies.documents import documents_of
from app.movies.enrichment import Enrichment
from app.movies.listing import MovieLists
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


class Found(NamedTuple):
    """What a search found, and who found it.

    Attributes:
        movies: each as JSON.
    """

    source: str
    movies: list[str]


class _Hits(NamedTuple):
    """What a search found, for nobody in particular: the movies' ids; whether it was found before, within a day."""

    source: str
    movie_ids: Sequence[int]
    stored: bool = False


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
        self._answers = SearchAnswers(database)
        self._provider = provider
        self._enrichment = enrichment
        self._flights: SingleFlight[_Hits] = SingleFlight()

    async def search(self, expression: str, viewer: int | None) -> Found:
        """Up to ten films for `expression`, in the provider's order, as a user sees them.

        A provider's answer is kept for a day. The same expression asked at the same moment goes upstream once. Where
        the provider fails, or none of its films can be had, the catalogue answers.
        """
        hits = await self._search(" ".join(expression.split()))
        SEARCHES.labels(hits.source, str(hits.stored).lower()).inc()
        return Found(hits.source, await documents_of(self._database, hits.movie_ids, viewer) if hits.movie_ids else [])

    async def close(self) -> None:
        """Stop the searches under way."""
        await self._flights.close()

    async def _search(self, words: str) -> _Hits:
        provider, enrichment = self._provider, self._enrichment
        if provider is None or enrichment is None:
            return await self._in_catalogue(words)
        key = words.casefold()
        stored = await self._answers.get(provider.name, key)
        if stored is not None:
            return _Hits(provider.name, stored, stored=True)
        return await self._flights.run(key, lambda: self._upstream(provider, enrichment, words))

    async def _upstream(self, provider: SearchProvider, enrichment: Enrichment, words: str) -> _Hits:
        try:
            imdb_ids = await provider.search(words)
        except UpstreamError:
            return await self._in_catalogue(words)
        titles = await enrichment.titles(imdb_ids[:MOST_RESULTS])
        if titles.complete:
            await self._answers.put(provider.name, words.casefold(), titles.movie_ids)
        elif not titles.movie_ids:
            return await self._in_catalogue(words)
        return _Hits(provider.name, titles.movie_ids)

    async def _in_catalogue(self, words: str) -> _Hits:
        async with self._database.reading() as session:
            return _Hits(CATALOGUE, await MovieLists(session).best(words, MOST_RESULTS))
