"""OMDb (https://www.omdbapi.com/): titles by IMDb id, and a search that gives ids."""

from app.upstream.errors import Reason, UpstreamError
from app.upstream.titles import GarbledTitleError, TitleFacts, imdb_ids, is_miss, parse_title
from app.upstream.transport import Transport


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
        answer = await self._transport.get_json("/", i=imdb_id, plot="full")
        try:
            return None if is_miss(answer) else parse_title(answer)
        except GarbledTitleError:
            raise UpstreamError(self.name, Reason.GARBLED) from None

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

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()
