"""AI searches over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.ai.events import Event, Finished, Match, Progress
from app.ai.problems import AiNotConfigured, AiSearchLimitReached, AiUnavailable
from app.ai.quota_headers import DOCUMENTED_HEADERS
from app.ai.schemas import AiSearchRequest, SearchDone, SearchStatus, SuggestedMovie
from app.ai.search import AiSearch
from app.ai.throttles import count_ai_search
from app.auth.caller import RequiredCaller
from app.auth.problems import InvalidToken, Unauthorized
from app.core import throttling
from app.core.database_errors import DatabaseUnavailable, QueryTooSlow, WriteConflict
from app.core.fingerprint import UserAgentRequired
from app.core.problems import (
    BodyTooLarge,
    FieldError,
    InvalidInput,
    Problem,
    UnsupportedMediaType,
    problem_document,
    responses,
)
from app.core.throttling import Throttled

SEARCH, STREAM = "/movies/ai/search/", "/movies/ai/search/stream/"
BLANK = FieldError(field="expression", message="Say what to search for", code="blank")

router = APIRouter(tags=["ai"])
log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A search that may be made."""

    user_id: int
    words: str


async def ai_search(request: Request) -> AiSearch:
    """The application's AI search."""
    search: AiSearch = request.state.ai_search
    return search


Search = Annotated[AiSearch, Depends(ai_search)]


async def admit(
    request: Request, response: Response, body: AiSearchRequest, caller: RequiredCaller, search: Search
) -> Admitted:
    """A search whose input is good, and whose caller may search: only such a one is counted."""
    await search.admit(caller.id)
    await count_ai_search(request, response, caller)
    return Admitted(caller.id, body.expression)


Admission = Annotated[Admitted, Depends(admit)]
REFUSALS = responses(
    InvalidInput,
    UnsupportedMediaType,
    BodyTooLarge,
    UserAgentRequired,
    Unauthorized,
    InvalidToken,
    Throttled,
    AiSearchLimitReached,
    DatabaseUnavailable,
    QueryTooSlow,
    WriteConflict,
    fault=BLANK,
)
HEADERS: dict[str, Any] = {**DOCUMENTED_HEADERS, **throttling.DOCUMENTED_HEADERS}
# As OpenAPI 3.2 describes a stream, by its events; FastAPI has the rest of them.
EVENT: dict[str, Any] = {
    "required": ["event", "data"],
    "properties": {
        "event": {"type": "string", "enum": ["status", "movie", "done", "error"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
EVENTS = """\
event: status
data: {"phase": "thinking", "done": 0, "of": 0}

event: status
data: {"phase": "resolving", "done": 0, "of": 1}

event: movie
data: {"id": 1, "imdb_id": "tt1375666", "title": "Inception", "match_score": 97, "match_reason": "A heist in dreams."}

event: status
data: {"phase": "resolving", "done": 1, "of": 1}

event: done
data: {"count": 1, "source": "claude"}

"""


@router.post(
    SEARCH,
    operation_id="searchWithAi",
    summary="Search in your own words",
    responses=REFUSALS
    | {
        200: {
            "headers": {"X-Search-Source": {"schema": {"type": "string", "enum": ["claude", "catalogue"]}}, **HEADERS}
        },
        503: responses(AiUnavailable, AiNotConfigured, DatabaseUnavailable, QueryTooSlow, WriteConflict)[503],
    },
)
async def search_with_ai(search: Search, admitted: Admission, response: Response) -> list[SuggestedMovie]:
    """Up to ten movies for what you describe, in any language, best first, each with its score and the reason for it.

    Claude suggests titles; where it cannot, the stored movies are searched by the words, and the search costs nothing.
    `X-Search-Source` says which. An answer of Claude's costs one of the day's searches of your tier, which
    `X-AI-Quota-*` tell on every answer. A text that is very long in tokens finds nothing, and costs nothing.

    Searches are counted by the day as well, by User-Agent and address together and by address, unless the tier is
    exempt. So the third search of a day on the free tier needs a second browser.
    """
    found = await search.search(admitted.user_id, admitted.words)
    response.headers["X-Search-Source"] = found.source
    return [SuggestedMovie.of(match) for match in found.matches]


@router.post(
    STREAM,
    operation_id="streamSearchWithAi",
    summary="Search in your own words, and see it come",
    response_class=EventSourceResponse,
    responses=REFUSALS
    | {
        200: {
            "description": "Server-sent events, until `done` or `error`.",
            "headers": HEADERS,
            "content": {"text/event-stream": {"itemSchema": EVENT, "example": EVENTS}},
        },
    },
)
async def stream_search_with_ai(
    request: Request, search: Search, admitted: Admission
) -> AsyncIterator[ServerSentEvent]:
    """The same search as server-sent events. Its quota and its throttles are the same.

    - `status`: `{"phase": "thinking" | "resolving", "done": n, "of": m}`; of m suggested titles, n were looked for.
    - `movie`: a movie, as the other operation has it, as soon as it is known; in any order.
    - `done`: `{"count": n, "source": "claude" | "catalogue"}`, the last event.
    - `error`: a problem document; the last event too.

    Comments in between keep the connection open. Go away, and the search stops; before Claude has begun to answer, it
    costs nothing.
    """
    try:
        async for event in search.events(admitted.user_id, admitted.words):
            yield _shown(event)
    except Problem as problem:
        yield ServerSentEvent(event="error", data=problem_document(request, problem))
    except Exception:
        log.exception("search failed")
        yield ServerSentEvent(event="error", data=problem_document(request, Problem()))


def _shown(event: Event) -> ServerSentEvent:
    match event:
        case Progress():
            status = SearchStatus(phase=event.phase, done=event.done, of=event.of)
            return ServerSentEvent(event="status", data=status)
        case Match():
            return ServerSentEvent(event="movie", data=SuggestedMovie.of(event))
        case Finished():
            return ServerSentEvent(event="done", data=SearchDone(count=event.count, source=event.source))
