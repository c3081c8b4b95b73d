"""The watch-later list: its pages, and how movies get onto it and off it."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text

from tests.movies.films import check_movie
from tests.movies.people import People
from tests.problem_documents import fields, problem


async def test_the_first_time_is_201_and_those_after_are_200_with_the_same_body(people: People) -> None:
    (movie_id,) = await people.movie_ids(count=1)
    first = await people.ada.post("/watch_later/create/", movie=movie_id)
    again = await people.ada.post("/watch_later/create/", movie=movie_id)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == {"id": first.json()["id"], "movie": movie_id}


async def test_the_list_is_the_callers_own(people: People) -> None:
    mine, hers = await people.movie_ids(count=2)
    await people.ada.queue(mine)
    await people.grace.queue(hers)
    assert [movie["id"] for movie in await people.ada.queued()] == [mine]
    assert [movie["id"] for movie in await people.grace.queued()] == [hers]


async def test_what_was_added_last_comes_first_with_the_time(people: People) -> None:
    ids = await people.movie_ids(count=5)
    await people.ada.queue(*ids)
    movies = await people.ada.queued("limit=2")
    assert [movie["id"] for movie in movies] == list(reversed(ids))
    times = [movie.pop("added_at") for movie in movies]
    assert times == sorted(times, reverse=True)
    assert all(time.endswith("Z") for time in times)
    for movie in movies:
        check_movie(movie)
        assert (movie["is_watch_later"], movie["watch_later_count"]) == (True, 1)
    assert [movie["id"] for movie in await people.ada.queued("ordering=added_at&limit=2")] == list(ids)


async def test_entries_of_the_same_moment_are_neither_repeated_nor_lost_between_pages(people: People) -> None:
    ids = await people.movie_ids(count=9)
    await people.ada.queue(*ids)
    await people.service.execute("UPDATE watch_later SET added_at = '2026-01-01'")
    for ordering in ("", "ordering=added_at"):
        found = [movie["id"] for movie in await people.ada.queued(f"{ordering}&limit=2")]
        assert sorted(found) == sorted(ids)


async def test_filters_and_orderings_are_those_of_the_catalogue(people: People) -> None:
    page = (await people.ada.get("/movies/?genres=crime&ordering=-imdb_rating&limit=30")).json()["results"]
    await people.ada.queue(*(movie["id"] for movie in reversed(page)))
    await people.ada.queue(*await people.movie_ids("-year", 8))
    queued = {movie["id"] for movie in await people.ada.queued()}
    for query in (
        "genres=crime&ordering=created_at",
        "genres=crime&rating_min=8.5&ordering=-imdb_rating",
        "title=god&ordering=title",
        "year=197&rating_max=9.1&ordering=-year,title",
        "search=godfather",
        "search=godfahter",  # forgives a typo, here too
        "type=series&ordering=imdb_id",
        "imdb_id=tt0068646&ordering=genre",
        "genres=mystery&ordering=-likes_count,title",
    ):
        every = (await people.ada.get(f"/movies/?{query}&limit=100")).json()
        assert every["next"] is None, query
        expected = [movie["id"] for movie in every["results"] if movie["id"] in queued]
        assert expected, query
        assert [movie["id"] for movie in await people.ada.queued(query)] == expected, query


async def test_an_unknown_ordering_is_refused_with_those_allowed(people: People) -> None:
    answer = await people.ada.get("/watch_later/list/?ordering=position")
    assert fields(answer) == {"ordering"}
    assert "added_at" in answer.json()["detail"]
    assert fields(await people.ada.get("/watch_later/list/?limit=1&limit=2")) == {"limit"}


@pytest.mark.parametrize("movie", [999_999, 0, -1, 2**63, "1", 1.5, True, None, [1], {"id": 1}])
async def test_what_is_no_stored_movie_is_refused_by_name(people: People, movie: object) -> None:
    assert fields(await people.ada.post("/watch_later/create/", movie=movie)) == {"movie"}
    assert await people.ada.queued() == []


async def test_a_movie_is_taken_off_once_and_the_answer_is_the_same_after(people: People) -> None:
    gone, kept = await people.movie_ids(count=2)
    await people.ada.queue(gone, kept)
    await people.grace.queue(gone)
    for _ in range(2):
        answer = await people.ada.delete(f"/watch_later/{gone}/destroy/")
        assert (answer.status_code, answer.content) == (204, b"")
    assert [movie["id"] for movie in await people.ada.queued()] == [kept]
    assert [movie["watch_later_count"] for movie in await people.grace.queued()] == [1]
    assert (await people.ada.delete("/watch_later/999999/destroy/")).status_code == 204


async def test_nobody_has_no_list(people: People) -> None:
    client = people.service.client
    for answer in (
        await client.get("/watch_later/list/"),
        await client.post("/watch_later/create/", json={"movie": 1}),
        await client.delete("/watch_later/1/destroy/"),
        await client.get("/watch_later/statistics/"),
    ):
        problem(answer, 401, "not_authenticated")


async def test_fifty_entries_of_one_movie_at_once_are_one(people: People) -> None:
    (movie_id,) = await people.movie_ids(count=1)
    answers = await asyncio.gather(*(people.ada.post("/watch_later/create/", movie=movie_id) for _ in range(50)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 49}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [movie["watch_later_count"] for movie in await people.ada.queued()] == [1]


async def test_a_movie_that_is_deleted_in_the_middle_is_unknown(people: People) -> None:
    (movie_id,) = await people.movie_ids(count=1)
    service = people.service
    async with service.database.transaction() as deletion:
        # It comes back at the end: the catalogue is shared.
        await deletion.execute(text("CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT * FROM movies"))
        await deletion.execute(text("DELETE FROM movies WHERE id = :id"), {"id": movie_id})
        entry = asyncio.create_task(people.ada.post("/watch_later/create/", movie=movie_id))
        await service.waits_for_a_lock()
        columns = await deletion.execute(
            text(
                "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns"
                " WHERE table_name = 'movies' AND table_schema = 'public' AND is_generated = 'NEVER'"
            )
        )
        names = columns.scalar_one()
        copy = f"INSERT INTO movies ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM kept WHERE id = :id"
        await deletion.execute(text(copy), {"id": movie_id})
    assert fields(await entry) == {"movie"}


async def test_a_user_who_is_deleted_in_the_middle_is_nobody(people: People) -> None:
    (movie_id,) = await people.movie_ids(count=1)
    service = people.service
    async with service.database.transaction() as deletion:
        await deletion.execute(text("DELETE FROM users WHERE id = :id"), {"id": people.ada.id})
        entry = asyncio.create_task(people.ada.post("/watch_later/create/", movie=movie_id))
        await service.waits_for_a_lock()
    problem(await entry, 401, "invalid_token")
