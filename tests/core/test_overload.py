"""More requests than can be answered."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from app.core.overload import CALM_SECONDS, MOST_READS, MOST_READS_IN_OVERLOAD, Gate, Overload, refuse
from tests.conftest import Start
from tests.log_lines import log_lines
from tests.metrics_text import metric
from tests.problem_documents import problem


class Slow:
    """Answers once it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.entered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.entered += 1
        await self.go.wait()
        if Request(scope).url.path == "/broken":
            raise RuntimeError
        await PlainTextResponse("done")(scope, receive, send)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def client(slow: Slow) -> httpx.AsyncClient:
    app = Overload(slow, refusal=refuse, exempt=["/health/live", "/metrics"], gate=Gate(most_reads=3, most_others=2))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def entered(slow: Slow, number: int, asked: Sequence[asyncio.Task[httpx.Response]] = ()) -> None:
    """Wait until so many are under way, those included of the ones asked for that were refused."""
    while slow.entered + sum(request.done() for request in asked) < number:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def test_what_is_too_much_is_refused_at_once_and_the_others_are_answered(
    client: httpx.AsyncClient, slow: Slow
) -> None:
    served = [asyncio.create_task(client.get("/")) for _ in range(3)]
    await entered(slow, 3)
    refused = await client.get("/")
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["Retry-After"] == "1"
    slow.go.set()
    assert [answer.status_code for answer in await asyncio.gather(*served)] == [200] * 3
    assert (await client.get("/")).status_code == 200


async def test_from_a_refusal_until_none_is_needed_fewer_are_taken(slow: Slow) -> None:
    app = Overload(slow, refusal=refuse, exempt=[], gate=Gate())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:

        async def served_at_once(number: int) -> int:
            slow.go.clear()
            slow.entered, asked = 0, [asyncio.create_task(client.get("/")) for _ in range(number)]
            await entered(slow, number, asked)
            slow.go.set()
            return Counter(answer.status_code for answer in await asyncio.gather(*asked))[200]

        assert await served_at_once(MOST_READS) == MOST_READS
        assert await served_at_once(MOST_READS + 1) == MOST_READS
        assert await served_at_once(MOST_READS) == MOST_READS_IN_OVERLOAD
        await asyncio.sleep(1.1 * CALM_SECONDS)
        assert await served_at_once(MOST_READS) == MOST_READS


async def test_reads_go_on_while_all_else_waits(client: httpx.AsyncClient, slow: Slow) -> None:
    waiting = [asyncio.create_task(client.post("/")) for _ in range(2)]
    await entered(slow, 2)
    assert (await client.post("/")).status_code == 503
    reading = asyncio.create_task(client.get("/"))
    await entered(slow, 3)
    slow.go.set()
    assert (await reading).status_code == 200
    assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200] * 2


@pytest.mark.parametrize("path", ["/health/live", "/metrics"])
async def test_a_busy_process_is_alive_and_gives_its_figures(client: httpx.AsyncClient, slow: Slow, path: str) -> None:
    busy = [asyncio.create_task(client.get("/")) for _ in range(3)]
    await entered(slow, 3)
    alive = asyncio.create_task(client.get(path))
    await entered(slow, 4)
    slow.go.set()
    assert (await alive).status_code == 200
    await asyncio.gather(*busy)


async def test_a_request_that_breaks_or_goes_away_leaves_its_place(client: httpx.AsyncClient, slow: Slow) -> None:
    gone = [asyncio.create_task(client.get("/")) for _ in range(2)]
    await entered(slow, 2)
    for request in gone:
        request.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    slow.go.set()
    assert (await client.get("/broken")).status_code == 500
    answers = await asyncio.gather(*(client.get("/") for _ in range(3)))
    assert Counter(answer.status_code for answer in answers) == {200: 3}


async def test_the_application_refuses_in_the_words_of_every_other_error_and_tells_once_a_second(
    start: Start,
) -> None:
    before = metric("requests_refused_total")
    origin = {"Origin": "https://front.example", "X-Request-ID": "mine"}
    async with start(cors_allowed_origins=[origin["Origin"]]) as client:
        with log_lines() as lines:
            answers = await asyncio.gather(*(client.get("/movies/", headers=origin) for _ in range(200)))
    refused = [answer for answer in answers if answer.status_code != 200 and answer.json()["code"] == "overloaded"]
    assert len(refused) == 200 - MOST_READS
    problem(refused[0], 503, "overloaded")
    assert refused[0].headers["X-Content-Type-Options"] == "nosniff"
    assert refused[0].headers["X-Request-ID"] == "mine"
    assert refused[0].headers["Access-Control-Allow-Origin"] == "https://front.example"
    assert "Retry-After" in refused[0].headers["Access-Control-Expose-Headers"]
    assert metric("requests_refused_total") == before + len(refused)
    assert len([line for line in lines if line["event"].startswith("requests are refused")]) == 1
    assert len([line for line in lines if line["event"] == "request"]) == MOST_READS
