"""POST /movies/search/: the provider, the fan-out, the upsert, the stored answer, the fallback."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from tests.conftest import Start
from tests.doubles.collectapi import CollectApiDouble
from tests.doubles.omdb import OmdbDouble
from tests.doubles.omdb import error as said
from tests.doubles.server import Reply
from tests.log_lines import log_lines
from tests.movies.conftest import (
    UNKNOWN_FACTS,
    Sql,
    Statements,
    found,
    knowing,
    stored,
    title,
    with_imdb,
    with_omdb,
)

THIEVES = ["tt1375666", "tt0111161", "tt0133093"]
HTML = b"<!DOCTYPE html><title>Just a moment...</title>"


async def test_new_titles_are_fetched_stored_and_returned_in_the_providers_order(
    search_client: httpx.AsyncClient, omdb: OmdbDouble
) -> None:
    omdb.found["thief"] = THIEVES
    assert await found(search_client, "thief") == ("omdb", THIEVES)
    assert [movie["imdb_id"] for movie in await stored(search_client)] == sorted(THIEVES)


async def test_an_answer_holds_complete_movies_as_they_are_stored(
    search_client: httpx.AsyncClient, omdb: OmdbDouble
) -> None:
    omdb.titles["tt7000001"] = title("tt7000001")
    omdb.found["film"] = ["tt7000001"]
    (movie,) = (await search_client.post("/movies/search/", json={"expression": "film"})).json()
    assert (await search_client.get(f"/movies/{movie['id']}/")).json() == movie
    created_at = movie.pop("created_at")
    assert created_at.endswith("Z")
    assert movie == {
        "id": movie["id"],
        "imdb_id": "tt7000001",
        "title": "Film tt7000001",
        "year": "2001",
        "released_date": "2001-07-16",
        "runtime": "100 min",
        "plot": "Something happens.",
        "languages": [{"name": "English"}],
        "countries": [{"name": "Sweden"}],
        "awards": "1 win.",
        "poster": "https://posters.example/1.jpg",
        "metascore": "70",
        "ratings": [{"source": "Internet Movie Database", "value": "7.0/10"}],
        "imdb_rating": "7.0",
        "imdb_votes": "1,000",
        "type": "movie",
        "total_seasons": None,
        "writers": [{"full_name": "Jo Li"}],
        "genres": [{"name": "Drama"}, {"name": "Crime"}],
        "actors": [{"full_name": "Mira Stone"}, {"full_name": "Paul Okafor"}],
        "directors": [{"full_name": "Ada Lindqvist"}],
        "is_liked": False,
        "likes_count": 0,
        "is_watch_later": False,
        "watch_later_count": 0,
    }


async def test_the_imdb_provider_finds_and_omdb_describes_where_both_have_keys(
    start: Start, omdb: OmdbDouble, collectapi: CollectApiDouble
) -> None:
    collectapi.found["thief"] = THIEVES
    async with start(**with_omdb(omdb), **with_imdb(collectapi)) as client:
        assert await found(client, "thief") == ("imdb", THIEVES)
    assert (collectapi.searched, collectapi.looked_up) == (["thief"], [])
    assert (omdb.searched, sorted(omdb.looked_up)) == ([], sorted(THIEVES))


async def test_with_the_imdb_key_alone_titles_come_from_there_too(start: Start, collectapi: CollectApiDouble) -> None:
    collectapi.found["thief"] = THIEVES
    async with start(**with_imdb(collectapi)) as client:
        assert await found(client, "thief") == ("imdb", THIEVES)
        assert [movie["title"] for movie in await stored(client)] == [
            collectapi.titles[imdb_id]["Title"] for imdb_id in sorted(THIEVES)
        ]
    assert sorted(collectapi.looked_up) == sorted(THIEVES)


async def test_omdb_searches_where_it_alone_has_a_key_or_is_chosen(
    start: Start, omdb: OmdbDouble, collectapi: CollectApiDouble
) -> None:
    omdb.found["thief"] = THIEVES
    both = with_omdb(omdb) | with_imdb(collectapi)
    async with start(**with_omdb(omdb)) as auto, start(**both, movie_search_provider="omdb") as chosen:
        assert await found(auto, "thief") == ("omdb", THIEVES)
        omdb.found["thieves"] = THIEVES[:1]
        assert await found(chosen, "thieves") == ("omdb", THIEVES[:1])
    assert collectapi.calls == []


async def test_the_catalogue_answers_where_it_is_chosen_and_nobody_is_called(
    start_with_sample: Start, omdb: OmdbDouble, collectapi: CollectApiDouble
) -> None:
    both = with_omdb(omdb) | with_imdb(collectapi)
    async with start_with_sample(**both, movie_search_provider="catalogue") as client:
        assert await found(client, "inception") == ("catalogue", ["tt1375666"])
    assert omdb.calls == collectapi.calls == []


async def test_the_catalogue_answers_where_there_is_no_key(client: httpx.AsyncClient) -> None:
    assert await found(client, "INCEPTION") == ("catalogue", ["tt1375666"])
    assert await found(client, "incepton") == ("catalogue", ["tt1375666"])
    assert await found(client, "no such film at all") == ("catalogue", [])
    source, movies = await found(client, "the")
    assert (source, len(movies)) == ("catalogue", 10)


async def test_at_most_ten_are_looked_up_and_returned(start: Start, collectapi: CollectApiDouble) -> None:
    ids = [f"tt70000{number}" for number in range(10, 35)]
    collectapi.titles |= {imdb_id: title(imdb_id) for imdb_id in ids}
    collectapi.found["film"] = ids
    async with start(**with_imdb(collectapi)) as client:
        assert await found(client, "film") == ("imdb", ids[:10])
    assert len(collectapi.looked_up) == 10


async def test_an_id_twice_on_a_page_is_looked_up_and_returned_once(
    search_client: httpx.AsyncClient, omdb: OmdbDouble
) -> None:
    omdb.found["thief"] = [THIEVES[0], THIEVES[1], THIEVES[0]]
    assert await found(search_client, "thief") == ("omdb", THIEVES[:2])
    assert sorted(omdb.looked_up) == sorted(THIEVES[:2])


@pytest.mark.parametrize("hit", ["nm0000001", "", "tt", "../tt1375666", None, 7, [], {}])
async def test_a_hit_that_has_no_imdb_id_is_passed_over(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, hit: object
) -> None:
    hits = {"Search": [{"imdbID": hit}, hit, {"imdbID": THIEVES[0]}], "Response": "True"}
    omdb.replies["thief"] = Reply(json.dumps(hits).encode())
    assert await found(search_client, "thief") == ("omdb", THIEVES[:1])
    assert omdb.looked_up == THIEVES[:1]


async def test_an_expression_reaches_the_provider_with_its_spaces_folded(
    search_client: httpx.AsyncClient, omdb: OmdbDouble
) -> None:
    omdb.found["The Thief & co"] = THIEVES
    assert await found(search_client, "  The\t Thief \n& co ") == ("omdb", THIEVES)
    assert omdb.searched == ["The Thief & co"]


# Fresh and stale titles


async def test_titles_that_are_stored_and_fresh_are_not_fetched(
    search_client: httpx.AsyncClient, omdb: OmdbDouble
) -> None:
    omdb.found |= {"thief": THIEVES[:2], "thieves": THIEVES}
    await found(search_client, "thief")
    omdb.calls.clear()
    assert await found(search_client, "thieves") == ("omdb", THIEVES)
    assert omdb.looked_up == THIEVES[2:]


@pytest.mark.parametrize(
    ("rating", "age", "is_fetched"),
    [
        ("7.0", "29 days 23 hours", False),
        ("7.0", "30 days 1 hour", True),
        ("N/A", "23 hours", False),
        ("N/A", "25 hours", True),
    ],
)
async def test_a_title_is_fetched_anew_after_thirty_days_or_without_a_rating_after_one(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, sql: Sql, rating: str, age: str, *, is_fetched: bool
) -> None:
    omdb.titles["tt7000001"] = title("tt7000001", imdbRating=rating)
    omdb.found |= {"film": ["tt7000001"], "films": ["tt7000001"]}
    await found(search_client, "film")
    await sql(f"UPDATE movies SET refreshed_at = now() - interval '{age}'")
    omdb.titles["tt7000001"] = title("tt7000001", Title="Renamed", imdbRating="8.1")
    omdb.calls.clear()
    (movie,) = (await search_client.post("/movies/search/", json={"expression": "films"})).json()
    assert omdb.looked_up == (["tt7000001"] if is_fetched else [])
    assert movie["title"] == ("Renamed" if is_fetched else "Film tt7000001")
    ((age_in_hours,),) = await sql("SELECT extract(epoch FROM now() - refreshed_at) / 3600 FROM movies")
    assert (age_in_hours < 1) == is_fetched


async def test_the_ages_are_settings(start: Start, omdb: OmdbDouble, sql: Sql) -> None:
    omdb.found |= {"thief": THIEVES[:1], "thieves": THIEVES[:1]}
    async with start(**with_omdb(omdb), title_ttl_days=2) as client:
        await found(client, "thief")
        await sql("UPDATE movies SET refreshed_at = now() - interval '49 hours'")
        await found(client, "thieves")
    assert omdb.looked_up == THIEVES[:1] * 2


async def test_a_sample_title_is_fetched_as_upstream_was_never_asked_for_it(
    start_with_sample: Start, omdb: OmdbDouble
) -> None:
    omdb.found["thief"] = THIEVES
    async with start_with_sample(**with_omdb(omdb)) as client:
        await found(client, "thief")
    assert sorted(omdb.looked_up) == sorted(THIEVES)


@pytest.mark.parametrize(
    "failure",
    [Reply(drop=True), Reply(HTML, 503, "text/html"), said("Something went wrong."), said("Error getting data.")],
    ids=["drop", "503", "went wrong", "no longer known"],
)
async def test_a_stale_title_whose_refresh_fails_is_served_as_it_is_and_the_answer_is_kept(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, sql: Sql, failure: Reply
) -> None:
    omdb.found |= {"thief": THIEVES, "thieves": THIEVES}
    await found(search_client, "thief")
    before = await stored(search_client)
    await sql("UPDATE movies SET refreshed_at = now() - interval '31 days'")
    omdb.replies[THIEVES[1]] = failure
    assert await found(search_client, "thieves") == ("omdb", THIEVES)
    assert await stored(search_client) == before
    omdb.calls.clear()
    assert await found(search_client, "thieves") == ("omdb", THIEVES)
    assert omdb.calls == []


async def test_what_is_known_is_never_overwritten_by_what_is_not(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, sql: Sql
) -> None:
    omdb.titles["tt7000001"] = title("tt7000001", totalSeasons="3")
    omdb.found |= {"film": ["tt7000001"], "films": ["tt7000001"]}
    await found(search_client, "film")
    (before,) = await stored(search_client)
    await sql("UPDATE movies SET refreshed_at = now() - interval '31 days'")
    omdb.titles["tt7000001"] = title("tt7000001", **UNKNOWN_FACTS)
    assert await found(search_client, "films") == ("omdb", ["tt7000001"])
    assert len(omdb.looked_up) == 2
    assert await stored(search_client) == [before]


async def test_what_is_known_is_overwritten_by_what_is_newer(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, sql: Sql
) -> None:
    omdb.titles["tt7000001"] = title("tt7000001")
    omdb.found |= {"film": ["tt7000001"], "films": ["tt7000001"]}
    await found(search_client, "film")
    (before,) = await stored(search_client)
    await sql("UPDATE movies SET refreshed_at = now() - interval '31 days'")
    newer = title("tt7000001", Title="Renamed", Genre="Horror", imdbRating="10.0", imdbVotes="2,000", Actors="Li Wen")
    omdb.titles["tt7000001"] = newer
    await found(search_client, "films")
    (after,) = await stored(search_client)
    assert {key for key in after if after[key] != before[key]} == {
        *("title", "genres", "imdb_rating", "imdb_votes", "actors")
    }
    assert (after["title"], after["genres"], after["actors"]) == (
        "Renamed",
        [{"name": "Horror"}],
        [{"full_name": "Li Wen"}],
    )
    assert (after["imdb_rating"], after["imdb_votes"]) == ("10.0", "2,000")
    assert (await search_client.get("/movies/", params={"title": "renamed"})).json()["count"] == 1


# What is left out, and which answers are kept


@pytest.mark.parametrize(
    "failure",
    [
        Reply(drop=True),
        Reply(HTML),
        Reply(HTML, 503, "text/html"),
        said("Something went wrong."),
        said("Request limit reached!", 401),
        Reply(json.dumps(title("tt0111161", Title="N/A")).encode()),
        Reply(b" " * 1_000_000),
        Reply(b'{"Title": "cut short", "imdbID": "tt0111161"'),
    ],
    ids=["drop", "html", "503", "went wrong", "limit", "no title", "a megabyte", "no json"],
)
async def test_a_new_title_that_fails_is_left_out_and_the_answer_is_not_kept(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, sql: Sql, failure: Reply
) -> None:
    omdb.found["thief"] = THIEVES
    omdb.replies[THIEVES[1]] = failure
    assert await found(search_client, "thief") == ("omdb", [THIEVES[0], THIEVES[2]])
    assert [movie["imdb_id"] for movie in await stored(search_client)] == sorted([THIEVES[0], THIEVES[2]])
    assert await sql("SELECT 1 FROM search_answers") == []
    del omdb.replies[THIEVES[1]]
    omdb.calls.clear()
    assert await found(search_client, "thief") == ("omdb", THIEVES)
    assert (omdb.searched, omdb.looked_up) == (["thief"], [THIEVES[1]])


@pytest.mark.parametrize("text", ["Error getting data.", "Incorrect IMDb ID.", "Movie not found!"])
async def test_a_title_that_upstream_does_not_know_is_left_out_and_the_answer_is_kept(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, text: str
) -> None:
    omdb.found["thief"] = THIEVES
    omdb.replies[THIEVES[1]] = said(text)
    assert await found(search_client, "thief") == ("omdb", [THIEVES[0], THIEVES[2]])
    omdb.calls.clear()
    assert await found(search_client, "thief") == ("omdb", [THIEVES[0], THIEVES[2]])
    assert omdb.calls == []


async def test_that_upstream_finds_nothing_is_an_answer_and_kept(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, sql: Sql
) -> None:
    omdb.replies["nothing at all"] = said("Movie not found!")
    assert await found(search_client, "nothing at all") == ("omdb", [])
    assert await found(search_client, "nothing at all") == ("omdb", [])
    assert len(omdb.calls) == 1
    assert await sql("SELECT provider, expression, movie_ids FROM search_answers") == [("omdb", "nothing at all", [])]


async def test_that_upstream_knows_none_of_its_hits_is_an_answer_and_kept(
    search_client: httpx.AsyncClient, omdb: OmdbDouble
) -> None:
    omdb.found["ghosts"] = ["tt9999991", "tt9999992"]
    assert await found(search_client, "ghosts") == ("omdb", [])
    assert await found(search_client, "ghosts") == ("omdb", [])
    assert len(omdb.calls) == 3


async def test_a_title_that_upstream_knows_by_another_id_is_returned_under_that(
    search_client: httpx.AsyncClient, omdb: OmdbDouble
) -> None:
    omdb.titles["tt7000001"] = title("tt7000002", Title="Moved")
    omdb.titles["tt7000002"] = title("tt7000002", Title="Moved")
    omdb.found |= {"moved": ["tt7000001", THIEVES[0]], "both": ["tt7000001", "tt7000002"]}
    assert await found(search_client, "moved") == ("omdb", ["tt7000002", THIEVES[0]])
    assert await found(search_client, "moved") == ("omdb", ["tt7000002", THIEVES[0]])
    assert await found(search_client, "both") == ("omdb", ["tt7000002"])
    assert [movie["imdb_id"] for movie in await stored(search_client)] == [THIEVES[0], "tt7000002"]


@pytest.mark.parametrize("again", ["The Thief", "the thief", " THE \t thief\n"])
async def test_a_repeated_expression_is_answered_by_two_statements_and_without_upstream(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, again: str
) -> None:
    omdb.found["The Thief"] = THIEVES
    first = await search_client.post("/movies/search/", json={"expression": "The Thief"})
    omdb.calls.clear()
    with log_lines() as lines:
        second = await search_client.post("/movies/search/", json={"expression": again})
    assert second.json() == first.json()
    assert second.headers["X-Search-Source"] == "omdb"
    assert omdb.calls == []
    assert [line["sql_count"] for line in lines if line["event"] == "request"] == [2]


async def test_a_stored_answer_serves_stale_titles_as_they_are(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, sql: Sql
) -> None:
    omdb.found["thief"] = THIEVES
    await found(search_client, "thief")
    await sql("UPDATE movies SET refreshed_at = now() - interval '400 days'")
    omdb.calls.clear()
    assert await found(search_client, "thief") == ("omdb", THIEVES)
    assert omdb.calls == []


@pytest.mark.parametrize(("age", "is_asked"), [("23 hours", False), ("25 hours", True)])
async def test_a_stored_answer_holds_for_a_day(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, sql: Sql, age: str, *, is_asked: bool
) -> None:
    omdb.found["thief"] = THIEVES
    await found(search_client, "thief")
    await sql(f"UPDATE search_answers SET stored_at = now() - interval '{age}'")
    omdb.found["thief"] = THIEVES[:1]
    omdb.calls.clear()
    assert await found(search_client, "thief") == ("omdb", THIEVES[:1] if is_asked else THIEVES)
    assert omdb.searched == (["thief"] if is_asked else [])
    # What was asked again is kept for a day again.
    omdb.calls.clear()
    await found(search_client, "thief")
    assert omdb.calls == []


async def test_an_answer_that_another_process_stored_meanwhile_is_replaced_by_the_newer_one(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, sql: Sql
) -> None:
    omdb.found["thief"] = THIEVES[:1]
    omdb.latency = 0.2
    search = asyncio.create_task(found(search_client, "thief"))
    await omdb.asked(1)
    await sql(
        "INSERT INTO search_answers (provider, expression, movie_ids, stored_at) "
        "VALUES ('omdb', 'thief', '{}', now() - interval '23 hours')"
    )
    assert await search == ("omdb", THIEVES[:1])
    newer = "SELECT cardinality(movie_ids), stored_at > now() - interval '1 minute' FROM search_answers"
    assert await sql(newer) == [(1, True)]


async def test_one_providers_stored_answer_is_not_anothers(
    start: Start, omdb: OmdbDouble, collectapi: CollectApiDouble
) -> None:
    omdb.found["thief"] = THIEVES[:1]
    collectapi.found["thief"] = THIEVES[1:]
    async with start(**with_omdb(omdb)) as by_omdb, start(**with_omdb(omdb), **with_imdb(collectapi)) as by_imdb:
        assert await found(by_omdb, "thief") == ("omdb", THIEVES[:1])
        assert await found(by_imdb, "thief") == ("imdb", THIEVES[1:])
        assert await found(by_omdb, "thief") == ("omdb", THIEVES[:1])


async def test_a_stored_answer_leaves_out_what_was_deleted(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, sql: Sql
) -> None:
    omdb.found["thief"] = THIEVES
    await found(search_client, "thief")
    await sql("DELETE FROM movies WHERE imdb_id = :id", id=THIEVES[1])
    assert await found(search_client, "thief") == ("omdb", [THIEVES[0], THIEVES[2]])


# Many at once


async def test_thirty_clients_at_the_same_moment_cost_one_search_and_one_lookup_a_title(start: Start, sql: Sql) -> None:
    async with knowing(10) as (omdb, ids), start(**with_omdb(omdb)) as client:
        omdb.latency = 0.1
        variants = ["film", " film", "FILM", "film "]
        answers = await asyncio.gather(*(found(client, variants[n % 4]) for n in range(30)))
        assert answers == [("omdb", ids)] * 30
        assert len(omdb.searched) == 1
        assert sorted(omdb.looked_up) == ids
    assert await sql("SELECT count(*) FROM movies") == [(10,)]


async def test_different_expressions_at_the_same_moment_with_the_same_new_titles_all_succeed(
    start: Start, sql: Sql
) -> None:
    async with knowing(10) as (omdb, ids), start(**with_omdb(omdb)) as client:
        expected = {}
        for number in range(12):
            expected[f"film {number}"] = ids[number % 10 :] + ids[: number % 10]
        omdb.found = dict(expected)
        answers = await asyncio.gather(*(found(client, expression) for expression in expected))
        assert answers == [("omdb", movies) for movies in expected.values()]
    assert await sql("SELECT count(*) FROM movies") == [(10,)]


async def test_ten_lookups_go_out_together_in_one_wave(start: Start) -> None:
    async with knowing(10) as (omdb, ids), start(**with_omdb(omdb)) as client:
        omdb.latency = 0.3
        assert await found(client, "film") == ("omdb", ids)
        assert omdb.most_in_flight >= 8
        assert omdb.waves == 2  # the search, and all its titles


async def test_ten_new_titles_are_stored_by_one_statement(start: Start, statements: Statements) -> None:
    async with knowing(10) as (omdb, ids), start(**with_omdb(omdb)) as client:
        with statements() as sent, log_lines() as lines:
            assert await found(client, "film") == ("omdb", ids)
    assert len([statement for statement in sent if statement.startswith("INSERT INTO movies ")]) == 1
    assert [line["sql_count"] for line in lines if line["event"] == "request"] == [5]


async def test_a_client_that_goes_away_spoils_nobody_elses_search(start: Start) -> None:
    async with knowing(3) as (omdb, ids), start(**with_omdb(omdb)) as client:
        omdb.latency = 0.2
        first = asyncio.create_task(found(client, "film"))
        await omdb.asked(1)
        second = asyncio.create_task(found(client, "film"))
        await asyncio.sleep(0.05)
        first.cancel()
        assert await second == ("omdb", ids)
        assert len(omdb.searched) == 1


# The provider fails


@pytest.mark.parametrize(
    "failure",
    [
        Reply(drop=True),
        said("Invalid API key!", 401),
        said("Request limit reached!", 401),
        Reply(HTML, 200, "text/html"),
        Reply(HTML, 403, "text/html"),
        Reply(b"", 500),
        Reply(HTML, 522, "text/html"),
        said("Too many results."),
        said("Something went wrong."),
        Reply(b" " * 1_000_000),
        Reply(b"[]"),
        Reply(b'{"Response": "True"}'),
        Reply(b'{"Response": "False", "Error": {}}'),
    ],
    ids=lambda reply: f"{reply.status} {reply.body[:40]!r}",
)
async def test_a_provider_that_fails_is_answered_from_the_catalogue_and_nothing_is_kept(
    start_with_sample: Start, omdb: OmdbDouble, sql: Sql, failure: Reply
) -> None:
    async with start_with_sample(**with_omdb(omdb)) as client:
        before = await stored(client)
        omdb.replies["inception"] = failure
        assert await found(client, "inception") == ("catalogue", ["tt1375666"])
        assert await sql("SELECT 1 FROM search_answers") == []
        assert await stored(client) == before
        del omdb.replies["inception"]
        assert await found(client, "inception") == ("omdb", ["tt1375666"])


@pytest.mark.parametrize(
    "failure",
    [
        Reply(b"401 Unauthorized", 401, "text/plain"),
        Reply(b"502 Bad Gateway", 502, "text/plain"),
        Reply(b"", 429),
        Reply(b'{"success": false, "message": "quota"}'),
        Reply(drop=True),
    ],
    ids=lambda reply: f"{reply.status} {reply.body[:20]!r}",
)
async def test_an_imdb_provider_that_fails_is_answered_from_the_catalogue(
    start_with_sample: Start, omdb: OmdbDouble, collectapi: CollectApiDouble, failure: Reply
) -> None:
    collectapi.always = failure
    async with start_with_sample(**with_omdb(omdb), **with_imdb(collectapi)) as client:
        assert await found(client, "inception") == ("catalogue", ["tt1375666"])
    assert omdb.calls == []


@pytest.mark.parametrize(
    "failure",
    [Reply(drop=True), Reply(b"", 500), said("Request limit reached!", 401), Reply(HTML)],
    ids=["drop", "500", "limit", "html"],
)
async def test_where_every_lookup_fails_the_catalogue_answers_and_nothing_is_kept(
    start_with_sample: Start, omdb: OmdbDouble, sql: Sql, failure: Reply
) -> None:
    ids = ["tt7000001", "tt7000002", "tt7000003"]
    omdb.found["inception"] = ids
    omdb.replies |= dict.fromkeys(ids, failure)
    async with start_with_sample(**with_omdb(omdb)) as client:
        assert await found(client, "inception") == ("catalogue", ["tt1375666"])
        assert await sql("SELECT 1 FROM search_answers") == []


async def test_upstreams_that_hang_are_answered_for_within_ten_seconds(
    start_with_sample: Start, omdb: OmdbDouble
) -> None:
    new = ["tt7000001", "tt7000002"]
    omdb.replies |= {"inception": Reply(hang=True), new[0]: Reply(hang=True)}
    omdb.titles[new[1]] = title(new[1])
    omdb.found["film"] = new
    omdb.found["matrix"] = new[:1]
    async with start_with_sample(**with_omdb(omdb)) as client:
        began = time.perf_counter()
        answers = await asyncio.gather(*(found(client, words) for words in ("inception", "film", "matrix")))
        # Each of the two calls that a search makes one after the other had its turn here, side by side.
        assert time.perf_counter() - began < 5
    assert answers == [("catalogue", ["tt1375666"]), ("omdb", new[1:]), ("catalogue", ["tt0133093"])]


async def test_a_provider_that_is_shut_out_is_answered_for_at_once(start_with_sample: Start, omdb: OmdbDouble) -> None:
    omdb.always = said("Request limit reached!", 401)
    async with start_with_sample(**with_omdb(omdb)) as client:
        for number in range(5):
            await found(client, f"inception {number}")
        omdb.calls.clear()
        assert await found(client, "inception") == ("catalogue", ["tt1375666"])
    assert omdb.calls == []


async def test_after_failures_of_every_kind_only_complete_titles_are_stored(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, sql: Sql
) -> None:
    ids = [f"tt700000{number}" for number in range(8)]
    omdb.titles |= {imdb_id: title(imdb_id) for imdb_id in ids}
    omdb.found["film"] = ids
    whole = json.dumps(title(ids[2])).encode()
    omdb.replies = {
        ids[0]: Reply(drop=True),
        ids[2]: Reply(whole, cut=True),
        ids[3]: Reply(whole[:-40]),
        ids[5]: Reply(json.dumps({"imdbID": ids[5]}).encode()),
    }
    assert await found(search_client, "film") == ("omdb", [ids[1], ids[4], ids[6], ids[7]])
    movies = await stored(search_client)
    assert [movie["imdb_id"] for movie in movies] == [ids[1], ids[4], ids[6], ids[7]]
    for movie in movies:
        assert [key for key, value in movie.items() if value in (None, [])] == ["total_seasons"]
    counts = "SELECT (SELECT count(*) FROM movie_counts), (SELECT count(*) FROM movie_genres)"
    assert await sql(counts) == [(4, 8)]


async def test_hostile_facts_are_stored_as_far_as_they_are_facts(
    search_client: httpx.AsyncClient, omdb: OmdbDouble
) -> None:
    omdb.found["film"] = ["tt7000001", "tt7000002", "tt7000003"]
    omdb.titles["tt7000001"] = title("tt7000001", imdbVotes=",", imdbRating="8." + "8" * 20_000, Genre="\x00, \ud800")
    omdb.titles["tt7000002"] = title("tt7000002", Title="A\x00B\ud800", Genre="x" * 240 + ", Crime", Year="٢٠١٠")
    omdb.titles["tt7000003"] = title("tt7000003", Title="\ufdfa" * 500, Actors="a," * 100_000, Plot="p" * 50_000)
    assert await found(search_client, "film") == ("omdb", ["tt7000001", "tt7000002", "tt7000003"])
    first, second, third = await stored(search_client)
    assert (first["imdb_votes"], first["imdb_rating"], first["genres"]) == (None, None, [])
    assert (second["title"], second["year"]) == ("AB", None)
    assert [genre["name"] for genre in second["genres"]] == ["x" * 240, "Crime"]
    assert (third["title"], third["actors"], len(third["plot"])) == ("\ufdfa" * 500, [], 50_000)


# What is asked


async def refusal(client: httpx.AsyncClient, body: bytes) -> dict[str, Any]:
    response = await client.post("/movies/search/", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (problem["status"], problem["code"]) == (422, "invalid_input")
    return problem


@pytest.mark.parametrize(
    "expression",
    [
        "",
        " ",
        "\t\n\u00a0\u2003",
        "x" * 256,
        "a\x00b",
        "lone \ud800",
        "\udfff",
        5,
        1.5,
        True,
        None,
        [],
        ["inception"],
        {},
        10**30,
    ],
    ids=lambda value: repr(value)[:20],
)
async def test_an_expression_that_cannot_be_taken_is_named_and_goes_nowhere(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, expression: object
) -> None:
    problem = await refusal(search_client, json.dumps({"expression": expression}).encode())
    assert [error["field"] for error in problem["errors"]] == ["expression"]
    assert omdb.calls == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "expression"),
        (b'{"Expression": "inception"}', "expression"),
        (b"", "body"),
        (b"null", "body"),
        (b"[]", "body"),
        (b'"inception"', "body"),
        (b'{"expression": "inception"', "body"),
        (b'{"expression": ' * 3_000, "body"),
        (b'{"expression": "\xff"}', "body"),
    ],
    ids=lambda value: repr(value)[:20],
)
async def test_a_body_without_an_expression_is_named_and_goes_nowhere(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, body: bytes, field: str
) -> None:
    problem = await refusal(search_client, body)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert omdb.calls == []


@pytest.mark.parametrize("expression", ["x" * 255, "\U0001f600" * 255, "ﬃ" * 255, "ab", "%_\\", "'; --", "?q=1&i=tt1"])
async def test_an_expression_of_up_to_255_characters_is_taken_whole(
    search_client: httpx.AsyncClient, omdb: OmdbDouble, expression: str
) -> None:
    omdb.found[expression] = THIEVES[:1]
    assert await found(search_client, expression) == ("omdb", THIEVES[:1])
    assert await found(search_client, expression) == ("omdb", THIEVES[:1])
    assert omdb.searched == [expression]


async def test_what_a_search_costs_is_logged_and_who_answered_it_is_counted(
    search_client: httpx.AsyncClient, omdb: OmdbDouble
) -> None:
    def answered(source: str, stored: str) -> float:
        return REGISTRY.get_sample_value("movie_finder_searches_total", {"source": source, "stored": stored}) or 0

    kinds = [("omdb", "false"), ("omdb", "true"), ("catalogue", "false")]
    before = [answered(*kind) for kind in kinds]
    omdb.found["thief"] = THIEVES
    with log_lines() as lines:
        await found(search_client, "thief")
        await found(search_client, "thief")
        omdb.always = Reply(status=401, body=b"Invalid API key!")
        await found(search_client, "nothing of the kind")
    assert [line["upstream_calls"] for line in lines if line["event"] == "request"] == [4, 0, 1]
    assert [answered(*kind) - number for kind, number in zip(kinds, before, strict=True)] == [1, 1, 1]
