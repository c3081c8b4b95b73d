"""The quota of AI searches: exact, told on every answer, and handed back where nothing came of it."""

import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import URL

from app.auth.quota import QuotaRepository
from tests.accounts import JSON, opened
from tests.ai.conftest import ALIEN, FREE_LIMIT, TIMEOUT, Quota, Searcher, asking, names
from tests.doubles.claude import ClaudeDouble, error, listed, message
from tests.doubles.omdb import OmdbDouble
from tests.doubles.server import Reply


async def test_each_answer_costs_one_until_none_is_left(searcher: Searcher) -> None:
    for left in (2, 1, 0):
        assert Quota.told(await searcher.search()) == Quota(FREE_LIMIT, left)
    asked = len(searcher.claude.calls)
    answer = await searcher.search()
    assert (answer.status_code, answer.json()["code"]) == (429, "ai_search_limit_reached")
    assert Quota.told(answer) == Quota(FREE_LIMIT, 0)
    midnight = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), datetime.min.time(), UTC)
    assert int(answer.headers["X-AI-Quota-Reset"]) == int(midnight.timestamp())
    assert abs(int(answer.headers["Retry-After"]) - (midnight.timestamp() - time.time())) < 5
    assert len(searcher.claude.calls) == asked


async def test_personal_info_tells_what_is_left(searcher: Searcher) -> None:
    async def told() -> int:
        left: int = (await searcher.person.get("/users/personal-info/")).json()["ai_searches_left"]
        return left

    assert await told() == FREE_LIMIT
    await searcher.search()
    assert await told() == FREE_LIMIT - 1
    await searcher.service.execute("UPDATE ai_usage SET used = 7")  # the tier's quota was larger this morning
    assert await told() == 0


async def test_yesterdays_searches_do_not_count(searcher: Searcher) -> None:
    await searcher.service.execute(
        "INSERT INTO ai_usage VALUES (:user, (now() AT TIME ZONE 'UTC')::date - 1, 3)", user=searcher.person.id
    )
    assert Quota.told(await searcher.search()) == Quota(FREE_LIMIT, FREE_LIMIT - 1)


async def test_of_fifty_at_once_exactly_as_many_are_asked_as_are_left(
    searcher: Searcher, ai_url: URL, claude_double: ClaudeDouble, omdb_double: OmdbDouble
) -> None:
    all_have_asked = asyncio.Event()
    claude_double.replies = [Reply(whole(listed(ALIEN)).body, until=all_have_asked) for _ in range(50)]
    async with opened(ai_url, **{**asking(claude_double, omdb_double), "ai_timeout_seconds": 60}) as service:
        crowd = replace(searcher, person=replace(searcher.person, service=service))
        searches = [asyncio.create_task(crowd.search()) for _ in range(50)]
        first = asyncio.as_completed(searches, timeout=60)
        assert [(await next(first)).status_code for _ in range(47)] == [429] * 47
        all_have_asked.set()
        assert [answer.status_code for answer in await asyncio.gather(*searches)].count(200) == 3
    assert len(searcher.claude.asked_for) == 3
    assert await searcher.used() == 3


async def test_a_tier_without_searches_has_none(searcher: Searcher) -> None:
    limit = "UPDATE account_tiers SET daily_ai_search_limit = :limit WHERE is_default"
    await searcher.service.execute(limit, limit=0)
    try:
        answer = await searcher.search()
    finally:
        await searcher.service.execute(limit, limit=FREE_LIMIT)
    assert (answer.status_code, Quota.told(answer)) == (429, Quota(0, 0))
    assert searcher.claude.calls == []


def whole(*texts: str, stop_reason: str = "end_turn") -> Reply:
    return Reply(json.dumps(message(*texts, stop_reason=stop_reason)).encode())


