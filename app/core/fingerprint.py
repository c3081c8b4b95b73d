"""Who searches, as far as anybody can tell without an account: a browser at an address."""

from fastapi import Request, Response
from limits import RateLimitItem

from app.core.client_address import client_address
from app.core.problems import Problem
from app.core.throttling import Throttle, Throttles, headers_of


class UserAgentRequired(Problem):
    """The request says nothing of the program that sent it."""

    status = 400
    code = "user_agent_required"
    detail = "Send a User-Agent header: searches are counted by it."


def fingerprint(request: Request) -> tuple[str, str]:
    """The User-Agent and the address: strangers with the same browser are not counted together.

    Raises:
        UserAgentRequired: there is no User-Agent.
    """
    agent = request.headers.get("user-agent", "").strip()
    if not agent:
        raise UserAgentRequired
    return agent, client_address(request)


async def count_search(
    request: Request, response: Response, name: str, *, by_fingerprint: RateLimitItem, by_address: RateLimitItem
) -> None:
    """Count a search, and tell what is left in the headers of its answer.

    Call it once the input is known to be good: what is refused for its form counts for nothing.

    Raises:
        UserAgentRequired: there is no User-Agent to count by.
        Throttled: too many by this browser, or from this address.
    """
    throttles: Throttles = request.state.throttles
    agent, address = fingerprint(request)
    windows = (
        Throttle(name, by_fingerprint, (agent, address)),
        Throttle(f"{name} from an address", by_address, (address,)),
    )
    held = await throttles.take(*windows)
    response.headers.update(headers_of(windows, held))
