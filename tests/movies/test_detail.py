"""GET /movies/{id}/, and the movie object wherever it is sent."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.core.database import Database
from app.movies.repository import MovieRepository
from app.upstream.titles import parse_title
from tests.conftest import make_settings, sample_payloads, started
from tests.movies.films import check_movie, known, listed
from tests.problem_documents import problem
from tests.sample_application import sample_application


@pytest.fixture(scope="module")
async def client(administrator: AsyncEngine, filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with sample_application(administrator, filled) as (_, client):
        yield client


async def test_every_movie_is_the_same_object_in_the_list_and_alone(client: httpx.AsyncClient) -> None:
    movies = await listed(client)
    assert len(movies) == 464
    for movie in movies:
        check_movie(movie)
    for movie in movies[::20]:
        response = await client.get(f"/movies/{movie['id']}/")
        assert (response.status_code, response.json()) == (200, movie)
        assert response.headers["Content-Type"] == "application/json"


async def test_a_search_answers_with_the_same_objects(client: httpx.AsyncClient) -> None:
    found = (await client.post("/movies/search/", json={"expression": "the"})).json()
    assert len(found) == 10
    for movie in found:
        check_movie(movie)
        assert (await client.get(f"/movies/{movie['id']}/")).json() == movie


async def test_every_movie_says_what_the_catalogue_says(client: httpx.AsyncClient) -> None:
    stored = {movie["imdb_id"]: movie for movie in await listed(client)}
    plain_members = {
        "title": "Title",
        "year": "Year",
        "runtime": "Runtime",
        "plot": "Plot",
        "awards": "Awards",
        "poster": "Poster",
        "metascore": "Metascore",
        "imdb_rating": "imdbRating",
        "imdb_votes": "imdbVotes",
        "type": "Type",
        "total_seasons": "totalSeasons",
    }
    for payload in sample_payloads():
        movie = stored.pop(payload["imdbID"])
        for name, key in plain_members.items():
            assert movie[name] == known(payload, key), (payload["imdbID"], name)
        for name, key in {"genres": "Genre", "languages": "Language", "countries": "Country"}.items():
            expected = (known(payload, key) or "").split(", ") if known(payload, key) else []
            assert [item["name"] for item in movie[name]] == expected, (payload["imdbID"], name)
        assert movie["ratings"] == [{"source": r["Source"], "value": r["Value"]} for r in payload["Ratings"]]
        assert (movie["is_liked"], movie["is_watch_later"]) == (False, False)
        assert (movie["likes_count"], movie["watch_later_count"]) == (0, 0)
    assert stored == {}


PAYLOAD: dict[str, Any] = {
    "Title": "Café “Ünïcode” \N{EN DASH} 七人の侍",
    "Year": "2008\N{EN DASH}2013",
    "Released": "20 Jan 2008",
    "Runtime": "49 min",
    "Genre": "Zeta, Alpha, Zeta, Mid",
    "Director": "N/A",
    "Writer": "Zoë Z (creator), Adam A (story by), Zoë Z",
    "Actors": "Zed, Ann, Moe",
    "Plot": "N/A",
    "Language": "Spanish, English",
    "Country": "N/A",
    "Awards": "",
    "Poster": "https://posters.example/a.jpg",
    "Ratings": [{"Source": "Internet Movie Database", "Value": "9.0/10"}, {"Source": "N/A", "Value": "N/A"}],
    "Metascore": "N/A",
    "imdbRating": "9.0",
    "imdbVotes": "2,345,678",
    "imdbID": "tt0903747",
    "Type": "series",
    "totalSeasons": "5",
    "Response": "True",
}
UNKNOWN = {key: "N/A" for key in PAYLOAD if key not in {"Title", "imdbID", "Ratings", "Response"}}


async def stored(url: URL, *payloads: dict[str, Any]) -> None:
    database = Database(url)

    async def store(session: AsyncSession) -> None:
        await MovieRepository(session).upsert([parse_title(payload) for payload in payloads], refreshed_at=None)

    await database.write(store)
    await database.close()


async def test_strings_keep_their_form_and_names_their_order(empty_url: URL) -> None:
    bare = {"Title": "Bare", "imdbID": "tt0000001", **UNKNOWN}
    votes = {**bare, "imdbID": "tt0000002", "imdbVotes": "999", "imdbRating": "10"}
    other_votes = {**bare, "imdbID": "tt0000003", "imdbVotes": "1,000", "imdbRating": "7.10"}
    await stored(empty_url, PAYLOAD, bare, votes, other_votes)
    async with started(make_settings(empty_url)) as (_, client):
        movies = {movie["imdb_id"]: movie for movie in await listed(client)}
    for movie in movies.values():
        check_movie(movie)
    movie = movies["tt0903747"]
    assert movie["title"] == PAYLOAD["Title"]
    assert movie["year"] == PAYLOAD["Year"]
    assert movie["released_date"] == "2008-01-20"
    assert (movie["imdb_rating"], movie["imdb_votes"], movie["total_seasons"]) == ("9.0", "2,345,678", "5")
    assert movie["genres"] == [{"name": "Zeta"}, {"name": "Alpha"}, {"name": "Mid"}]
    assert movie["writers"] == [{"full_name": "Zoë Z"}, {"full_name": "Adam A"}]
    assert movie["actors"] == [{"full_name": "Zed"}, {"full_name": "Ann"}, {"full_name": "Moe"}]
    assert movie["languages"] == [{"name": "Spanish"}, {"name": "English"}]
    assert movie["ratings"] == [{"source": "Internet Movie Database", "value": "9.0/10"}]
    assert (movie["plot"], movie["awards"], movie["metascore"]) == (None, None, None)
    assert (movie["directors"], movie["countries"]) == ([], [])
    for name, value in movies["tt0000001"].items():
        if name not in {"id", "imdb_id", "title", "created_at"}:
            assert value in (None, [], False, 0), name
    assert (movies["tt0000002"]["imdb_votes"], movies["tt0000002"]["imdb_rating"]) == ("999", "10")
    assert (movies["tt0000003"]["imdb_votes"], movies["tt0000003"]["imdb_rating"]) == ("1,000", "7.10")


async def test_times_are_in_utc_whatever_the_databases_time_zone(empty_url: URL) -> None:
    await stored(empty_url, {"Title": "Bare", "imdbID": "tt0000001", **UNKNOWN})
    database = Database(empty_url)
    async with database.transaction() as session:
        await session.execute(text(f"ALTER DATABASE \"{empty_url.database}\" SET timezone = 'Asia/Kathmandu'"))
        await session.execute(text("UPDATE movies SET created_at = '2026-02-03 04:05:06.789+05:45'"))
    await database.close()
    async with started(make_settings(empty_url)) as (_, client):
        (movie,) = await listed(client)
    assert movie["created_at"] == "2026-02-02T22:20:06.789000Z"


NO_IDS = [
    "0",
    "-1",
    "+1",
    "00",
    "01",
    "1.0",
    "1e0",
    "1_0",
    "0x1",
    "%201",
    "1%20",
    "1%0A",
    "%00",
    "1%00",
    "abc",
    "1a",
    "%D9%A1",  # an Arabic 1
    "%EF%BC%91",  # a wide 1
    "NaN",
    "null",
    "%ED%A0%80",
    "%FF",
    "topmost",
    str(2**63),
    str(10**30),
    "9" * 5000,
]


@pytest.mark.parametrize("name", NO_IDS)
async def test_what_is_no_id_is_nowhere(client: httpx.AsyncClient, name: str) -> None:
    problem(await client.get(f"/movies/{name}/"), 404, "not_found")


@pytest.mark.parametrize("movie_id", [465, 999_999, 2**31, 2**32, 2**63 - 1])
async def test_an_id_that_names_no_movie_is_told_apart(client: httpx.AsyncClient, movie_id: int) -> None:
    document = problem(await client.get(f"/movies/{movie_id}/"), 404, "movie_not_found")
    assert document["detail"] == "There is no movie with this id."


async def test_the_searchs_path_is_no_movie_and_takes_only_searches(client: httpx.AsyncClient) -> None:
    for method in ("GET", "DELETE", "PUT", "PATCH"):
        response = await client.request(method, "/movies/search/")
        problem(response, 405, "method_not_allowed", case=method)
        assert response.headers["Allow"] == "POST", method


async def test_the_genres_of_the_stored_movies_are_listed_once_and_sorted(client: httpx.AsyncClient) -> None:
    genres = {genre for payload in sample_payloads() for genre in (known(payload, "Genre") or "").split(", ")} - {""}
    answer = await client.get("/structures/")
    assert answer.json() == {"genres": sorted(genres)}


async def test_without_movies_there_are_no_genres_and_no_results(empty_client: httpx.AsyncClient) -> None:
    assert (await empty_client.get("/structures/")).json() == {"genres": []}
    assert (await empty_client.get("/movies/")).json() == {"count": 0, "next": None, "previous": None, "results": []}
    problem(await empty_client.get("/movies/1/"), 404, "movie_not_found")
