"""Titles kept as good as upstream's: the refresh behind the requests, and what the database derives from a title."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from app.core.database import Database
from app.movies.enrichment import Enrichment, Freshness, Titles
from app.upstream.errors import Reason, UpstreamError
from app.upstream.omdb import Omdb
from tests.doubles.omdb import KEY, OmdbDouble
from tests.doubles.omdb import error as said
from tests.doubles.server import Reply
from tests.movies.conftest import Sql, found, stored, title

FRESHNESS = Freshness(rated=timedelta(days=30), unrated=timedelta(hours=24))
IDS = [f"tt70000{number}" for number in range(10, 30)]


@pytest.fixture
async def upstream() -> AsyncIterator[OmdbDouble]:
    """An OMDb with twenty made-up titles."""
    async with OmdbDouble(map(title, IDS)) as omdb:
        yield omdb


@pytest.fixture
async def enrichment(database: Database, upstream: OmdbDouble) -> AsyncIterator[Enrichment]:
    client = Omdb(upstream.url, KEY, deadline=2)
    yield Enrichment(database, client, FRESHNESS)
    await client.close()


@pytest.fixture
async def aged(enrichment: Enrichment, upstream: OmdbDouble, sql: Sql) -> list[str]:
    """Twelve stored titles, the last of them the one that was fetched longest ago, all of them stale."""
    ids = IDS[:12]
    assert (await enrichment.titles(ids)).complete
    for number, imdb_id in enumerate(ids):
        await sql(f"UPDATE movies SET refreshed_at = now() - interval '{31 + number} days' WHERE imdb_id = '{imdb_id}'")
    upstream.forget()
    for imdb_id in ids:
        upstream.titles[imdb_id] = title(imdb_id, Title="Renewed")
    return ids


async def renewed(sql: Sql) -> set[str]:
    return {imdb_id for (imdb_id,) in await sql("SELECT imdb_id FROM movies WHERE title = 'Renewed'")}


async def imdb_ids_of(sql: Sql, titles: Titles) -> list[str]:
    imdb_ids = dict(await sql("SELECT id, imdb_id FROM movies"))
    return [imdb_ids[movie_id] for movie_id in titles.movie_ids]


async def just_asked(sql: Sql) -> set[str]:
    rows = await sql("SELECT imdb_id FROM movies WHERE refreshed_at > now() - interval '1 minute'")
    return {imdb_id for (imdb_id,) in rows}


async def test_a_refresh_takes_the_oldest_first_and_no_more_calls_than_it_may(
    enrichment: Enrichment, upstream: OmdbDouble, sql: Sql, aged: list[str]
) -> None:
    assert await enrichment.refresh(5) == 5
    assert sorted(upstream.looked_up) == aged[7:]
    assert await renewed(sql) == await just_asked(sql) == set(aged[7:])


async def test_a_refresh_renews_all_that_is_stale_and_then_has_nothing_to_do(
    enrichment: Enrichment, upstream: OmdbDouble, sql: Sql, aged: list[str]
) -> None:
    assert await enrichment.refresh(100) == 12
    assert await enrichment.refresh(100) == 0
    assert sorted(upstream.looked_up) == aged
    assert await renewed(sql) == set(aged)


async def test_a_refresh_asks_for_so_many_at_once(
    enrichment: Enrichment, upstream: OmdbDouble, aged: list[str]
) -> None:
    upstream.latency = 0.05
    assert await enrichment.refresh(100, at_once=4) == len(aged)
    assert (upstream.most_in_flight, upstream.waves) == (4, 3)


async def test_a_refresh_leaves_fresh_titles_alone_and_takes_those_that_were_never_fetched_first(
    enrichment: Enrichment, upstream: OmdbDouble, sql: Sql
) -> None:
    upstream.titles[IDS[2]] = title(IDS[2], imdbRating="N/A")
    upstream.titles[IDS[3]] = title(IDS[3], imdbRating="N/A")
    await enrichment.titles(IDS[:6])
    upstream.calls.clear()
    ages = {IDS[0]: "29 days", IDS[1]: "31 days", IDS[2]: "23 hours", IDS[3]: "25 hours"}
    for imdb_id, age in ages.items():
        await sql(f"UPDATE movies SET refreshed_at = now() - interval '{age}' WHERE imdb_id = '{imdb_id}'")
    await sql("UPDATE movies SET refreshed_at = NULL WHERE imdb_id = :id", id=IDS[5])
    assert await enrichment.refresh(1) == 1
    assert upstream.looked_up == [IDS[5]]
    assert await enrichment.refresh(10) == 2
    assert sorted(upstream.looked_up) == sorted([IDS[1], IDS[3], IDS[5]])


async def test_titles_that_upstream_no_longer_knows_do_not_stand_in_the_way_of_others(
    enrichment: Enrichment, upstream: OmdbDouble, sql: Sql, aged: list[str]
) -> None:
    del upstream.titles[aged[11]]
    upstream.replies[aged[10]] = said("Incorrect IMDb ID.")
    assert await enrichment.refresh(3) == 1
    assert await enrichment.refresh(3) == 3
    assert sorted(upstream.looked_up) == sorted(aged[6:])
    assert await renewed(sql) == set(aged[6:10])
    assert await just_asked(sql) == set(aged[6:])


async def test_a_title_that_upstream_knows_by_another_id_does_not_stand_in_the_way_of_others(
    enrichment: Enrichment, upstream: OmdbDouble, sql: Sql, aged: list[str]
) -> None:
    upstream.titles[aged[11]] = title(IDS[15], Title="Renewed")
    assert await enrichment.refresh(1) == 1
    assert await enrichment.refresh(1) == 1
    assert upstream.looked_up == [aged[11], aged[10]]
    assert await renewed(sql) == {IDS[15], aged[10]}


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (said("Request limit reached!", 401), Reason.LIMITED),
        (Reply(b"", 503), Reason.UNAVAILABLE),
    ],
    ids=["limit", "503"],
)
async def test_a_refresh_stops_at_a_failure_and_keeps_what_it_had(
    enrichment: Enrichment, upstream: OmdbDouble, sql: Sql, aged: list[str], failure: Reply, reason: Reason
) -> None:
    upstream.replies[aged[6]] = failure
    with pytest.raises(UpstreamError) as caught:
        await enrichment.refresh(12, at_once=4)
    assert caught.value.reason == reason
    assert set(upstream.looked_up) == set(aged[4:])
    assert await renewed(sql) == await just_asked(sql) == set(aged[4:]) - {aged[6]}


async def test_a_refresh_passes_over_a_title_whose_payload_is_broken(
    enrichment: Enrichment, upstream: OmdbDouble, sql: Sql, aged: list[str]
) -> None:
    upstream.replies[aged[6]] = Reply(b"<html>")
    assert await enrichment.refresh(12, at_once=4) == 11
    assert await renewed(sql) == set(aged) - {aged[6]}


async def test_a_stale_title_that_upstream_does_not_know_is_asked_for_once(
    enrichment: Enrichment, upstream: OmdbDouble, sql: Sql, aged: list[str]
) -> None:
    del upstream.titles[aged[0]]
    for _ in range(2):
        titles = await enrichment.titles([aged[0]])
        assert await imdb_ids_of(sql, titles) == [aged[0]]
    assert upstream.looked_up == [aged[0]]


async def test_titles_come_in_the_order_of_the_ids_and_say_whether_a_failure_left_one_out(
    enrichment: Enrichment, upstream: OmdbDouble, sql: Sql
) -> None:
    asked = [IDS[4], IDS[1], "tt9999999", IDS[2]]
    upstream.replies[IDS[2]] = Reply(b"", 503)
    titles = await enrichment.titles(asked)
    assert (await imdb_ids_of(sql, titles), titles.complete) == ([IDS[4], IDS[1]], False)
    del upstream.replies[IDS[2]]
    titles = await enrichment.titles(asked)
    assert (await imdb_ids_of(sql, titles), titles.complete) == ([IDS[4], IDS[1], IDS[2]], True)


async def test_no_ids_are_no_titles_and_no_calls(enrichment: Enrichment, upstream: OmdbDouble) -> None:
    titles = await enrichment.titles([])
    assert (titles.movie_ids, titles.complete, upstream.calls) == ([], True, [])


class BrokenSource:
    """A source with a fault of its own."""

    async def title(self, imdb_id: str) -> None:
        raise ZeroDivisionError(imdb_id)


async def test_a_fault_that_is_not_upstreams_is_not_taken_for_a_failure(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        await Enrichment(database, BrokenSource(), FRESHNESS).titles(IDS[:1])


# What the database derives from a title


async def structures(client: httpx.AsyncClient) -> list[str]:
    names: list[str] = (await client.get("/structures/")).json()["genres"]
    return names


async def of_genre(client: httpx.AsyncClient, genre: str) -> list[str]:
    page = (await client.get("/movies/", params={"genres": genre, "ordering": "imdb_id"})).json()
    return [movie["imdb_id"] for movie in page["results"]]


async def test_genres_follow_a_title_that_is_stored_changed_and_deleted(
    empty_client: httpx.AsyncClient, enrichment: Enrichment, upstream: OmdbDouble, sql: Sql
) -> None:
    upstream.titles[IDS[0]] = title(IDS[0], Genre="Drama, Western")
    upstream.titles[IDS[1]] = title(IDS[1], Genre="Drama, Comedy")
    await enrichment.titles(IDS[:2])
    assert await structures(empty_client) == ["Comedy", "Drama", "Western"]
    assert await of_genre(empty_client, "drama") == IDS[:2]

    upstream.titles[IDS[0]] = title(IDS[0], Genre="Horror, Comedy")
    await sql("UPDATE movies SET refreshed_at = NULL")
    assert await enrichment.refresh(2) == 2
    assert await structures(empty_client) == ["Comedy", "Drama", "Horror"]
    assert await of_genre(empty_client, "western") == []
    assert await of_genre(empty_client, "comedy") == IDS[:2]
    assert [movie["genres"] for movie in await stored(empty_client)] == [
        [{"name": "Horror"}, {"name": "Comedy"}],
        [{"name": "Drama"}, {"name": "Comedy"}],
    ]

    await sql("DELETE FROM movies WHERE imdb_id = :id", id=IDS[0])
    assert await structures(empty_client) == ["Comedy", "Drama"]
    assert await of_genre(empty_client, "horror") == []


async def test_a_genre_that_upstream_forgets_stays(
    empty_client: httpx.AsyncClient, enrichment: Enrichment, upstream: OmdbDouble, sql: Sql
) -> None:
    await enrichment.titles(IDS[:1])
    upstream.titles[IDS[0]] = title(IDS[0], Genre="N/A")
    await sql("UPDATE movies SET refreshed_at = NULL")
    assert await enrichment.refresh(1) == 1
    assert await structures(empty_client) == ["Crime", "Drama"]


async def test_a_title_has_its_counts_from_the_first_and_keeps_them_when_it_is_renewed(
    empty_client: httpx.AsyncClient, enrichment: Enrichment, sql: Sql
) -> None:
    await enrichment.titles(IDS[:2])
    assert await sql("SELECT likes_count, watch_later_count FROM movie_counts") == [(0, 0), (0, 0)]
    await sql("UPDATE movie_counts SET likes_count = 3 WHERE movie_id = (SELECT min(id) FROM movies)")
    await sql("UPDATE movies SET refreshed_at = NULL")
    await enrichment.refresh(2)
    assert sorted(movie["likes_count"] for movie in await stored(empty_client)) == [0, 3]
    await sql("DELETE FROM movies")
    assert await sql("SELECT 1 FROM movie_counts") == []
    assert await found(empty_client, "film") == ("catalogue", [])