BAD_ANSWERS: dict[str, Reply] = {
    "a refusal": whole("I'd rather not.", stop_reason="refusal"),
    "cut off": whole(listed(ALIEN)[:50], stop_reason="max_tokens"),
    "no JSON": whole('{"movies": ['),
    "prose": whole("I would watch Alien."),
    "no title that exists": whole(listed({**ALIEN, "title": "Qwxyz Unheard Of"})),
    "limited for a minute": error(429, headers={"retry-after": "60"}),
    "limited": error(429),
    "overloaded": error(529),
    "a bad key": error(401),
    "a fault": error(500),
    "a closed connection": Reply(drop=True),
    "a hang": Reply(hang=True),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
async def test_a_bad_answer_costs_nothing_and_the_catalogue_answers_in_time(searcher: Searcher, name: str) -> None:
    searcher.claude.replies = [BAD_ANSWERS[name]] * 2
    started = time.monotonic()
    answer = await searcher.search("alien horror in space")
    assert time.monotonic() - started < TIMEOUT + 2
    assert names(answer)[0] == "Alien"
    assert answer.headers["X-Search-Source"] == "catalogue"
    scores = [movie["match_score"] for movie in answer.json()]
    assert scores == [90 - 5 * place for place in range(len(scores))]
    assert {movie["match_reason"] for movie in answer.json()} == {None}
    assert Quota.told(answer) == Quota(FREE_LIMIT, FREE_LIMIT)
    assert await searcher.used() == 0


@pytest.mark.parametrize("name", BAD_ANSWERS)
async def test_where_the_catalogue_has_no_answer_either_it_is_told(searcher: Searcher, name: str) -> None:
    searcher.claude.replies = [BAD_ANSWERS[name]] * 2
    answer = await searcher.search("qwxyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "ai_unavailable")
    assert answer.headers["Retry-After"]
    assert Quota.told(answer) == Quota(FREE_LIMIT, FREE_LIMIT)


async def test_so_it_is_where_tokens_cannot_be_counted(searcher: Searcher) -> None:
    searcher.claude.counting = error(500)
    answer = await searcher.search("alien horror in space")
    assert (names(answer)[0], answer.headers["X-Search-Source"]) == ("Alien", "catalogue")
    assert searcher.claude.asked_for == []
    assert Quota.told(answer) == Quota(FREE_LIMIT, FREE_LIMIT)


async def test_prose_around_the_answer_is_forgiven(searcher: Searcher) -> None:
    searcher.claude.replies = [whole(f"Sure!\n{listed(ALIEN)}\nEnjoy.")]
    answer = await searcher.search()
    assert (names(answer), answer.headers["X-Search-Source"]) == (["Alien"], "claude")


async def test_every_refusal_tells_the_quota_and_costs_nothing(searcher: Searcher) -> None:
    client, me = searcher.service.client, {"Authorization": f"Bearer {searcher.person.access}"}
    url = "/movies/ai/search/"
    refused = [
        (await client.post(url, json={"expression": " "}, headers=me), 422),
        (await client.post(url, json={"expression": "x" * 256}, headers=me), 422),
        (await client.post(url, json={"expression": "a\x00b"}, headers=me), 422),
        (await client.post(url, content=b'{"expression": "\\ud800"}', headers=me | JSON), 422),
        (await client.post(url, content=b"{", headers=me | JSON), 422),
        (await client.post(url, content=b"{}", headers=me), 415),
        (await client.post(url, content=b" " * 200_000, headers=me), 413),
        (await client.post(url, json={"expression": "space"}, headers=me | {"User-Agent": " "}), 400),
    ]
    for answer, status in refused:
        assert answer.status_code == status, answer.text
        assert Quota.told(answer) == Quota(FREE_LIMIT, FREE_LIMIT), status
    assert searcher.claude.calls == []


async def test_who_is_nobody_has_no_quota(searcher: Searcher) -> None:
    client = searcher.service.client
    answers: list[httpx.Response] = [
        await client.post("/movies/ai/search/", json={"expression": "space"}),
        await client.post("/movies/ai/search/", json={"expression": "space"}, headers={"Authorization": "Bearer x"}),
        await searcher.service.ask("POST", "/movies/ai/search/stream/", "x", expression="space"),
    ]
    await searcher.service.execute("UPDATE users SET is_active = false")
    answers.append(await searcher.search())
    for answer in answers:
        assert answer.status_code == 401
        assert "X-AI-Quota-Limit" not in answer.headers
    assert searcher.claude.calls == []


async def test_a_unit_goes_back_to_the_day_that_it_was_taken_from(searcher: Searcher) -> None:
    service, user = searcher.service, searcher.person.id
    searcher.claude.replies = [Reply(error(500).body, 500, delay=0.5)] * 2
    asked = asyncio.create_task(searcher.search("alien"))
    await searcher.claude.asked(2)
    # Somebody's search of the day before, which is not the one that fails.
    await service.execute("INSERT INTO ai_usage VALUES (:user, (now() AT TIME ZONE 'UTC')::date - 1, 2)", user=user)
    assert names(await asked)[0] == "Alien"
    async with service.database.transaction() as session:
        quota = QuotaRepository(session)
        today = await quota.take(user)
        assert today is not None
        for _ in range(3):  # never below nothing
            await quota.give_back(user, today - timedelta(days=1))
    assert await service.value("SELECT string_agg(used::text, ' ' ORDER BY day) FROM ai_usage") == "0 1"


async def test_a_deleted_account_has_no_quota(searcher: Searcher) -> None:
    async with searcher.service.database.transaction() as session:
        quota = QuotaRepository(session)
        assert (await quota.get(2**40)).left == 0
        assert await quota.take(2**40) is None


async def test_two_hundred_waiting_searches_hold_no_connection(
    searcher: Searcher, ai_url: URL, claude_double: ClaudeDouble, omdb_double: OmdbDouble
) -> None:
    limit = "UPDATE account_tiers SET daily_ai_search_limit = :limit WHERE is_default"
    await searcher.service.execute(limit, limit=1000)
    answered = [asyncio.Event() for _ in range(20)]
    claude_double.replies = [Reply(whole(listed(ALIEN)).body, until=event) for event in answered for _ in range(10)]
    settings = {**asking(claude_double, omdb_double), "ai_timeout_seconds": 60, "db_pool_size": 5}
    async with opened(ai_url, **settings) as service:
        crowd = replace(searcher, person=replace(searcher.person, service=service))
        waiting: list[list[asyncio.Task[httpx.Response]]] = []
        for _ in answered:  # not all in the same moment, and so they are let go
            waiting.append([asyncio.create_task(crowd.search()) for _ in range(10)])
            await claude_double.asked(20 * len(waiting))
        # Whoever had to wait for a connection would be refused.
        pages = [await service.client.get("/movies/?limit=100") for _ in range(20)]
        held = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE '%transaction%'"
        assert ({page.status_code for page in pages}, await searcher.service.value(held)) == ({200}, 0)
        assert not any(search.done() for searches in waiting for search in searches)
        for event, searches in zip(answered, waiting, strict=True):
            event.set()
            assert {answer.headers["X-Search-Source"] for answer in await asyncio.gather(*searches)} == {"claude"}
    await searcher.service.execute(limit, limit=FREE_LIMIT)
