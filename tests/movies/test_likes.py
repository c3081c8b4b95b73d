"""Likes: once each user, counted by the database, and shown to who made them."""

import asyncio
from collections import Counter

import httpx
import pytest
from sqlalchemy import text

from tests.accounts import Service, claims, opened, signed
from tests.doubles.omdb import OmdbDouble
from tests.movies.conftest import with_omdb
from tests.movies.people import People, Person
from tests.problem_documents import problem


async def marks(asker: Person | Service, movie_id: int) -> tuple[bool, int]:
    """Whether the movie is shown as liked, and how often."""
    path = f"/movies/{movie_id}/"
    answer = await (asker.get(path) if isinstance(asker, Person) else asker.client.get(path))
    movie = answer.json()
    return movie["is_liked"], movie["likes_count"]


async def test_the_first_like_is_201_and_those_after_are_200(people: People) -> None:
    (movie_id,) = await people.movie_ids(count=1)
    first = await people.ada.post(f"/movies/{movie_id}/like/")
    again = await people.ada.post(f"/movies/{movie_id}/like/")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == {"id": movie_id, "is_liked": True, "likes_count": 1}


async def test_a_like_is_shown_to_who_made_it_and_counted_for_all(people: People) -> None:
    (movie_id,) = await people.movie_ids(count=1)
    await people.ada.like(movie_id)
    assert await marks(people.ada, movie_id) == (True, 1)
    assert await marks(people.grace, movie_id) == (False, 1)
    assert await marks(people.service, movie_id) == (False, 1)
    await people.grace.like(movie_id)
    assert await marks(people.ada, movie_id) == (True, 2)


async def test_a_like_is_taken_back_once(people: People) -> None:
    (movie_id,) = await people.movie_ids(count=1)
    await people.ada.like(movie_id)
    await people.grace.like(movie_id)
    for _ in range(2):
        answer = await people.ada.post(f"/movies/{movie_id}/unlike/")
        assert answer.status_code == 200
        assert answer.json() == {"id": movie_id, "is_liked": False, "likes_count": 1}
    assert await marks(people.ada, movie_id) == (False, 1)


async def test_a_movie_that_is_not_stored_cannot_be_liked_and_is_not_liked_already(people: People) -> None:
    problem(await people.ada.post("/movies/999999/like/"), 404, "movie_not_found")
    answer = await people.ada.post("/movies/999999/unlike/")
    assert (answer.status_code, answer.json()) == (200, {"id": 999999, "is_liked": False, "likes_count": 0})


@pytest.mark.parametrize("verb", ["like", "unlike"])
@pytest.mark.parametrize("number", ["0", "-1", "abc", str(2**63), "1.0", "%00"])
async def test_what_is_no_id_names_nothing(people: People, verb: str, number: str) -> None:
    problem(await people.ada.post(f"/movies/{number}/{verb}/"), 404)


@pytest.mark.parametrize("verb", ["like", "unlike"])
async def test_nobody_likes_nothing(people: People, verb: str) -> None:
    (movie_id,) = await people.movie_ids(count=1)
    problem(await people.service.client.post(f"/movies/{movie_id}/{verb}/"), 401, "not_authenticated")
    assert await marks(people.service, movie_id) == (False, 0)


