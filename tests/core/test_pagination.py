"""Pages of a list: limit, offset, and the envelope with links that lead through all of it."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.problem_documents import fields
from tests.sample_application import sample_application

TOTAL = 464


@pytest.fixture(scope="module")
async def client(administrator: AsyncEngine, filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with sample_application(administrator, filled) as (_, client):
        yield client


async def page(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    response = await client.get(url)
    assert response.status_code == 200, (url, response.text)
    envelope: dict[str, Any] = response.json()
    assert list(envelope) == ["count", "next", "previous", "results"], url
    return envelope


def link(limit: int, offset: int) -> str:
    return f"http://localhost/movies/?limit={limit}&offset={offset}"


def parameters(url: str) -> dict[str, str]:
    """The query parameters of an absolute link to the list."""
    assert url.startswith("http://localhost/movies/?")
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


@pytest.mark.parametrize(
    ("query", "length", "following", "previous"),
    [
        ("", 12, link(12, 12), None),
        ("limit=1", 1, link(1, 1), None),
        ("limit=100", 100, link(100, 100), None),
        ("limit=101", 100, link(100, 100), None),
        ("limit=99999999999999999999999999", 100, link(100, 100), None),
        ("offset=5", 12, link(12, 17), link(12, 0)),
        ("limit=12&offset=12", 12, link(12, 24), link(12, 0)),
        ("limit=12&offset=20", 12, link(12, 32), link(12, 8)),
        ("limit=12&offset=452", 12, None, link(12, 440)),
        ("limit=12&offset=451", 12, link(12, 463), link(12, 439)),
        ("limit=12&offset=463", 1, None, link(12, 451)),
        # Beyond the end: back to the last results.
        ("limit=12&offset=464", 0, None, link(12, 452)),
        ("limit=12&offset=465", 0, None, link(12, 452)),
        (f"offset={2**63 - 1}", 0, None, link(12, 452)),
        (f"limit=100&offset={2**63 - 1}", 0, None, link(100, 364)),
    ],
)
async def test_a_page_is_as_long_as_asked_and_tells_its_neighbours(
    client: httpx.AsyncClient, query: str, length: int, following: str | None, previous: str | None
) -> None:
    envelope = await page(client, f"/movies/?{query}")
    assert (envelope["count"], len(envelope["results"])) == (TOTAL, length)
    assert (envelope["next"], envelope["previous"]) == (following, previous)


@pytest.mark.parametrize("value", ["0", "-1", "abc", "", "1.5", "1e2", "NaN", "0x10", "1 2", "9" * 5000])
async def test_a_limit_that_is_no_positive_number_is_refused(client: httpx.AsyncClient, value: str) -> None:
    assert fields(await client.get("/movies/", params={"limit": value})) == {"limit"}


@pytest.mark.parametrize("value", ["-1", "abc", "", "1.5", str(2**63), str(10**30), "NaN", "9" * 5000])
async def test_an_offset_that_is_no_64_bit_number_is_refused(client: httpx.AsyncClient, value: str) -> None:
    assert fields(await client.get("/movies/", params={"offset": value})) == {"offset"}


async def test_links_keep_every_other_parameter(client: httpx.AsyncClient) -> None:
    asked = {
        "title": "the",
        "ordering": "-imdb_rating,title",
        "unknown": "%2F?#é",
        "rating_max": "",
        "limit": "2",
        "offset": "0",
    }
    envelope = await page(client, f"/movies/?{httpx.QueryParams(asked)}")
    assert parameters(envelope["next"]) == asked | {"offset": "2"}
    following = await page(client, envelope["next"])
    assert following["count"] == envelope["count"]
    assert parameters(following["previous"]) == asked


@pytest.mark.parametrize("limit", [7, 50, 100])
async def test_following_the_links_meets_every_result_once_both_ways(client: httpx.AsyncClient, limit: int) -> None:
    forwards: list[int] = []
    url: str | None = f"/movies/?limit={limit}&ordering=genre"
    last = ""
    while url:
        last = url
        envelope = await page(client, url)
        forwards += [movie["id"] for movie in envelope["results"]]
        url = envelope["next"]
    assert len(forwards) == len(set(forwards)) == TOTAL
    backwards: list[int] = []
    url = last
    while url:
        envelope = await page(client, url)
        backwards = [movie["id"] for movie in envelope["results"]] + backwards
        url = envelope["previous"]
    assert backwards == forwards


async def test_an_empty_list_is_one_empty_page(client: httpx.AsyncClient) -> None:
    empty: dict[str, Any] = {"count": 0, "next": None, "previous": None, "results": []}
    assert await page(client, "/movies/?title=no+such+title") == empty
    beyond = await page(client, "/movies/?title=no+such+title&offset=30")
    assert parameters(beyond["previous"]) == {"title": "no such title", "limit": "12", "offset": "0"}
    assert beyond == empty | {"previous": beyond["previous"]}


NUMBERS = st.one_of(
    st.integers(-3, 600).map(str),
    st.integers().map(str),
    st.sampled_from(["", " 7", "1.0", "1e2", "0x10", "1_0", "+5", "-0", "\u0663", "NaN", "\x00", "9" * 5000]),
    st.text(max_size=4),
)


@settings(deadline=None, max_examples=60)
@given(limit=NUMBERS, offset=NUMBERS)
async def test_a_page_is_the_slice_that_python_would_take_or_names_the_fault(
    client: httpx.AsyncClient, limit: str, offset: str
) -> None:
    answer = await client.get("/movies/", params={"limit": limit, "offset": offset, "ordering": "imdb_id"})
    if answer.status_code == 422:
        assert fields(answer, case=(limit, offset)) <= {"limit", "offset"}
        return
    envelope = answer.json()
    length, start = min(int(Decimal(limit)), 100), int(Decimal(offset))
    assert length > 0
    assert len(envelope["results"]) == len(range(TOTAL)[start : start + length])
    assert envelope["count"] == TOTAL
    assert (envelope["next"] is None) == (start + length >= TOTAL)
    assert (envelope["previous"] is None) == (start == 0)


@settings(deadline=None, max_examples=4)
@given(limit=st.integers(40, 100), first=st.integers(0, TOTAL))
async def test_the_links_lead_over_every_row_once_and_back(client: httpx.AsyncClient, limit: int, first: int) -> None:
    seen: list[int] = []
    url: str | None = f"/movies/?ordering=title&limit={limit}&offset={first}"
    while url:
        found = await page(client, url)
        seen += [movie["id"] for movie in found["results"]]
        last, url = url, found["next"]
    assert len(seen) == len(set(seen)) == TOTAL - first
    steps = 0
    while previous := (await page(client, last))["previous"]:
        last, steps = previous, steps + 1
        assert steps <= TOTAL // limit + 2
    assert parameters(last)["offset"] == "0"
