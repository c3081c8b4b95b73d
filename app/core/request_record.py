"""What is known of a request while it is answered: for whom it is, and what it has cost so far."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(slots=True)
class RequestRecord:
    """What is known of one request.

    Attributes:
        user_id: the account that asks.
        statements: how often each SQL text was executed.
        sql_seconds: the time of all statements.
        upstream_calls: calls of outside services.
    """

    user_id: int | None = None
    statements: dict[str, int] = field(default_factory=dict)
    sql_seconds: float = 0.0
    upstream_calls: int = 0


_record: ContextVar[RequestRecord | None] = ContextVar("request_record", default=None)


def request_record() -> RequestRecord | None:
    """The record of the request in whose course this is called; None in work of the service's own."""
    return _record.get()


@contextmanager
def recording() -> Iterator[RequestRecord]:
    """What is done inside of the block, also by tasks that it begins, is done for one request."""
    record = RequestRecord()
    token = _record.set(record)
    try:
        yield record
    finally:
        _record.reset(token)
