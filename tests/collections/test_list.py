"""The list of collections: what is in it, and in which order."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.collections.conftest import listed, made, names
from tests.movies.people import People
from tests.problem_documents import fields, problem


async def subscribe(people: People, collection_id: int, days: Sequence[int], first: int = 0) -> None:
    """Have so many people follow a collection, each since so many days ago."""
    for number, ago in enumerate(days, first):
        person = await people.new(f"follower{collection_id}x{number}@example.com")
        assert (await person.post(f"/collections/{collection_id}/subscribe/")).status_code == 204
        await people.service.execute(
            "UPDATE collection_subscriptions SET created_at = now() - make_interval(days => :ago) WHERE user_id = :id",
            ago=ago,
            id=person.id,
        )


async def test_the_list_holds_public_ones_and_ones_own_and_for_staff_all(people: People) -> None:
    await made(people.ada, "Ada's public", is_public=True)
    await made(people.ada, "Ada's private")
    await made(people.grace, "Grace's public", is_public=True)
    await made(people.grace, "Grace's private")
    boss = await people.new("boss@example.com", is_staff=True)
    public = ["Grace's public", "Ada's public"]
    assert await names(people.service.client) == public
    assert await names(people.ada) == ["Grace's public", "Ada's private", "Ada's public"]
    assert await names(people.grace, "limit=1") == ["Grace's private", *public]
    assert await names(boss) == ["Grace's private", "Grace's public", "Ada's private", "Ada's public"]
    assert [c["owner_email"] for c in await listed(people.ada)] == [None, "ada@example.com", "ada@example.com"]
    assert {c["owner_email"] for c in await listed(boss)} == {"ada@example.com", "grace@example.com"}


async def test_each_collection_is_as_its_detail_has_it(people: People) -> None:
    for number in range(3):
        await made(people.ada, f"Number {number}", movie_ids=[*range(1, 1 + number)], is_public=True)
    for reader in (people.ada, people.grace, people.service.client):
        for collection in await listed(reader, "limit=2"):
            assert (await reader.get(f"/collections/{collection['id']}/")).json() == collection


async def test_filters_narrow_what_the_caller_sees(people: People) -> None:
    await made(people.ada, "One", is_public=True)
    await made(people.ada, "Two")
    three = await made(people.grace, "Three", is_public=True)
    await made(people.grace, "Four")
    await people.ada.post(f"/collections/{three['id']}/subscribe/")
    expected = {
        "is_public=true": ["Three", "One"],
        "is_public=false": ["Two"],
        "is_public=": ["Three", "Two", "One"],
        f"owner_id={people.ada.id}": ["Two", "One"],
        f"owner_id={people.grace.id}": ["Three"],
        f"owner_id={people.grace.id}&is_public=false": [],
        "owner_id=987654321": [],
        "subscribed=true": ["Three"],
        "subscribed=false": ["Two", "One"],
        "subscribed=false&is_public=false": ["Two"],
        "search=t": ["Three", "Two"],
        "search=T&subscribed=true": ["Three"],
        "search=": ["Three", "Two", "One"],
    }
    assert {query: await names(people.ada, query) for query in expected} == expected


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("amelie", 1),
        ("AMÉLIE", 1),
        ("é a", 1),
        ("best amelie", 1),
        ("mél", 1),
        ("best worst", 0),
        ("%", 1),
        ("100%", 1),
        ("1_0", 0),
        ("\N{COMBINING ACUTE ACCENT}", 0),
        ("'", 0),
    ],
)
async def test_search_is_for_words_in_the_name_whatever_their_case_and_accents(
    people: People, search: str, found: int
) -> None:
    collection = await made(people.ada, "Draft")
    await people.ada.patch(f"/collections/{collection['id']}/", name="The Best of Amélie, 100%")
    answer = await people.service.client.get(
        "/collections/", params={"search": search}, headers={"Authorization": f"Bearer {people.ada.access}"}
    )
    assert answer.json()["count"] == found


async def test_subscribed_is_for_people_who_are_logged_in(people: People) -> None:
    for value in ("true", "false"):
        answer = await people.service.client.get(f"/collections/?subscribed={value}")
        problem(answer, 401, "not_authenticated")
    assert await names(people.service.client, "subscribed=") == []


async def test_orderings_and_sorts(people: People) -> None:
    ids = {}
    for name, days in {"Old": [40] * 3, "New": [1, 2], "Quiet": [], "Steady": [1, 90]}.items():
        collection = await made(people.ada, name, is_public=True)
        ids[name] = collection["id"]
        await subscribe(people, collection["id"], days)
    newest = ["Steady", "Quiet", "New", "Old"]
    expected = {
        "": newest,
        "ordering=-created_at": newest,
        "sort=newest": newest,
        "sort=": newest,
        "ordering=created_at": newest[::-1],
        "sort=oldest": newest[::-1],
        "ordering=-subscribers": ["Old", "Steady", "New", "Quiet"],
        "ordering=subscribers": ["Quiet", "New", "Steady", "Old"],
        "ordering=-subscribers,created_at": ["Old", "New", "Steady", "Quiet"],
        "sort=trending": ["New", "Steady", "Old", "Quiet"],
        "sort=trending&ordering=created_at": newest[::-1],
    }
    for query, in_order in expected.items():
        assert await names(people.service.client, query) == in_order, query
        assert await names(people.service.client, f"{query}&limit=1") == in_order, query
    counts = {c["name"]: c["subscribers_count"] for c in await listed(people.service.client)}
    assert counts == {"Old": 3, "New": 2, "Quiet": 0, "Steady": 2}


async def test_collections_that_tie_are_neither_repeated_nor_lost_between_pages(people: People) -> None:
    await asyncio.gather(*(made(people.ada, f"Number {number}", is_public=True) for number in range(9)))
    await people.service.execute("UPDATE collections SET created_at = '2026-01-01'")
    for query in ("", "ordering=subscribers", "ordering=-subscribers", "sort=trending", "sort=oldest"):
        assert len(await listed(people.service.client, f"{query}&limit=2")) == 9


async def test_what_the_list_cannot_be_asked_is_refused_by_name(people: People) -> None:
    for query, name in (
        ("ordering=name", "ordering"),
        ("ordering=-recent", "ordering"),
        ("sort=best", "sort"),
        ("is_public=perhaps", "is_public"),
        ("owner_id=0", "owner_id"),
        (f"owner_id={2**63}", "owner_id"),
        ("subscribed=x", "subscribed"),
        (f"search={'a' * 256}", "search"),
        ("sort=newest&sort=newest", "sort"),
        ("owner_id=1&owner_id=2", "owner_id"),
    ):
        assert fields(await people.ada.get(f"/collections/?{query}"), case=query) == {name}
    assert "subscribers, created_at" in problem(await people.ada.get("/collections/?ordering=x"), 422)["detail"]


async def test_pages_have_links_that_keep_the_query(people: People) -> None:
    for number in range(3):
        await made(people.ada, f"Number {number}", is_public=True)
    page = (await people.service.client.get("/collections/?sort=oldest&limit=1&offset=1")).json()
    assert (page["count"], [c["name"] for c in page["results"]]) == (3, ["Number 1"])
    assert page["next"] == "http://localhost/collections/?sort=oldest&limit=1&offset=2"
    assert page["previous"] == "http://localhost/collections/?sort=oldest&limit=1&offset=0"
    assert (await people.service.client.get("/collections/?offset=3")).json()["results"] == []
