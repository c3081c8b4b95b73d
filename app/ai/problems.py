"""What AI searches can go wrong with, in the words of the API."""

from datetime import UTC, datetime
from typing import ClassVar

from app.auth.quota import next_day
from app.core.problems import Problem


class AiSearchLimitReached(Problem):
    """The quota of the caller's tier is used up."""

    status = 429
    code = "ai_search_limit_reached"
    detail = "Your AI searches of today are used up. They begin anew at midnight UTC."
    headers: ClassVar = {"Retry-After": "3600"}

    def __init__(self) -> None:
        super().__init__()
        wait = next_day() - datetime.now(UTC)
        self.headers = {"Retry-After": str(int(wait.total_seconds()) + 1)}  # type: ignore[misc]  # by the time of day


class AiUnavailable(Problem):
    """Claude gave no answer, and the catalogue has none."""

    status = 503
    code = "ai_unavailable"
    detail = "Claude cannot answer at the moment, and no stored movie fits these words. Try again shortly."
    headers: ClassVar = {"Retry-After": "30"}


class AiNotConfigured(Problem):
    """Claude cannot be asked here, and the catalogue has no answer."""

    status = 503
    code = "ai_not_configured"
    detail = "Claude is not set up here, and no stored movie fits these words. Try others."
    headers: ClassVar = {"Retry-After": "3600"}
