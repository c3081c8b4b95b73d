"""Claude: what is sent, what is made of an answer, and how it fails; by the real SDK, and a server on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.request_record import recording
from app.upstream.claude import SERVICE, Claude
from app.upstream.errors import Reason
from app.upstream.suggestions import MAX_REASON_LENGTH, MIDDLE_SCORE, GarbledAnswerError, Suggestion, parse_suggestions
from tests.doubles.claude import (
    KEY,
    MODEL,
    ClaudeDouble,
    error,
    events,
    listed,
    message,
    stream,
    suggestion,
)
from tests.doubles.server import Reply
from tests.json_schema import Json
from tests.metrics_text import metric
from tests.upstream.conftest import failure, reason

ALIEN = suggestion("Alien", 1979, 95)
SOLARIS = suggestion("Solaris", 1972, 80, original_title="Солярис", reason="It is set in space.")


@pytest.fixture(scope="module")
async def double() -> AsyncIterator[ClaudeDouble]:
    async with ClaudeDouble() as double:
        yield double


@pytest.fixture(scope="module")
async def shared_client(double: ClaudeDouble) -> AsyncIterator[Claude]:
    client = Claude(double.url, KEY, MODEL)
    yield client
    await client.close()


@pytest.fixture
def claude(shared_client: Claude, double: ClaudeDouble) -> Claude:
    """A client whose server suggests two titles, until it is told otherwise."""
    double.forget()
    double.suggest(SOLARIS, ALIEN)
    double.stop_reason, double.replies, double.counting = "end_turn", [], None
    return shared_client


Ask = Callable[[Claude], Awaitable[list[Suggestion]]]


async def create(claude: Claude, within: float = 5) -> list[Suggestion]:
    return await claude.suggest("Find films.", "space", within=within)


async def streamed(claude: Claude, within: float = 5) -> list[Suggestion]:
    return await claude.suggest_streaming("Find films.", "space", lambda: None, within=within)


both = pytest.mark.parametrize("ask", [create, streamed])


@both
async def test_titles_come_best_first(claude: Claude, ask: Ask) -> None:
    assert await ask(claude) == [
        Suggestion(title="Alien", year=1979, kind="movie", score=95, reason="Alien fits."),
        Suggestion(
            title="Solaris",
            original_title="Солярис",
            year=1972,
            kind="movie",
            score=80,
            reason="It is set in space.",
        ),
    ]


@both
async def test_a_question_is_sent_as_the_api_takes_it(claude: Claude, double: ClaudeDouble, ask: Ask) -> None:
    await ask(claude)
    (call,) = double.calls
    assert (call.method, call.path) == ("POST", "/v1/messages")
    assert call.headers["authorization"] == f"Bearer {KEY}"
    (sent,) = double.asked_for
    assert (sent["model"], sent["system"]) == (MODEL, "Find films.")
    assert sent["messages"] == [{"role": "user", "content": "space"}]
    assert sent["output_config"]["format"]["type"] == "json_schema"
    assert not {"temperature", "top_p", "top_k", "output_format", "tools"} & set(sent)
    assert sent.get("stream", False) is (ask is streamed)


async def test_tokens_are_counted_of_the_text_alone(claude: Claude, double: ClaudeDouble) -> None:
    double.tokens = 1234
    assert await claude.count_tokens("space", within=5) == 1234
    assert double.counted == [{"model": MODEL, "messages": [{"role": "user", "content": "space"}]}]


FAILURES: dict[str, tuple[Reply, Reason]] = {
    "a bad request": (error(400), Reason.GARBLED),
    "a bad key": (error(401), Reason.REFUSED),
    "no money": (error(402), Reason.REFUSED),
    "no permission": (error(403), Reason.REFUSED),
    "no such model": (error(404), Reason.REFUSED),
    "too large": (error(413), Reason.GARBLED),
    "limited for a minute": (error(429, headers={"retry-after": "60"}), Reason.LIMITED),
    "limited": (error(429), Reason.LIMITED),
    "out of budget": (error(429, error_code="enforced_spend_limit_reached"), Reason.LIMITED),
    "a fault of theirs": (error(500), Reason.UNAVAILABLE),
    "a timeout of theirs": (error(504), Reason.UNAVAILABLE),
    "overloaded": (error(529), Reason.UNAVAILABLE),
    "a page of a proxy's": (Reply(b"<html>Bad gateway</html>", 502, "text/html"), Reason.UNAVAILABLE),
    "another page": (Reply(b"<html>Hello</html>", 200, "text/html"), Reason.GARBLED),
    "no JSON": (Reply(b'{"id": '), Reason.GARBLED),
    "no object": (Reply(b"[1]"), Reason.GARBLED),
    "null": (Reply(b"null"), Reason.GARBLED),
    "another object": (Reply(b'{"content": 7, "stop_reason": "end_turn"}'), Reason.GARBLED),
    "a closed connection": (Reply(drop=True), Reason.UNREACHABLE),
    "half an answer": (Reply(json.dumps(message(listed(ALIEN))).encode(), cut=True), Reason.UNREACHABLE),
    "no HTTP": (Reply(raw=b"what?\r\n\r\n"), Reason.UNREACHABLE),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_failure_has_a_reason(claude: Claude, double: ClaudeDouble, name: str) -> None:
    reply, why = FAILURES[name]
    double.replies = [reply] * 2
    assert await reason(create(claude)) is why
    # Only what passes soon is asked for again, and once.
    assert len(double.calls) == (2 if why.is_passing else 1)


@pytest.mark.parametrize("name", FAILURES)
async def test_so_it_has_when_tokens_are_counted(claude: Claude, double: ClaudeDouble, name: str) -> None:
    double.counting, why = FAILURES[name]
    assert await reason(claude.count_tokens("space", within=5)) is why


@pytest.mark.parametrize("name", [name for name in FAILURES if "answer" not in name and "JSON" not in name])
async def test_so_it_has_before_a_stream(claude: Claude, double: ClaudeDouble, name: str) -> None:
    reply, why = FAILURES[name]
    double.replies = [reply] * 2
    assert await reason(streamed(claude)) is why


@both
async def test_what_passes_soon_is_asked_for_again(claude: Claude, double: ClaudeDouble, ask: Ask) -> None:
    double.replies = [error(529)]
    assert len(await ask(claude)) == 2
    assert len(double.calls) == 2


async def test_calls_are_counted_by_their_end_and_with_their_retries(claude: Claude, double: ClaudeDouble) -> None:
    ends = ("answered", "declined")

    def counts() -> list[float]:
        calls = [metric("upstream_calls_total", service=SERVICE, outcome=end) for end in ends]
        return [*calls, metric("upstream_retries_total", service=SERVICE)]

    before = counts()
    double.replies = [error(529)]
    with recording() as record:
        await create(claude)
        await claude.count_tokens("space", within=5)
        double.stop_reason = "refusal"
        await failure(streamed(claude))
    assert [after - earlier for after, earlier in zip(counts(), before, strict=True)] == [2, 1, 1]
    assert record.upstream_calls == 3


ANSWERS: dict[str, tuple[dict[str, Any], Reason]] = {
    "a refusal": (message("I can't help with that.", stop_reason="refusal"), Reason.DECLINED),
    "a refusal in silence": (message(stop_reason="refusal"), Reason.DECLINED),
    "cut off": (message(listed(ALIEN)[:60], stop_reason="max_tokens"), Reason.GARBLED),
    "cut off behind the list": (message(listed(ALIEN), stop_reason="max_tokens"), Reason.GARBLED),
    "too long a context": (message(listed(ALIEN), stop_reason="model_context_window_exceeded"), Reason.GARBLED),
    "a pause": (message(listed(ALIEN), stop_reason="pause_turn"), Reason.GARBLED),
    "a tool": (message(listed(ALIEN), stop_reason="tool_use"), Reason.GARBLED),
    "no end": (message(listed(ALIEN), stop_reason=None), Reason.GARBLED),
    "no text": (message(thinking=True), Reason.GARBLED),
    "prose": (message("Try Alien."), Reason.GARBLED),
    "half the JSON": (message(listed(ALIEN)[:-5]), Reason.GARBLED),
    "JSON of another kind": (message('{"films": []}'), Reason.GARBLED),
    "no list": (message('{"movies": "Alien"}'), Reason.GARBLED),
    "nothing with a title": (message(listed({"name": "Alien"}, 7, None, suggestion(""))), Reason.GARBLED),
    "deep JSON": (message('{"movies":' + "[" * 100_000), Reason.GARBLED),
}


@both
@pytest.mark.parametrize("name", ANSWERS)
async def test_no_list_of_titles_is_no_answer(claude: Claude, double: ClaudeDouble, name: str, ask: Ask) -> None:
    whole, why = ANSWERS[name]
    double.replies = [stream(events(whole)) if ask is streamed else Reply(json.dumps(whole).encode())]
    assert await reason(ask(claude)) is why
    assert len(double.calls) == 1


def faulty(kind: str) -> tuple[str, dict[str, Any]]:
    return "error", {"error": {"type": kind, "message": "…", "details": None}}


BEGINNING = events(message(listed(ALIEN)))[:4]
STREAMS: dict[str, tuple[Reply, Reason]] = {
    "nothing": (stream([]), Reason.GARBLED),
    "no beginning": (stream(BEGINNING[1:]), Reason.GARBLED),
    "no end": (stream(BEGINNING), Reason.GARBLED),
    "an overload": (stream([*BEGINNING, faulty("overloaded_error")]), Reason.UNAVAILABLE),
    "a fault": (stream([*BEGINNING, faulty("api_error")]), Reason.UNAVAILABLE),
    "a limit": (stream([*BEGINNING, faulty("rate_limit_error")]), Reason.LIMITED),
    "another fault": (stream([*BEGINNING, faulty("unheard_of")]), Reason.GARBLED),
    "no JSON": (Reply(b"event: message_start\ndata: {\n\n", content_type="text/event-stream"), Reason.GARBLED),
    "no UTF-8": (Reply(b"event: message_start\ndata: \xff\n\n", content_type="text/event-stream"), Reason.GARBLED),
    "a broken connection": (stream(BEGINNING, cut=True), Reason.UNREACHABLE),
    "out of order": (stream([BEGINNING[0], BEGINNING[3]]), Reason.GARBLED),
}


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_that_breaks_off_is_no_answer(claude: Claude, double: ClaudeDouble, name: str) -> None:
    reply, why = STREAMS[name]
    double.replies = [reply] * 2
    assert await reason(streamed(claude)) is why


async def test_an_answer_that_has_begun_is_not_asked_for_again(claude: Claude, double: ClaudeDouble) -> None:
    double.replies = [stream([*BEGINNING, faulty("overloaded_error")])]
    assert await reason(streamed(claude)) is Reason.UNAVAILABLE
    assert len(double.calls) == 1


@both
async def test_it_ends_in_time_however_slow_the_answer(
    claude: Claude, double: ClaudeDouble, ask: Callable[..., Awaitable[object]]
) -> None:
    double.replies = [Reply(b"{" * 4000, content_type="text/event-stream", drip=0.01)]
    assert await reason(ask(claude, within=0.3)) is Reason.TIMEOUT
    double.replies = [Reply(hang=True)]
    assert await reason(ask(claude, within=0.3)) is Reason.TIMEOUT
    assert await reason(ask(claude, within=-1)) is Reason.TIMEOUT


@both
async def test_a_long_retry_after_is_not_waited_for(
    claude: Claude, double: ClaudeDouble, ask: Callable[..., Awaitable[object]]
) -> None:
    double.replies = [error(429, headers={"retry-after": "60", "x-should-retry": "true"})]
    async with asyncio.timeout(5):
        assert await reason(ask(claude, within=50)) is Reason.LIMITED


async def test_a_service_that_is_not_there_is_unreachable() -> None:
    for url in ("http://127.0.0.1:1", "no address"):
        client = Claude(url, KEY, MODEL)
        assert await reason(create(client)) is Reason.UNREACHABLE
        await client.close()


async def test_it_is_told_once_when_claude_begins_to_answer(claude: Claude, double: ClaudeDouble) -> None:
    times = []
    await claude.suggest_streaming("", "space", lambda: times.append(1), within=5)
    assert times == [1]
    started = events(double.message)[:3]
    assert started[-1][0] == "content_block_start"
    double.replies = [stream(started, stall=True)]
    asked = asyncio.create_task(claude.suggest_streaming("", "space", lambda: times.append(2), within=5))
    await double.asked(2)
    await asyncio.sleep(0.1)
    asked.cancel()
    await double.was_left()
    assert times == [1]


async def test_who_is_cancelled_closes_the_connection(claude: Claude, double: ClaudeDouble) -> None:
    begun = asyncio.Event()
    double.replies = [stream(BEGINNING, stall=True)]
    asked = asyncio.create_task(claude.suggest_streaming("", "space", begun.set, within=60))
    await begun.wait()
    asked.cancel()
    await asyncio.wait_for(double.was_left(), 5)
    with pytest.raises(asyncio.CancelledError):
        await asked


@both
async def test_neither_the_key_nor_the_question_is_logged(
    claude: Claude, double: ClaudeDouble, ask: Ask, logged: list[str]
) -> None:
    await ask(claude)
    double.replies = [error(401)]
    fault = await failure(ask(claude))
    assert fault.service == SERVICE
    assert fault.__cause__ is None
    lines = [line for line in logged if not line.startswith("anthropic")]  # whose level the application holds down
    assert not [line for line in logged if KEY in line]
    assert not [line for line in lines if "space" in line]
    assert any("refused" in line for line in lines)


SAID = {
    "prose around it": (f"Here you are:\n{listed(ALIEN)}\nEnjoy {{them}}!", ["Alien"]),
    "a code block": (f"```json\n{listed(ALIEN)}\n```", ["Alien"]),
    "raw control characters": (listed(ALIEN).replace("fits", "fi\nts"), ["Alien"]),
    "an empty list": (listed(), []),
    "the same twice": (listed(ALIEN, suggestion("ALIEN", 1979, 99), suggestion("Alien", 1980)), ["ALIEN", "Alien"]),
    "what is no title in between": (listed(7, ALIEN, {"title": None}, suggestion("x" * 600)), ["Alien"]),
    "no characters": (listed(suggestion("Al\x00ien\ud800", 1979)), ["Alien"]),
    "fifty": (listed(*(suggestion(f"Film {n}", score=n) for n in range(50))), [f"Film {49 - n}" for n in range(10)]),
}


@pytest.mark.parametrize("name", SAID)
def test_an_answer_is_read_for_what_is_good_in_it(name: str) -> None:
    said, titles = SAID[name]
    assert [found.title for found in parse_suggestions(said, 10)] == titles


@pytest.mark.parametrize(
    ("sent", "year"),
    [
        (1979, 1979), ("1979", 1979), ("1979–1986", 1979), (1979.0, 1979), ("c. 1979", 1979),  # noqa: RUF001
        (None, None), (79, None), (9999, None), (1400, None), (True, None), ([1979], None), ("soon", None),
    ],
)  # fmt: skip
def test_a_year_is_a_year_however_it_is_written(sent: Json, year: int | None) -> None:
    (found,) = parse_suggestions(listed(suggestion("Alien", sent)), 10)
    assert found.year == year


@pytest.mark.parametrize(
    ("sent", "score"),
    [
        (-5, 0), (400, 100), ("87", 87), (87.6, 88), (1e999, 100), (-1e999, 0), (float("nan"), MIDDLE_SCORE),
        (None, MIDDLE_SCORE), ("high", MIDDLE_SCORE), ([90], MIDDLE_SCORE), (10**400, MIDDLE_SCORE),
    ],
)  # fmt: skip
def test_a_score_is_from_0_to_100(sent: Json, score: int) -> None:
    (found,) = parse_suggestions(listed(suggestion("Alien", 1979, sent)), 10)
    assert found.score == score


def test_other_members_may_be_anything() -> None:
    (found,) = parse_suggestions(
        listed(suggestion("Alien", kind="game", reason=7, original_title="y" * 600, more=[])), 10
    )
    assert found == Suggestion(title="Alien", score=90)
    (found,) = parse_suggestions(listed(suggestion("Alien", kind="series", reason="z" * 2000)), 10)
    assert (found.kind, found.reason) == ("series", "z" * MAX_REASON_LENGTH)


def test_a_number_of_too_many_digits_is_no_answer() -> None:
    with pytest.raises(GarbledAnswerError):
        parse_suggestions('{"movies": [' + "1" * 10_000 + "]}", 10)


MEMBERS = ("title", "original_title", "year", "kind", "match_score", "reason")
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["1979", "1e999"])
)
LISTS = st.lists(st.dictionaries(st.sampled_from(MEMBERS), VALUES) | VALUES, max_size=6)


@settings(deadline=None, max_examples=200)
@given(
    st.text(max_size=30)
    | st.builds(
        "{}{}{}".format, st.text(max_size=5), LISTS.map(lambda m: json.dumps({"movies": m})), st.text(max_size=5)
    ),
    st.integers(0, 4),
)
def test_whatever_claude_says_is_a_list_of_titles_or_no_answer(text: str, most: int) -> None:
    try:
        found = parse_suggestions(text, most)
    except GarbledAnswerError:
        return
    assert len(found) <= most
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        assert 0 <= one.score <= 100
        assert one.title == one.title.strip() != ""
        (one.title + (one.original_title or "") + (one.reason or "")).encode()
        assert one.year is None or 1874 <= one.year <= 2100
