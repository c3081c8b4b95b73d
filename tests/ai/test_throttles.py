"""How often anybody may search: by title, and with Claude."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import URL

from app.settings import Settings
from tests.accounts import Service, opened
from tests.ai.conftest import Quota, Searcher, asking
from tests.conftest import SECRET_KEY
from tests.doubles.claude import ClaudeDouble
from tests.doubles.omdb import OmdbDouble
from tests.movies.people import person
from tests.sample_application import connecting_from

FIREFOX, CHROME, SAFARI, CURL = "Firefox/1", "Chrome/1", "Safari/1", "curl/8"


@pytest.fixture
async def service(ai_url: URL, claude_double: ClaudeDouble, omdb_double: OmdbDouble) -> AsyncIterator[Service]:
    """A service with the limits as they are unless they are set, and nothing counted yet."""
    settings = Settings(_env_file=None, secret_key=SECRET_KEY)
    limits = {name: getattr(settings, name) for name in Settings.model_fields if name.startswith("throttle_")}
    async with opened(ai_url, **{**asking(claude_double, omdb_double), **limits}) as service:
        yield service


@pytest.fixture
async def throttled(searcher: Searcher, service: Service) -> Searcher:
    """Somebody of the free tier on that service."""
    return Searcher(await person(service, "throttled@example.com"), searcher.claude, searcher.omdb)


async def statuses(searcher: Searcher, *agents: str) -> list[int]:
    return [(await searcher.search(**{"User-Agent": agent})).status_code for agent in agents]


async def test_the_third_search_of_a_browser_is_refused(throttled: Searcher) -> None:
    first = await throttled.search(**{"User-Agent": FIREFOX})
    assert (first.status_code, first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == (
        200,
        "2",
        "1",
    )
    await throttled.search(**{"User-Agent": FIREFOX})
    asked = len(throttled.claude.calls)
    refused = await throttled.search(**{"User-Agent": FIREFOX})
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert (refused.headers["X-RateLimit-Limit"], refused.headers["X-RateLimit-Remaining"]) == ("2", "0")
    assert int(refused.headers["Retry-After"]) > 86_000
    assert Quota.told(refused) == Quota(3, 1)
    assert len(throttled.claude.calls) == asked


async def test_the_free_tiers_third_search_needs_a_second_browser(throttled: Searcher) -> None:
    assert await statuses(throttled, FIREFOX, FIREFOX, CHROME) == [200, 200, 200]
    spent = await throttled.search(**{"User-Agent": CHROME})
    assert spent.json()["code"] == "ai_search_limit_reached"
    assert Quota.told(spent) == Quota(3, 0)


async def test_an_address_has_six_whoever_asks(throttled: Searcher) -> None:
    others = [await person(throttled.service, f"{n}@example.com") for n in range(3)]
    crowd = [Searcher(other, throttled.claude, throttled.omdb) for other in (throttled.person, *others)]
    agents = [FIREFOX, CHROME, SAFARI, CURL]
    found = [await statuses(one, agent, agent) for one, agent in zip(crowd, agents, strict=True)]
    assert found == [[200, 200], [200, 200], [200, 200], [429, 429]]
    elsewhere = connecting_from(throttled.service.client, "192.0.2.7")
    answer = await elsewhere.post(
        "/movies/ai/search/",
        json={"expression": "space"},
        headers={"Authorization": f"Bearer {crowd[-1].person.access}", "User-Agent": CURL},
    )
    assert answer.status_code == 200


async def test_the_stream_is_counted_with_the_other(throttled: Searcher) -> None:
    headers = {"Authorization": f"Bearer {throttled.person.access}", "User-Agent": FIREFOX}
    client = throttled.service.client
    for status in (200, 200, 429):
        answer = await client.post("/movies/ai/search/stream/", json={"expression": "space"}, headers=headers)
        assert answer.status_code == status
        assert "X-RateLimit-Remaining" in answer.headers
    assert await statuses(throttled, FIREFOX) == [429]


async def test_a_refused_search_counts_for_nothing(throttled: Searcher) -> None:
    headers = {"Authorization": f"Bearer {throttled.person.access}", "User-Agent": FIREFOX}
    client = throttled.service.client
    for _ in range(7):
        assert (await client.post("/movies/ai/search/", json={"expression": ""}, headers=headers)).status_code == 422
        assert (await client.post("/movies/ai/search/", json={"expression": "space"})).status_code == 401
    assert await statuses(throttled, "", FIREFOX, FIREFOX, FIREFOX) == [400, 200, 200, 429]
    assert (await throttled.search(**{"User-Agent": ""})).json()["code"] == "user_agent_required"


async def test_a_spent_quota_counts_for_nothing(throttled: Searcher) -> None:
    await throttled.service.execute(
        "INSERT INTO ai_usage VALUES (:user, (now() AT TIME ZONE 'UTC')::date, 3)", user=throttled.person.id
    )
    assert await statuses(throttled, *[FIREFOX] * 7) == [429] * 7
    await throttled.service.execute("DELETE FROM ai_usage")
    assert await statuses(throttled, FIREFOX, FIREFOX) == [200, 200]


async def test_an_exempt_tier_uses_up_its_quota(throttled: Searcher) -> None:
    await throttled.service.execute(
        "UPDATE users SET account_tier_id = (SELECT id FROM account_tiers WHERE code = 'premium') WHERE id = :user",
        user=throttled.person.id,
    )
    assert await statuses(throttled, *[FIREFOX] * 8) == [200] * 8
    assert await statuses(throttled, "") == [400]


async def search(client: httpx.AsyncClient, agent: str, expression: str = "alien") -> httpx.Response:
    return await client.post("/movies/search/", json={"expression": expression}, headers={"User-Agent": agent})


async def test_of_fifty_searches_by_title_at_once_ten_get_through(service: Service) -> None:
    answers = await asyncio.gather(*(search(service.client, FIREFOX) for _ in range(50)))
    found = [answer.status_code for answer in answers]
    assert (found.count(200), found.count(429)) == (10, 40)
    left = sorted(int(answer.headers["X-RateLimit-Remaining"]) for answer in answers if answer.status_code == 200)
    assert left == list(range(10))
    found = [(await search(service.client, CHROME)).status_code for _ in range(11)]
    assert found == [200] * 10 + [429]
    assert (await search(service.client, SAFARI)).json()["code"] == "throttled"  # twenty for an address
    assert (await search(connecting_from(service.client, "192.0.2.7"), FIREFOX)).status_code == 200
    assert (await service.client.get("/movies/")).status_code == 200


async def test_a_search_by_title_that_is_refused_counts_for_nothing(service: Service) -> None:
    for _ in range(12):
        assert (await search(service.client, FIREFOX, " ")).status_code == 422
    refused = await search(service.client, "")
    assert (refused.status_code, refused.json()["code"]) == (400, "user_agent_required")
    bad = {"Authorization": "Bearer x", "User-Agent": FIREFOX}
    for _ in range(12):
        answer = await service.client.post("/movies/search/", json={"expression": "alien"}, headers=bad)
        assert answer.status_code == 401
    assert (await search(service.client, FIREFOX)).headers["X-RateLimit-Remaining"] == "9"
