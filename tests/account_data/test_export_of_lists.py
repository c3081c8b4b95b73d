"""What an account keeps, in its export."""

from datetime import date
from typing import Any

from tests.movies.people import People, Person

EXPORT = "/users/me/export/"


async def exported(person: Person) -> dict[str, Any]:
    answer = await person.get(EXPORT)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def collection(owner: Person, name: str, *movie_ids: int, public: bool = True) -> int:
    """A collection of somebody's."""
    answer = await owner.post("/collections/", name=name, is_public=public, movie_ids=movie_ids)
    assert answer.status_code == 201, answer.text
    made: int = answer.json()["id"]
    return made


async def test_an_account_with_nothing_kept_exports_empty_lists(people: People) -> None:
    document = await exported(people.ada)
    assert document.pop("account")["id"] == people.ada.id
    assert document == {"likes": [], "watch_later": [], "collections": [], "subscriptions": [], "ai_searches": []}


async def test_likes_and_the_watch_later_list_are_exported_in_the_order_of_their_making(people: People) -> None:
    first, second, third = await people.movie_ids(count=3)
    await people.ada.like(second, first)
    await people.ada.queue(third, first)
    await people.grace.like(third)
    document = await exported(people.ada)
    assert [movie["movie_id"] for movie in document["likes"]] == [second, first]
    assert [movie["movie_id"] for movie in document["watch_later"]] == [third, first]
    movie = (await people.ada.get(f"/movies/{first}/")).json()
    assert document["likes"][1] == {
        "movie_id": first,
        "imdb_id": movie["imdb_id"],
        "title": movie["title"],
        "year": movie["year"],
        "liked_at": document["likes"][1]["liked_at"],
    }
    assert document["watch_later"][1]["added_at"].endswith("Z")


async def test_collections_are_exported_with_their_movies_in_order(people: People) -> None:
    first, second, third = await people.movie_ids(count=3)
    mine = await collection(people.ada, "Mine", third, first, second, public=False)
    empty = await collection(people.ada, "Empty")
    await collection(people.grace, "Hers", first)
    found = (await exported(people.ada))["collections"]
    assert [(c["id"], c["name"], c["is_public"]) for c in found] == [(mine, "Mine", False), (empty, "Empty", True)]
    assert [movie["movie_id"] for movie in found[0]["movies"]] == [third, first, second]
    assert set(found[0]["movies"][0]) == {"movie_id", "imdb_id", "title", "added_at"}
    assert found[1]["movies"] == []


async def test_the_name_of_a_collection_that_was_made_private_is_not_exported_to_who_follows_it(
    people: People,
) -> None:
    followed = await collection(people.grace, "Open")
    hidden = await collection(people.grace, "Secret", public=False)
    for collection_id in (followed, hidden):
        await people.service.execute(
            "INSERT INTO collection_subscriptions (user_id, collection_id) VALUES (:u, :c)",
            u=people.ada.id,
            c=collection_id,
        )
    answer = await people.ada.get(EXPORT)
    assert {s["collection_id"]: s["name"] for s in answer.json()["subscriptions"]} == {followed: "Open", hidden: None}
    assert "Secret" not in answer.text


async def test_ai_searches_are_exported_by_day(people: People) -> None:
    for day, used in (("2026-01-02", 3), ("2026-01-01", 1)):
        await people.service.execute(
            "INSERT INTO ai_usage (user_id, day, used) VALUES (:u, :d, :n)",
            u=people.ada.id,
            d=date.fromisoformat(day),
            n=used,
        )
    found = (await exported(people.ada))["ai_searches"]
    assert found == [{"day": "2026-01-01", "used": 1}, {"day": "2026-01-02", "used": 3}]
