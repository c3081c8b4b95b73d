"""How often anybody may search."""

from fastapi import Request, Response

from app.core.fingerprint import count_search
from app.settings import Settings


async def count_movie_search(request: Request, response: Response) -> None:
    """Count a search by title, once its input is known to be good.

    Raises:
        UserAgentRequired: there is no User-Agent to count by.
        Throttled: too many by this browser, or from this address.
    """
    settings: Settings = request.state.settings
    await count_search(
        request,
        response,
        "search",
        by_fingerprint=settings.throttle_search_ua[0],
        by_address=settings.throttle_search_ip[0],
    )
