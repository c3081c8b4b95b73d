"""The movies of collections: replaced, raced for, copied, and listed."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Protocol

import pytest
from sqlalchemy import text

from tests.collections.conftest import contents, made, movie_ids_of
from tests.movies.conftest import Statements
from tests.movies.people import People
from tests.problem_documents import fields, problem


class Fill(Protocol):
    """Puts so many made-up movies into a collection of Ada's, and gives their ids in its order."""

    async def __call__(self, collection_id: int, number: int) -> list[int]: ...


@pytest.fixture
async def fill(people: People) -> AsyncIterator[Fill]:
    async def fill(collection_id: int, number: int) -> list[int]:
        async with people.service.database.transaction() as session:
            added = await session.execute(
                text(
                    "INSERT INTO movies (imdb_id, title, folded_title, poster)"
                    " SELECT 'made up ' || n, 'Film ' || n, 'film ' || n, 'https://posters.example/' || n"
                    " FROM generate_series(1, :number) AS n RETURNING id"
                ),
                {"number": number},
            )
            ids = [*added.scalars()]
        assert (await people.ada.patch(f"/collections/{collection_id}/", movie_ids=ids)).status_code == 200
        return ids

    yield fill
    await people.service.execute("DELETE FROM movies WHERE imdb_id LIKE 'made up %'")


async def test_movie_ids_take_the_place_of_all_that_are_in_it(people: People) -> None:
    a, b, c, d, e = await people.movie_ids(count=5)
    collection = await made(people.ada, movie_ids=[a, b, c])
    path = f"/collections/{collection['id']}/"
    for movie_ids in ([c, b, a], [d, a], [a], [e, d, c, b, a], [], [b]):
        changed = (await people.ada.patch(path, movie_ids=movie_ids)).json()
        assert changed["movies_count"] == len(movie_ids)
        assert await movie_ids_of(people.ada, collection["id"]) == movie_ids


async def test_movies_that_stay_keep_the_time_at_which_they_were_added(people: People) -> None:
    a, b, c, d = await people.movie_ids(count=4)
    collection = await made(people.ada, movie_ids=[a, b, c])
    await people.service.execute("UPDATE collection_movies SET added_at = '2020-01-01'")
    await people.ada.patch(f"/collections/{collection['id']}/", movie_ids=[d, c, a])
    kept = "SELECT array_agg(movie_id ORDER BY position) FROM collection_movies WHERE added_at = '2020-01-01'"
    assert await people.service.value(kept) == [c, a]
    assert await movie_ids_of(people.ada, collection["id"], "ordering=-added_at,position") == [d, c, a]


async def test_replacing_a_thousand_movies_is_four_statements_the_callers_own_included(
    people: People, fill: Fill, statements: Statements
) -> None:
    collection = await made(people.ada)
    ids = await fill(collection["id"], 1500)
    wanted = ids[:200:-1][:1000]
    with statements() as sent:
        changed = await people.ada.patch(f"/collections/{collection['id']}/", name="New", movie_ids=wanted)
    assert changed.json()["movies_count"] == 1000
    assert len(sent) == 4, sent
    assert await movie_ids_of(people.ada, collection["id"]) == wanted
    with statements() as sent:
        await made(people.ada, movie_ids=wanted)
    assert len(sent) == 4, sent


async def test_of_two_lists_given_at_once_one_is_kept_whole_and_in_order(people: People) -> None:
    ids = list(await people.movie_ids(count=60))
    collection = await made(people.ada, movie_ids=ids[:30])
    path = f"/collections/{collection['id']}/"
    shuffle = random.Random(7).shuffle
    for _ in range(6):
        lists = []
        for start in (0, 10, 20):
            lists.append(ids[start : start + 40])
            shuffle(lists[-1])
        answers = await asyncio.gather(*(people.ada.patch(path, movie_ids=movie_ids) for movie_ids in lists))
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert [answer.json()["movies_count"] for answer in answers] == [40, 40, 40]
        assert await movie_ids_of(people.ada, collection["id"]) in lists


async def test_a_movie_deleted_while_it_is_put_into_a_collection_is_unknown(people: People, fill: Fill) -> None:
    collection = await made(people.ada)
    kept, doomed, _ = await fill(collection["id"], 3)
    await people.ada.patch(f"/collections/{collection['id']}/", movie_ids=[])
    original = await made(people.ada, movie_ids=[doomed, kept])
    async with people.service.database.transaction() as session:
        await session.execute(text("DELETE FROM movies WHERE id = :id"), {"id": doomed})
        put = asyncio.ensure_future(people.ada.patch(f"/collections/{collection['id']}/", movie_ids=[kept, doomed]))
        await people.service.waits_for_a_lock()
        copied = asyncio.ensure_future(people.ada.post(f"/collections/{original['id']}/clone/"))
        await asyncio.sleep(0.05)
    assert fields(await put) == {"movie_ids"}
    copy = (await copied).json()
    assert copy["movies_count"] == 1
    assert await movie_ids_of(people.ada, copy["id"]) == [kept]