async def test_fifty_likes_of_one_movie_by_one_user_at_once_are_one(people: People) -> None:
    (movie_id,) = await people.movie_ids(count=1)
    answers = await asyncio.gather(*(people.ada.post(f"/movies/{movie_id}/like/") for _ in range(50)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 49}
    assert await marks(people.ada, movie_id) == (True, 1)


async def test_many_who_like_one_movie_at_once_are_all_counted(people: People) -> None:
    (movie_id,) = await people.movie_ids(count=1)
    crowd = [await people.new(f"reader{number}@example.com") for number in range(12)]
    answers = await asyncio.gather(*(reader.post(f"/movies/{movie_id}/like/") for reader in crowd))
    assert {answer.status_code for answer in answers} == {201}
    assert await marks(people.ada, movie_id) == (False, 12)


async def test_a_deleted_user_takes_their_likes_along(people: People) -> None:
    kept, other = await people.movie_ids(count=2)
    await people.ada.like(kept, other)
    await people.grace.like(kept)
    await people.service.execute("DELETE FROM users WHERE id = :id", id=people.ada.id)
    assert await marks(people.grace, kept) == (True, 1)
    assert await marks(people.grace, other) == (False, 0)


async def test_a_user_who_is_deleted_in_the_middle_of_a_like_is_nobody(people: People) -> None:
    (movie_id,) = await people.movie_ids(count=1)
    service = people.service
    async with service.database.transaction() as deletion:
        await deletion.execute(text("DELETE FROM users WHERE id = :id"), {"id": people.ada.id})
        like = asyncio.create_task(people.ada.post(f"/movies/{movie_id}/like/"))
        await service.waits_for_a_lock()
    problem(await like, 401, "invalid_token")
    assert await marks(people.grace, movie_id) == (False, 0)


async def test_the_most_liked_come_first_when_asked_for(people: People) -> None:
    first, second, third = await people.movie_ids(count=3)
    await people.ada.like(second, third)
    await people.grace.like(third)
    page = (await people.ada.get("/movies/?ordering=-likes_count&limit=3")).json()["results"]
    assert [movie["id"] for movie in page[:2]] == [third, second]
    assert [(movie["is_liked"], movie["likes_count"]) for movie in page] == [(True, 2), (True, 1), (False, 0)]
    assert first not in [movie["id"] for movie in page[:2]]


async def test_a_page_shows_what_the_caller_likes_and_has_queued(people: People) -> None:
    liked, queued, neither = await people.movie_ids(count=3)
    await people.ada.like(liked)
    await people.ada.queue(queued)
    for reader, seen in ((people.ada, {liked: (True, False), queued: (False, True)}), (people.grace, {})):
        page = (await reader.get("/movies/?ordering=imdb_id&limit=3")).json()["results"]
        found = {movie["id"]: (movie["is_liked"], movie["is_watch_later"]) for movie in page}
        assert found == {liked: (False, False), queued: (False, False), neither: (False, False)} | seen


async def test_a_search_in_the_catalogue_shows_what_the_caller_likes_and_has_queued(people: People) -> None:
    client = people.service.client
    ids = [movie["id"] for movie in (await client.post("/movies/search/", json={"expression": "godfather"})).json()]
    await people.ada.like(ids[0])
    await people.ada.queue(ids[1])
    found = (await people.ada.post("/movies/search/", expression="godfather")).json()
    assert [(m["id"], m["is_liked"], m["is_watch_later"]) for m in found[:2]] == [
        (ids[0], True, False),
        (ids[1], False, True),
    ]
    nobodys = (await client.post("/movies/search/", json={"expression": "godfather"})).json()
    assert not any(movie["is_liked"] or movie["is_watch_later"] for movie in nobodys)
    assert (await people.ada.post("/movies/search/", expression="no such film at all")).json() == []


async def test_of_one_search_that_many_share_each_sees_their_own_likes(people: People, omdb: OmdbDouble) -> None:
    async with opened(people.service.url, **with_omdb(omdb)) as service:
        (movie_id,) = [m["id"] for m in (await people.ada.get("/movies/?title=metropolis")).json()["results"]]
        await people.ada.like(movie_id)
        omdb.latency = 0.1
        body = {"expression": "metropolis"}
        grace = {"Authorization": f"Bearer {people.grace.access}"}
        ada = {"Authorization": f"Bearer {people.ada.access}"}
        post = service.client.post
        answers: list[httpx.Response] = await asyncio.gather(
            *(post("/movies/search/", json=body, headers=headers) for headers in (ada, grace, {}))
        )
        assert [answer.json()[0]["is_liked"] for answer in answers] == [True, False, False]
        assert len(omdb.searched) == 1


async def test_where_auth_is_optional_a_bad_token_is_refused_and_never_taken_for_nobody(people: People) -> None:
    client = people.service.client
    expired = {"Authorization": f"Bearer {signed(claims(people.ada.id, exp=1))}"}
    for path in ("/movies/", "/movies/1/"):
        problem(await client.get(path, headers=expired), 401, "invalid_token", case=path)
    search = await client.post("/movies/search/", json={"expression": "heat"}, headers=expired)
    problem(search, 401, "invalid_token")
    assert (await client.get("/structures/", headers=expired)).status_code == 200
