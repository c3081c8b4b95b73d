"""How often anybody may have Claude search."""

from fastapi import Request, Response

from app.auth.caller import Caller
from app.core.fingerprint import count_search, fingerprint
from app.settings import Settings


async def count_ai_search(request: Request, response: Response, caller: Caller) -> None:
    """Count an AI search, once its input is known to be good and its quota not to be spent.

    A tier may be exempt, so that its quota can be used up.

    Raises:
        UserAgentRequired: there is no User-Agent to count by.
        Throttled: too many by this browser, or from this address.
    """
    settings: Settings = request.state.settings
    if caller.user.throttle_exempt:
        fingerprint(request)
        return
    await count_search(
        request,
        response,
        "AI search",
        by_fingerprint=settings.throttle_ai_ua[0],
        by_address=settings.throttle_ai_ip[0],
    )
