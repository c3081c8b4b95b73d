"""What can go wrong in the outside world, in our words."""

from enum import StrEnum


class Reason(StrEnum):
    """Why an upstream service gave no answer."""

    UNREACHABLE = "unreachable"  # no connection, or it broke
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"  # a 5xx
    REFUSED = "refused"  # the key is not taken
    LIMITED = "limited"  # the key's quota is used up
    GARBLED = "garbled"  # an answer that is not what the service's documentation says
    DECLINED = "declined"  # the service understands, and will not answer this question
    BREAKER_OPEN = "breaker_open"  # it failed too often lately and is left alone for a while

    @property
    def is_passing(self) -> bool:
        """Whether a second try, moments later, can help."""
        return self in {Reason.UNREACHABLE, Reason.UNAVAILABLE}


class UpstreamError(Exception):
    """An upstream service gave no answer. Carries no key, no URL and no body."""

    def __init__(self, service: str, reason: Reason) -> None:
        super().__init__(f"{service}: {reason}")
        self.service = service
        self.reason = reason
