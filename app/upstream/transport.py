"""One pooled HTTP client a service, with the manners that every call needs.

A call has a deadline for the whole of it, tries again where that can help, is left out while its service is down, and
ends in a JSON object or an `UpstreamError`: no foreign exception, key or body leaves this module.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
import httpx
import pybreaker
import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from app.core.metrics import BREAKERS_OPEN, UPSTREAM_CALLS, UPSTREAM_RETRIES
from app.upstream.calls import counted
from app.upstream.connections import pooled_connections
from app.upstream.errors import Reason, UpstreamError

ATTEMPTS = 3
CONNECT_TIMEOUT_SECONDS = 2.0
# The longest title payload seen is under 4 kB; what is larger than this is no answer to our question.
MAX_ANSWER_BYTES = 256 * 1024
# So many failures in a row open the breaker, for so long.
BREAKER_FAILURES = 5
BREAKER_SECONDS = 30.0
# A backslash that begins no escape sequence of JSON (RFC 8259 section 7).
_LONE_BACKSLASH = re.compile(r'(\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))|\\')

log = structlog.stdlib.get_logger(__name__)


class SecretParameter(httpx.AsyncBaseTransport):
    """Adds a key to the query string below the client, so that neither its log nor its exceptions ever see it."""

    def __init__(self, name: str, value: str, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self._parameter = urlencode({name: value}).encode()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`, which has no body, with the key."""
        query = request.url.query
        url = request.url.copy_with(query=query + b"&" + self._parameter if query else self._parameter)
        return await self.inner.handle_async_request(
            httpx.Request(request.method, url, headers=request.headers, extensions=request.extensions)
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self.inner.aclose()


class BreakerGauge(pybreaker.CircuitBreakerListener):
    """Shows the breaker of a service in the metrics; while it tries whether the service is back, it counts as open."""

    def __init__(self, service: str) -> None:
        self._gauge = BREAKERS_OPEN.labels(service)
        self._gauge.set(0)

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,  # noqa: ARG002 - the library's signature
        old_state: pybreaker.CircuitBreakerState | None,  # noqa: ARG002
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        self._gauge.set(new_state.name != pybreaker.STATE_CLOSED)


class Transport:
    """JSON over HTTP from one service.

    Args:
        service: its name in logs and errors.
        base_url: where it is, scheme and path included.
        deadline: seconds that one call may take, retries and waiting for a free connection included.
        headers: sent with every call.
        secret: a query parameter that is sent with every call and shown nowhere.
    """

    def __init__(
        self,
        service: str,
        base_url: str,
        *,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        secret: tuple[str, str] | None = None,
    ) -> None:
        self.service = service
        self.deadline = deadline
        self._base_url = base_url.rstrip("/")
        connections = pooled_connections()
        self._client = httpx.AsyncClient(
            headers={"accept": "application/json", "user-agent": "movie-finder", **(headers or {})},
            timeout=httpx.Timeout(deadline, connect=CONNECT_TIMEOUT_SECONDS),
            transport=SecretParameter(*secret, connections) if secret else connections,
        )
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=BREAKER_FAILURES,
            reset_timeout=BREAKER_SECONDS,
            exclude=[_says_nothing_of_the_service],
            name=service,
            throw_new_error_on_trip=False,
            listeners=[BreakerGauge(service)],
        )

    async def get_json(self, path: str, **parameters: str) -> dict[str, Any]:
        """The JSON object at `path`.

        Raises:
            UpstreamError: there is none, for whatever reason.
        """
        try:
            with self._breaker.calling(), counted(self.service):
                return await self._within_deadline(path, parameters)
        except pybreaker.CircuitBreakerError:
            UPSTREAM_CALLS.labels(self.service, str(Reason.BREAKER_OPEN)).inc()
            raise UpstreamError(self.service, Reason.BREAKER_OPEN) from None
        except UpstreamError as error:
            log.warning("upstream call failed", service=self.service, reason=str(error.reason))
            raise

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _within_deadline(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self.deadline):
                async for attempt in AsyncRetrying(
                    stop=stop_after_attempt(ATTEMPTS),
                    wait=wait_random_exponential(multiplier=0.1, max=1),
                    retry=retry_if_exception(_is_passing),
                    before_sleep=self._count_retry,
                    reraise=True,
                ):
                    with attempt:
                        return await self._get(path, parameters)
        except TimeoutError:
            pass
        raise UpstreamError(self.service, Reason.TIMEOUT)

    def _count_retry(self, _: RetryCallState) -> None:
        UPSTREAM_RETRIES.labels(self.service).inc()

    async def _get(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        try:
            async with self._client.stream("GET", self._base_url + path, params=parameters) as response:
                body = await self._read(response)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, aiohttp.ClientError) as error:
            # httpx-aiohttp calls every connection that breaks off a ConnectTimeout; aiohttp's own error tells.
            reason = Reason.TIMEOUT if isinstance(error.__cause__, TimeoutError) else Reason.UNREACHABLE
        else:
            if response.status_code == httpx.codes.OK:
                return self._parse(body)
            reason = _reason(response.status_code, body)
        # Not in the handler: aiohttp's errors know the address with the key, and this one would lead to them.
        raise UpstreamError(self.service, reason)

    async def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise UpstreamError(self.service, Reason.GARBLED)
        return bytes(body)

    def _parse(self, body: bytes) -> dict[str, Any]:
        """The object in `body`, raw control characters and lone backslashes forgiven: OMDb sends such."""
        text = body.decode("utf-8", "replace")
        try:
            try:
                answer = json.loads(text, strict=False)
            except json.JSONDecodeError:
                answer = json.loads(_LONE_BACKSLASH.sub(lambda m: m[1] or r"\\", text), strict=False)
        except (ValueError, RecursionError):
            raise UpstreamError(self.service, Reason.GARBLED) from None
        if not isinstance(answer, dict):
            raise UpstreamError(self.service, Reason.GARBLED)
        return answer


def _says_nothing_of_the_service(error: BaseException) -> bool:
    """A caller that went away, or a question that the service does not like: others may still ask theirs."""
    return not isinstance(error, UpstreamError) or error.reason in {Reason.GARBLED, Reason.REFUSED}


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, UpstreamError) and error.reason.is_passing


def _reason(status: int, body: bytes) -> Reason:
    if status == httpx.codes.TOO_MANY_REQUESTS or (status == httpx.codes.UNAUTHORIZED and b"limit" in body.lower()):
        return Reason.LIMITED  # OMDb answers 401 for both; only its words tell a used-up key from a bad one
    if status in {401, 402, 403}:
        return Reason.REFUSED
    return Reason.UNAVAILABLE if status >= httpx.codes.INTERNAL_SERVER_ERROR else Reason.GARBLED
