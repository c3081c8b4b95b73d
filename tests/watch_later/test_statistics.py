"""The list in numbers."""

from collections import Counter
from typing import Any

from tests.movies.conftest import Statements
from tests.movies.people import People

PATH = "/watch_later/statistics/"
NO_RATINGS = {
    "ratings_9_plus": 0,
    "ratings_8_to_9": 0,
    "ratings_7_to_8": 0,
    "ratings_6_to_7": 0,
    "ratings_5_to_6": 0,
    "ratings_below_5": 0,
}


async def test_an_empty_list_has_nothing_to_count(people: People) -> None:
    assert (await people.ada.get(PATH)).json() == {"total": 0, "unrated": 0, "ratings": NO_RATINGS, "genres": []}


async def test_a_bands_lower_bound_belongs_to_it_and_the_unrated_to_none(people: People) -> None:
    ratings = ["10", "9", "8.99", "8.0", "7.9", "7", "6.0", "5.9", "5", "4.9", "0", None]
    service, ids = people.service, await people.movie_ids(count=12)
    before = {i: await service.value("SELECT imdb_rating FROM movies WHERE id = :i", i=i) for i in ids}
    try:
        for movie_id, rating in zip(ids, ratings, strict=True):
            await service.execute(
                "UPDATE movies SET imdb_rating = CAST(:r AS numeric) WHERE id = :i", r=rating, i=movie_id
            )
        await people.ada.queue(*ids)
        found = (await people.ada.get(PATH)).json()
    finally:
        for movie_id, rating in before.items():
            await service.execute("UPDATE movies SET imdb_rating = :r WHERE id = :i", r=rating, i=movie_id)
    assert (found["total"], found["unrated"]) == (12, 1)
    assert found["ratings"] == {
        "ratings_9_plus": 2,
        "ratings_8_to_9": 2,
        "ratings_7_to_8": 2,
        "ratings_6_to_7": 1,
        "ratings_5_to_6": 2,
        "ratings_below_5": 2,
    }


async def test_genres_are_counted_the_most_frequent_first_then_by_name(people: People) -> None:
    await people.ada.queue(*await people.movie_ids("-imdb_rating", 40))
    await people.grace.queue(*await people.movie_ids("year", 5))
    counted: Counter[str] = Counter()
    for movie in await people.ada.queued("limit=100"):
        counted.update(genre["name"] for genre in movie["genres"])
    expected: list[dict[str, Any]] = [
        {"genre": genre, "count": count} for genre, count in sorted(counted.items(), key=lambda g: (-g[1], g[0]))
    ]
    found = (await people.ada.get(PATH)).json()
    assert found["genres"] == expected
    assert len(expected) > 10
    assert found["total"] == 40


async def test_statistics_are_one_statement_beside_the_callers(people: People, statements: Statements) -> None:
    await people.ada.queue(*await people.movie_ids(count=3))
    with statements() as sent:
        await people.ada.get(PATH)
    assert len(sent) == 2
    assert "users" in sent[0]