async def test_a_deleted_movie_is_in_no_collection_any_more(people: People, fill: Fill) -> None:
    collection = await made(people.ada)
    a, b, c = await fill(collection["id"], 3)
    await people.service.execute("DELETE FROM movies WHERE id = :id", id=b)
    assert await movie_ids_of(people.ada, collection["id"]) == [a, c]
    assert (await people.ada.get(f"/collections/{collection['id']}/")).json()["movies_count"] == 2


async def test_a_movie_is_shown_with_what_is_agreed_and_no_more(people: People) -> None:
    (movie_id,) = await people.movie_ids("-imdb_rating", 1)
    whole = (await people.service.client.get(f"/movies/{movie_id}/")).json()
    collection = await made(people.ada, movie_ids=[movie_id])
    (movie,) = await contents(people.ada, collection["id"])
    assert list(movie) == ["id", "title", "imdb_id", "poster", "year", "description", "imdb_rating"]
    assert movie == {**{name: whole[name] for name in movie if name != "description"}, "description": whole["plot"]}


@pytest.mark.parametrize(
    "query",
    [
        "genres=crime",
        "year=19",
        "search=the",
        "rating_min=8.5",
        "rating_max=8",
        "genres=drama&rating_min=8&rating_max=9&year=20",
        "imdb_id=tt0047478",
        "search=seven+samuri",
    ],
)
async def test_filters_are_those_of_the_catalogue(people: People, query: str) -> None:
    ids = [*await people.movie_ids("-imdb_rating", 100), *await people.movie_ids("title", 100)]
    collection = await made(people.ada, movie_ids=ids)
    in_order = await movie_ids_of(people.ada, collection["id"])
    catalogue: set[int] = set()
    url = f"/movies/?limit=100&{query}"
    while url:
        page = (await people.service.client.get(url)).json()
        catalogue |= {movie["id"] for movie in page["results"]}
        url = page["next"]
    expected = [movie_id for movie_id in in_order if movie_id in catalogue]
    assert expected
    assert await movie_ids_of(people.ada, collection["id"], f"limit=7&{query}") == expected


@pytest.mark.parametrize("field", ["title", "year", "imdb_id", "imdb_rating"])
async def test_orderings_are_those_of_the_catalogue(people: People, field: str) -> None:
    ids = [*await people.movie_ids("-imdb_rating", 40), *await people.movie_ids("title", 40)]
    collection = await made(people.ada, movie_ids=ids)
    for ordering in (field, f"-{field}"):
        found = await movie_ids_of(people.ada, collection["id"], f"limit=9&ordering={ordering}")
        catalogue = (await people.service.client.get(f"/movies/?ordering={ordering}&limit=100")).json()["results"]
        in_catalogue = [movie["id"] for movie in catalogue if movie["id"] in ids]
        assert len(in_catalogue) > 5
        assert [movie_id for movie_id in found if movie_id in in_catalogue] == in_catalogue
        assert sorted(found) == sorted(set(ids))


async def test_position_is_the_default_and_can_be_turned_round(people: People) -> None:
    ids = list(await people.movie_ids("title", 9))
    random.Random(3).shuffle(ids)
    collection = await made(people.ada, movie_ids=ids)
    for query in ("limit=2", "limit=2&ordering=position", "limit=100&search=", "ordering="):
        assert await movie_ids_of(people.ada, collection["id"], query) == ids
    assert await movie_ids_of(people.ada, collection["id"], "limit=2&ordering=-position") == ids[::-1]


async def test_what_a_list_of_movies_cannot_be_asked_is_refused(people: People) -> None:
    collection = await made(people.ada, movie_ids=await people.movie_ids(count=2))
    path = f"/collections/{collection['id']}/movies/"
    for query, name in (
        ("ordering=likes_count", "ordering"),
        ("ordering=position,x", "ordering"),
        ("rating_min=11", "rating_min"),
        ("limit=0", "limit"),
        ("offset=-1", "offset"),
        ("year=2000&year=2001", "year"),
    ):
        refused = await people.ada.get(f"{path}?{query}")
        assert fields(refused) == {name}
    assert "position, added_at, title" in problem(await people.ada.get(f"{path}?ordering=x"), 422)["detail"]


@pytest.mark.parametrize("number", [3, 3000])
async def test_a_page_is_three_statements_however_many_movies_there_are(
    people: People, fill: Fill, statements: Statements, number: int
) -> None:
    collection = await made(people.ada, is_public=True)
    await fill(collection["id"], number)
    for path in (
        "/collections/",
        "/collections/?sort=trending",
        "/collections/?search=collection&is_public=true&subscribed=false",
        f"/collections/{collection['id']}/",
        f"/collections/{collection['id']}/movies/",
        f"/collections/{collection['id']}/movies/?search=film&ordering=-title",
        f"/collections/{collection['id']}/movies/?search=nothing+like+that",
    ):
        with statements() as sent:
            assert (await people.grace.get(path)).status_code == 200
        # For what is not there, words that may be meant are looked up twice.
        assert len(sent) <= (6 if "nothing" in path else 3), (path, sent)
    with statements() as sent:
        await people.service.client.get(f"/collections/{collection['id']}/page/")
    assert len(sent) == 2
