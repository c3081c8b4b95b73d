"""Calls of outside services, as the metrics and the request's log line count them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from app.core.metrics import UPSTREAM_CALLS, UPSTREAM_SECONDS
from app.core.request_record import request_record
from app.upstream.errors import UpstreamError


@contextmanager
def counted(service: str) -> Iterator[None]:
    """Around one call of `service`, retries included: its end and its time are counted."""
    if (record := request_record()) is not None:
        record.upstream_calls += 1
    began, outcome = time.perf_counter(), "abandoned"  # by who asked, who is gone
    try:
        yield
        outcome = "answered"
    except UpstreamError as error:
        outcome = str(error.reason)
        raise
    finally:
        UPSTREAM_CALLS.labels(service, outcome).inc()
        UPSTREAM_SECONDS.labels(service).observe(time.perf_counter() - began)
