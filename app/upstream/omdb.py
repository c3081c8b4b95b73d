"""OMDb (https://www.omdbapi.com/): titles by IMDb id, and a search that gives ids."""

from typing import Any

from app.upstream.errors import Reason, UpstreamError
from app.upstream.titles import GarbledTitleError, TitleFacts, imdb_ids, parse_title
from app.upstream.transport import Transport

# With `Response: False`; the same status 200 carries misses and failures, told apart only by these words.
_MISSES = {"Movie not found!", "Series not found!", "Series or episode not found!", "Incorrect IMDb ID."}
# "Error getting data." is what a well-formed id that OMDb does not know gets.
_UNKNOWN_ID = "Error getting data."


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
        if self._is_miss(answer):
            return None
        try:
            return parse_title(answer)
        except GarbledTitleError:
            raise UpstreamError(self.name, Reason.GARBLED) from None

    async def search(self, expression: str) -> list[str]:
        """The IMDb ids of the titles with these words, best first; ten at most.

        Raises:
            UpstreamError: OMDb gave no answer. Words too common ("Too many results.") are such a case.
        """
        answer = await self._transport.get_json("/", s=expression)
        return [] if self._is_miss(answer) else imdb_ids(answer.get("Search"))

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    def _is_miss(self, answer: dict[str, Any]) -> bool:
        if answer.get("Response") != "False":
            return False
        if answer.get("Error") in _MISSES | {_UNKNOWN_ID}:
            return True
        raise UpstreamError(self.name, Reason.GARBLED)
