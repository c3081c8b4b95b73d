"""CollectAPI's IMDB service (https://collectapi.com/api/imdb): a search that gives IMDb ids, and titles by id."""

from app.upstream.errors import Reason, UpstreamError
from app.upstream.titles import GarbledTitleError, TitleFacts, imdb_ids, is_miss, parse_title
from app.upstream.transport import Transport


class CollectApi:
    """A client for CollectAPI's IMDB service.

    Args:
        url: where it is.
        key: the API key, with or without its `apikey ` prefix.
        deadline: seconds that one call may take.
    """

    name = "imdb"

    def __init__(self, url: str, key: str, *, deadline: float) -> None:
        headers = {
            "authorization": f"apikey {key.strip().removeprefix('apikey ').strip()}",
            "content-type": "application/json",
        }
        self._transport = Transport(self.name, url, deadline=deadline, headers=headers)

    async def title(self, imdb_id: str) -> TitleFacts | None:
        """The title with this IMDb id, or None where CollectAPI has none.

        Raises:
            UpstreamError: CollectAPI gave no answer, or none that makes sense.
        """
        result = await self._result("/imdbSearchById", movieId=imdb_id)
        if not isinstance(result, dict):
            return None
        try:
            return None if is_miss(result) else parse_title(result)
        except GarbledTitleError:
            raise UpstreamError(self.name, Reason.GARBLED) from None

    async def search(self, expression: str) -> list[str]:
        """The IMDb ids of the titles with these words, best first.

        Raises:
            UpstreamError: CollectAPI gave no answer, or none that makes sense.
        """
        result = await self._result("/imdbSearchByName", query=expression)
        try:
            return imdb_ids(result)
        except GarbledTitleError:
            raise UpstreamError(self.name, Reason.GARBLED) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def _result(self, path: str, **parameters: str) -> object:
        answer = await self._transport.get_json(path, **parameters)
        if answer.get("success") is not True:
            raise UpstreamError(self.name, Reason.GARBLED)
        return answer.get("result")
