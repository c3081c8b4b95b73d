"""OMDb (https://www.omdbapi.com/): titles by IMDb id or by name, and a search by words."""

from app.upstream.errors import Reason, UpstreamError
from app.upstream.titles import GarbledTitleError, SearchPage, TitleFacts, imdb_ids, is_miss, parse_title, search_page
from app.upstream.transport import Transport

# To words of less than three letters, and to common ones.
TOO_MANY = "Too many results."


class Omdb:
    """A client for OMDb.

    Args:
        url: where it is; a few keys work over http only.
        key: the API key.
        deadline: seconds that one call may take.
    """

    name = "omdb"

    def __init__(self, url: str, key: str, *, deadline: float) -> None:
        self._transport = Transport(self.name, url, deadline=deadline, secret=("apikey", key))

    async def title(self, imdb_id: str) -> TitleFacts | None:
        """The title with this IMDb id, or None where OMDb has none.

        Raises:
            UpstreamError: OMDb gave no answer, or none that makes sense.
        """
        return await self._one(i=imdb_id)

    async def titled(self, title: str, *, year: int | None = None, kind: str | None = None) -> TitleFacts | None:
        """The title of this name, or None where OMDb has none.

        Where OMDb has none of exactly this name, it answers with the best known title that has the name in its own.

        Args:
            title: its name.
            year: the first of it; OMDb takes no other.
            kind: "movie", "series", "episode" or "game".

        Raises:
            UpstreamError: OMDb gave no answer, or none that makes sense.
        """
        return await self._one(t=title, **_narrowed(year, kind))

    async def search(self, expression: str) -> list[str]:
        """The IMDb ids of the titles with these words, best first; ten at most.

        Raises:
            UpstreamError: OMDb gave no answer. Words too common ("Too many results.") are such a case.
        """
        answer = await self._transport.get_json("/", s=expression)
        try:
            return [] if is_miss(answer) else imdb_ids(answer.get("Search"))
        except GarbledTitleError:
            raise UpstreamError(self.name, Reason.GARBLED) from None

    async def find(self, words: str, *, year: int | None = None, kind: str | None = None) -> SearchPage:
        """The titles with these words, best first; ten at most, and none where the words are too common.

        OMDb is known to pass over the year at times, so the hits may be of others.

        Raises:
            UpstreamError: OMDb gave no answer, or none that makes sense.
        """
        answer = await self._transport.get_json("/", s=words, **_narrowed(year, kind))
        if answer.get("Error") == TOO_MANY:
            return SearchPage(more=True)
        try:
            return SearchPage() if is_miss(answer) else search_page(answer)
        except GarbledTitleError:
            raise UpstreamError(self.name, Reason.GARBLED) from None

    async def _one(self, **parameters: str) -> TitleFacts | None:
        answer = await self._transport.get_json("/", plot="full", **parameters)
        try:
            return None if is_miss(answer) else parse_title(answer)
        except GarbledTitleError:
            raise UpstreamError(self.name, Reason.GARBLED) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()


def _narrowed(year: int | None, kind: str | None) -> dict[str, str]:
    return {name: str(value) for name, value in {"y": year, "type": kind}.items() if value is not None}
