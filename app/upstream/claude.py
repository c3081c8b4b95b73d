"""Claude (https://platform.claude.com/docs/en/api/messages): suggests titles, as a list of them.

On Anthropic's SDK, told not to wait for ten minutes and not to try again by itself: it would sleep for as long as a
`retry-after` says. Its `messages.parse` is left alone: it fails on a refusal without telling that it was one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx2
import structlog
from anthropic import AnthropicError, APIConnectionError, APIStatusError, AsyncAnthropic
from anthropic.types import Message
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random

from app.core.metrics import UPSTREAM_RETRIES
from app.upstream.calls import counted
from app.upstream.errors import Reason, UpstreamError
from app.upstream.suggestions import SCHEMA, GarbledAnswerError, Suggestion, parse_suggestions

SERVICE = "claude"
MOST_SUGGESTIONS = 10
# A list of ten takes about a thousand; the rest is for what Claude thinks before.
MAX_TOKENS = 6000
# The whole has a deadline; by itself only a connection that does not come about is given up.
TIMEOUT = httpx2.Timeout(None, connect=4.0)
# An overload passes, and a person waits: once more, and soon.
ATTEMPTS = 2
RETRY_WAIT_SECONDS = (0.1, 0.5)
FINISHED = {"end_turn", "stop_sequence"}
# What the SDK and its HTTP client let out where an answer is not what it should be: neither checks all of its types.
GARBLED = (ValueError, TypeError, LookupError, AttributeError, AssertionError, RuntimeError)
# https://platform.claude.com/docs/en/api/errors; once a stream has begun, its status is 200 whatever comes.
REASONS: dict[int | str | None, Reason] = {
    401: Reason.REFUSED,
    402: Reason.REFUSED,
    403: Reason.REFUSED,
    404: Reason.REFUSED,  # there is no such model
    429: Reason.LIMITED,
    "rate_limit_error": Reason.LIMITED,
    "api_error": Reason.UNAVAILABLE,
    "overloaded_error": Reason.UNAVAILABLE,
}

log = structlog.stdlib.get_logger(__name__)
T = TypeVar("T")


class Claude:
    """A client for Claude.

    Args:
        url: where it is.
        key: the API key.
        model: one that knows structured outputs and effort.
    """

    name = SERVICE

    def __init__(self, url: str, key: str, model: str) -> None:
        self._client = AsyncAnthropic(api_key=key, base_url=url, max_retries=0)
        self._messages = self._client.messages
        self._model = model

    async def count_tokens(self, text: str, *, within: float) -> int:
        """How many tokens a text is.

        Args:
            text: what is counted.
            within: seconds that it may take.

        Raises:
            UpstreamError: Anthropic gave no answer, or none that makes sense.
        """

        async def count() -> int:
            question: dict[str, Any] = {"model": self._model, "messages": [{"role": "user", "content": text}]}
            answer = await self._messages.count_tokens(**question, timeout=TIMEOUT)
            return int(answer.input_tokens)

        return await _answer(count, within)

    async def suggest(
        self, system: str, prompt: str, *, within: float, most: int = MOST_SUGGESTIONS
    ) -> list[Suggestion]:
        """Titles for a prompt, best first; an empty list where none fits.

        Args:
            system: what Claude is told to do with it.
            prompt: what they are for.
            within: seconds that it may take.
            most: so many at the most.

        Raises:
            UpstreamError: Anthropic gave no answer, only a part of one or none that is a list, or Claude declined.
        """

        async def create() -> list[Suggestion]:
            question = self._question(system, prompt)
            return _suggestions(await self._messages.create(**question, timeout=TIMEOUT), most)

        return await _answer(create, within)

    async def suggest_streaming(
        self, system: str, prompt: str, begun: Callable[[], None], *, within: float, most: int = MOST_SUGGESTIONS
    ) -> list[Suggestion]:
        """The same, and `begun` is called as soon as Claude begins to answer.

        Where the caller is cancelled, the connection is closed, and Claude stops.

        Raises:
            UpstreamError: as `suggest` does.
        """
        has_begun = False

        async def stream() -> list[Suggestion]:
            nonlocal has_begun
            question = self._question(system, prompt)
            async with self._messages.stream(**question, timeout=TIMEOUT) as events:
                async for event in events:
                    if event.type == "content_block_delta" and not has_begun:
                        has_begun = True
                        begun()
                return _suggestions(await events.get_final_message(), most)

        return await _answer(stream, within, worth_another=lambda: not has_begun)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _question(self, system: str, prompt: str) -> dict[str, Any]:
        return {
            "model": self._model,
            "max_tokens": MAX_TOKENS,
            "system": system,
            "messages": [{"role": "user", "content": prompt}],
            # Somebody waits, and what Claude knows of films needs no long thought.
            "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        }


async def _answer(
    ask: Callable[[], Awaitable[T]], within: float, worth_another: Callable[[], bool] = lambda: True
) -> T:
    """What `ask` returns, asked once more where that can help.

    Raises:
        UpstreamError: there is no answer, for whatever reason.
    """
    try:
        with counted(SERVICE):
            return await _answer_in_time(ask, within, worth_another)
    except UpstreamError as error:
        log.warning("upstream call failed", service=SERVICE, reason=str(error.reason))
        raise


async def _answer_in_time(ask: Callable[[], Awaitable[T]], within: float, worth_another: Callable[[], bool]) -> T:
    def is_passing(error: BaseException) -> bool:
        return isinstance(error, UpstreamError) and error.reason.is_passing and worth_another()

    try:
        async with asyncio.timeout(within):
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(ATTEMPTS),
                wait=wait_random(*RETRY_WAIT_SECONDS),
                retry=retry_if_exception(is_passing),
                before_sleep=lambda _: UPSTREAM_RETRIES.labels(SERVICE).inc(),
                reraise=True,
            ):
                with attempt, _naming_errors():
                    return await ask()
    except TimeoutError:
        pass
    raise UpstreamError(SERVICE, Reason.TIMEOUT)


@contextmanager
def _naming_errors() -> Iterator[None]:
    try:
        yield
    except UpstreamError:
        raise
    except (AnthropicError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, *GARBLED) as error:
        raise UpstreamError(SERVICE, _reason(error)) from None


def _reason(error: Exception) -> Reason:
    match error:
        case APIConnectionError() | httpx2.TransportError():
            return Reason.UNREACHABLE
        case APIStatusError(status_code=status) if status >= httpx2.codes.INTERNAL_SERVER_ERROR:
            return Reason.UNAVAILABLE
        case APIStatusError(status_code=status, type=kind):
            return REASONS.get(status) or REASONS.get(kind) or Reason.GARBLED
    return Reason.GARBLED


def _suggestions(message: Message, most: int) -> list[Suggestion]:
    """The titles in a whole answer.

    Raises:
        UpstreamError: Claude declined, or was cut off.
        GarbledAnswerError: it is no list of titles.
    """
    if message.stop_reason == "refusal":
        raise UpstreamError(SERVICE, Reason.DECLINED)
    if message.stop_reason not in FINISHED:
        raise UpstreamError(SERVICE, Reason.GARBLED)
    texts = [block.text for block in message.content if block.type == "text"]
    if not texts:
        raise GarbledAnswerError
    return parse_suggestions(texts[0], most)
