"""The sample catalogue: what is in it, and that loading it is harmless."""

import collections
import json
from pathlib import Path
from typing import Any

import httpx

from app.core.database import Database
from app.movies.sample import load_sample, load_sample_if_empty, sample_titles
from app.upstream.titles import parse_title
from tests.conftest import Start, sample_payloads
from tests.doubles.omdb import OmdbDouble
from tests.movies.conftest import Sql, found, stored, title, with_omdb


def test_the_sample_is_hundreds_of_different_titles() -> None:
    titles = sample_titles()
    assert len(titles) >= 250
    assert len({title.imdb_id for title in titles}) == len(titles)
    assert len({(title.title, title.year) for title in titles}) == len(titles)


def test_the_sample_spans_every_decade_since_the_first_films_and_thirty_countries() -> None:
    titles = sample_titles()
    decades = {int(title.year[:4]) // 10 * 10 for title in titles if title.year}
    assert decades >= set(range(1900, 2030, 10))
    assert len({country for title in titles for country in title.countries}) >= 30


def test_every_sample_title_says_enough_to_be_shown_found_and_ordered() -> None:
    for facts in sample_titles():
        assert facts.year, facts
        assert facts.genres, facts
        assert facts.countries, facts
        assert facts.plot, facts
        assert facts.directors or facts.writers or facts.actors, facts
        assert facts.type in {"movie", "series"}, facts


def test_what_the_sample_says_of_a_title_is_understood_whole() -> None:
    facts = {"Year": "year", "Released": "released_date", "Runtime": "runtime", "imdbRating": "imdb_rating"}
    facts |= {
        "imdbVotes": "imdb_votes",
        "Metascore": "metascore",
        "Poster": "poster",
        "Type": "type",
        "Genre": "genres",
    }
    facts |= {"Country": "countries", "Language": "languages", "Actors": "actors", "totalSeasons": "total_seasons"}
    for payload in sample_payloads():
        understood = parse_title(payload)
        for key, fact in facts.items():
            if payload.get(key, "N/A") != "N/A":
                assert getattr(understood, fact), (payload["imdbID"], key)


async def test_the_sample_is_stored_whole_and_can_be_browsed(client: httpx.AsyncClient) -> None:
    movies = await stored(client)
    assert [movie["imdb_id"] for movie in movies] == sorted(title.imdb_id for title in sample_titles())
    for movie in movies:
        assert not {"", "N/A"} & {value for value in movie.values() if isinstance(value, str)}


async def test_loading_the_sample_twice_changes_nothing(
    empty_client: httpx.AsyncClient, database: Database, sql: Sql
) -> None:
    assert await load_sample(database) == len(sample_titles())
    before = await stored(empty_client)
    counts = await sql("SELECT (SELECT count(*) FROM movie_genres), (SELECT count(*) FROM movie_counts)")
    assert await load_sample(database) == len(before)
    assert await stored(empty_client) == before
    assert await sql("SELECT (SELECT count(*) FROM movie_genres), (SELECT count(*) FROM movie_counts)") == counts


async def test_the_sample_is_stored_by_itself_only_where_there_is_no_movie(database: Database, sql: Sql) -> None:
    assert await load_sample_if_empty(database) == len(sample_titles())
    await sql("DELETE FROM movies WHERE imdb_id <> 'tt1375666'")
    assert await load_sample_if_empty(database) == 0
    assert await sql("SELECT count(*) FROM movies") == [(1,)]


async def test_a_title_that_upstream_was_asked_for_is_left_alone_by_another_load(
    start: Start, database: Database, omdb: OmdbDouble
) -> None:
    await load_sample(database)
    omdb.titles["tt1375666"] = title("tt1375666", Title="Inception, renewed", Plot="Another plot.")
    omdb.found["inception"] = ["tt1375666"]
    async with start(**with_omdb(omdb)) as client:
        await found(client, "inception")
        before = {movie["imdb_id"]: movie for movie in await stored(client)}
        assert before["tt1375666"]["title"] == "Inception, renewed"
        await load_sample(database)
        assert {movie["imdb_id"]: movie for movie in await stored(client)} == before


def test_the_sample_and_recorded_payloads_speak_of_the_same_titles(real_data: Path) -> None:
    def year(payload: dict[str, Any]) -> str:
        return str(payload["Year"])[:4]

    lines = (real_data / "omdb.jsonl").read_text(encoding="utf-8").splitlines()
    recorded = [json.loads(line) for line in lines]
    by_id = {payload["imdbID"]: payload for payload in recorded}
    # A film and a game, or two episodes, may share title and year: only what stands alone can be compared.
    shared = collections.Counter((p["Title"], year(p), p["Type"]) for p in recorded)
    by_title = {(p["Title"], year(p), p["Type"]): p for p in recorded if shared[p["Title"], year(p), p["Type"]] == 1}
    common = 0
    for ours in sample_payloads():
        theirs = by_id.get(ours["imdbID"])
        if theirs:
            common += 1
            assert (ours["Title"], year(ours)) == (theirs["Title"], year(theirs)), ours["imdbID"]
        namesake = by_title.get((ours["Title"], year(ours), ours["Type"]))
        if namesake:
            assert ours["imdbID"] == namesake["imdbID"], ours["Title"]
    assert common > 20
