"""Searches by title: ten a day by a browser at an address, twenty by an address."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import count

import httpx
import pytest
from limits import parse
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.throttling import Throttle, headers_of
from tests.conftest import make_settings, new_database, started
from tests.problem_documents import fields, problem
from tests.sample_application import connecting_from

LIMIT, REMAINING, RESET = "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"
DAY_SECONDS = 24 * 3600
AS_THEY_ARE = {"throttle_search_ua": "10/day", "throttle_search_ip": "20/day"}


@pytest.fixture(scope="module")
async def url(administrator: AsyncEngine, filled: str) -> AsyncIterator[URL]:
    async with new_database(administrator, filled) as url:
        yield url


@pytest.fixture(scope="module")
async def service(url: URL) -> AsyncIterator[httpx.AsyncClient]:
    async with started(make_settings(url, **AS_THEY_ARE, trusted_proxies=["127.0.0.0/8"])) as (_, client):
        yield client


@pytest.fixture(scope="module")
def addresses() -> Iterator[str]:
    """Addresses from which nobody has searched yet."""
    return (f"198.51.100.{number}" for number in count(1))


@pytest.fixture
def stranger(service: httpx.AsyncClient, addresses: Iterator[str]) -> httpx.AsyncClient:
    """A client at an address of its own."""
    return connecting_from(service, next(addresses))


async def search(client: httpx.AsyncClient, agent: str = "a browser", **headers: str) -> httpx.Response:
    body = {"expression": "alien"}
    return await client.post("/movies/search/", json=body, headers={"User-Agent": agent, **headers})


async def test_of_fifty_at_once_exactly_ten_get_through(stranger: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(search(stranger) for _ in range(50)))
    assert Counter(answer.status_code for answer in answers) == {200: 10, 429: 40}


async def test_the_headers_tell_what_is_left_and_when_there_is_more(stranger: httpx.AsyncClient) -> None:
    first = await search(stranger)
    assert (first.headers[LIMIT], first.headers[REMAINING]) == ("10", "9")
    assert time.time() + DAY_SECONDS - 60 < int(first.headers[RESET]) < time.time() + DAY_SECONDS + 60
    assert (await search(stranger)).headers[REMAINING] == "8"
    for _ in range(8):
        assert (await search(stranger)).status_code == 200
    refused = await search(stranger)
    problem(refused, 429, "throttled")
    assert (refused.headers[LIMIT], refused.headers[REMAINING]) == ("10", "0")
    assert DAY_SECONDS - 60 < int(refused.headers["Retry-After"]) <= DAY_SECONDS + 1


async def test_another_browser_at_the_address_has_ten_of_its_own_and_a_third_has_none(
    stranger: httpx.AsyncClient,
) -> None:
    for agent in ("one", "another"):
        answers = await asyncio.gather(*(search(stranger, agent) for _ in range(10)))
        assert {answer.status_code for answer in answers} == {200}
    refused = await search(stranger, "a third")
    problem(refused, 429, "throttled")
    assert refused.headers[LIMIT] == "20"


async def test_strangers_with_the_same_browser_do_not_share_a_count(
    service: httpx.AsyncClient, addresses: Iterator[str]
) -> None:
    one, other = (connecting_from(service, next(addresses)) for _ in range(2))
    await asyncio.gather(*(search(one) for _ in range(10)))
    assert (await search(one)).status_code == 429
    assert (await search(other)).headers[REMAINING] == "9"


async def test_a_refusal_by_one_limit_costs_nothing_of_the_other(stranger: httpx.AsyncClient) -> None:
    await asyncio.gather(*(search(stranger, "one") for _ in range(30)))
    answers = await asyncio.gather(*(search(stranger, "another") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("agent", ["", "  "])
async def test_without_a_user_agent_there_is_no_search(stranger: httpx.AsyncClient, agent: str) -> None:
    problem(await search(stranger, agent), 400, "user_agent_required")


async def test_what_is_refused_for_its_input_or_its_token_counts_for_nothing(stranger: httpx.AsyncClient) -> None:
    agent = {"User-Agent": "a browser"}
    for _ in range(12):
        assert fields(await stranger.post("/movies/search/", json={"expression": " "}, headers=agent)) == {"expression"}
        problem(await search(stranger, Authorization="Bearer forged"), 401, "invalid_token")
    assert (await search(stranger)).headers[REMAINING] == "9"


async def test_what_a_client_says_of_its_address_counts_only_from_a_trusted_proxy(
    service: httpx.AsyncClient, stranger: httpx.AsyncClient, addresses: Iterator[str]
) -> None:
    for number in range(10):
        assert (await search(stranger, **{"X-Forwarded-For": f"203.0.113.{number}"})).status_code == 200
    problem(await search(stranger, **{"X-Forwarded-For": "203.0.113.99"}), 429, "throttled")
    proxy, client = connecting_from(service, "127.0.0.1"), next(addresses)
    for number in range(10):
        forged = {"X-Forwarded-For": f"203.0.113.{number}, {client}"}
        assert (await search(proxy, **forged)).status_code == 200
    problem(await search(proxy, **{"X-Forwarded-For": f"203.0.113.99, {client}"}), 429, "throttled")


async def test_an_ipv6_network_of_one_subscriber_is_one_address(service: httpx.AsyncClient) -> None:
    answers = [await search(connecting_from(service, f"2001:db8:0:7::{number:x}")) for number in range(1, 12)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]


async def test_browsing_is_not_counted(stranger: httpx.AsyncClient) -> None:
    for _ in range(25):
        answer = await stranger.get("/movies/?limit=1", headers={"User-Agent": ""})
        assert answer.status_code == 200
        assert LIMIT not in answer.headers


def test_where_nothing_could_be_counted_nothing_is_told() -> None:
    assert headers_of([Throttle("search", parse("10/day"), ("somebody",))], []) == {}
