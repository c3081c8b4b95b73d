"""Collections one by one: made, read, changed and deleted."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from tests.collections.conftest import made, movie_ids_of
from tests.movies.films import TIME
from tests.movies.people import People
from tests.problem_documents import fields, problem

MEMBERS = [
    "id",
    "name",
    "description",
    "design",
    "is_public",
    "owner_id",
    "owner_email",
    "movies_count",
    "is_subscribed",
    "subscribers_count",
    "preview_movies",
    "created_at",
    "updated_at",
]
TOO_LARGE = 2**63
BAD_MEMBERS: dict[str, list[Any]] = {
    "name": [None, "", "  ", "a" * 256, 7, True, ["a"], "a\x00b", "\ud800"],
    "description": ["a" * 1001, 7, ["a"], "\x00"],
    "design": ["a" * 256, 7, {}, "\x00"],
    "is_public": [None, "true", 1, "", []],
    "movie_ids": [None, "1", 1, {}, list(range(1, 5002)), [0], [-1], [True], ["1"], [1.5], [None], [[1]], [TOO_LARGE]],
}


async def test_a_new_collection_is_private_and_empty_and_its_owners(people: People) -> None:
    collection = await made(people.ada, " Heists ")
    assert list(collection) == MEMBERS
    assert TIME.fullmatch(collection["created_at"])
    expected = {
        "name": "Heists",
        "description": None,
        "design": None,
        "is_public": False,
        "owner_id": people.ada.id,
        "owner_email": "ada@example.com",
        "movies_count": 0,
        "is_subscribed": False,
        "subscribers_count": 0,
        "preview_movies": [],
        "updated_at": collection["created_at"],
    }
    assert {name: collection[name] for name in expected} == expected
    assert (await people.ada.get(f"/collections/{collection['id']}/")).json() == collection


async def test_everything_may_be_given_at_once_and_movies_keep_their_order_without_duplicates(people: People) -> None:
    a, b, c = await people.movie_ids("-title", 3)
    collection = await made(
        people.ada, "Heists", description="Plans.", design="midnight", is_public=True, movie_ids=[c, a, c, b, a]
    )
    assert (collection["description"], collection["design"], collection["is_public"]) == ("Plans.", "midnight", True)
    assert collection["movies_count"] == 3
    assert await movie_ids_of(people.ada, collection["id"]) == [c, a, b]


async def test_previews_are_the_first_three_with_a_poster(people: People) -> None:
    ids = await people.movie_ids(count=6)
    for movie_id in ids[1:]:
        await people.service.execute(
            "UPDATE movies SET poster = 'https://posters.example/' || id WHERE id = :id", id=movie_id
        )
    await people.service.execute("UPDATE movies SET poster = NULL WHERE id IN (:a, :b)", a=ids[0], b=ids[3])
    collection = await made(people.ada, movie_ids=[ids[n] for n in (5, 0, 3, 1, 4, 2)])
    previews = collection["preview_movies"]
    assert [preview["id"] for preview in previews] == [ids[5], ids[1], ids[4]]
    assert all(list(preview) == ["id", "title", "poster"] for preview in previews)
    assert previews[0]["poster"] == f"https://posters.example/{ids[5]}"


@pytest.mark.parametrize("member", BAD_MEMBERS)
async def test_a_bad_member_is_refused_by_name_and_changes_nothing(people: People, member: str) -> None:
    collection = await made(people.ada, movie_ids=await people.movie_ids(count=2))
    path = f"/collections/{collection['id']}/"
    for value in BAD_MEMBERS[member]:
        for refused in (
            await people.ada.post("/collections/", **{"name": "Good", member: value}),
            await people.ada.patch(path, **{"design": "new", member: value}),
        ):
            assert {field.partition(".")[0] for field in fields(refused, case=value)} == {member}
    assert (await people.ada.get(path)).json() == collection
    assert await people.service.value("SELECT count(*) FROM collections") == 1


async def test_unknown_movies_are_named_and_nothing_is_changed(people: People) -> None:
    known = list(await people.movie_ids(count=2))
    collection = await made(people.ada, movie_ids=known)
    path = f"/collections/{collection['id']}/"
    for refused in (
        await people.ada.post("/collections/", name="Heists", movie_ids=[known[0], 987654321, 2**63 - 1]),
        await people.ada.patch(path, name="Heists", movie_ids=[known[1], 987654321, 2**63 - 1]),
    ):
        assert fields(refused) == {"movie_ids"}
        assert problem(refused, 422)["errors"][0]["message"] == f"No movies have these ids: 987654321, {2**63 - 1}"
    at_fault = await people.ada.patch(path, movie_ids=[known[0], known[1], "x"])
    assert fields(at_fault) == {"movie_ids.2"}
    assert (await people.ada.get(path)).json() == collection
    assert await movie_ids_of(people.ada, collection["id"]) == known
    assert await people.service.value("SELECT count(*) FROM collections") == 1


async def test_as_many_movies_as_may_be_fit_into_a_request_and_one_more_does_not(people: People) -> None:
    longest = list(range(2**63 - 5000, 2**63))
    unknown = await people.ada.post("/collections/", name="é" * 255, description="é" * 1000, movie_ids=longest)
    assert problem(unknown, 422)["errors"][0]["code"] == "unknown"
    many = await people.ada.post("/collections/", name="Many", movie_ids=[*range(1, 5002)])
    assert problem(many, 422)["errors"][0]["code"] == "too_long"
    problem(await people.ada.post("/collections/", name="Many", movie_ids=[1] * 70_000), 413)


async def test_a_change_leaves_the_rest_as_it_is(people: People) -> None:
    ids = list(await people.movie_ids(count=3))
    before = await made(people.ada, "Heists", description="Plans.", design="midnight", movie_ids=ids)
    path = f"/collections/{before['id']}/"
    for change in ({"name": "Capers"}, {"description": "More plans."}, {"design": "noon"}, {"is_public": True}):
        after = (await people.ada.patch(path, **change)).json()
        assert after == {**before, **change, "updated_at": after["updated_at"]}
        assert after["updated_at"] > before["updated_at"]
        before = after
    assert await movie_ids_of(people.ada, before["id"]) == ids


async def test_null_and_blank_clear_description_and_design(people: People) -> None:
    collection = await made(people.ada, description="Plans.", design="midnight")
    path = f"/collections/{collection['id']}/"
    cleared = (await people.ada.patch(path, description=None, design=" \n")).json()
    assert (cleared["description"], cleared["design"]) == (None, None)
    assert (await made(people.ada, description="", design=None))["description"] is None


async def test_updated_at_is_the_time_of_the_last_change_and_no_other(people: People) -> None:
    ids = list(await people.movie_ids(count=3))
    collection = await made(people.ada, "Heists", design="midnight", movie_ids=ids)
    path = f"/collections/{collection['id']}/"
    for same in ({"movie_ids": ids}, {"name": "Heists"}, {"design": "midnight", "description": None}):
        assert (await people.ada.patch(path, **same)).json() == collection
    assert (await people.ada.patch(path)).status_code == 422  # no body at all
    empty = await people.service.client.patch(path, json={}, headers={"Authorization": f"Bearer {people.ada.access}"})
    assert empty.json() == collection
    await people.grace.post(f"{path}subscribe/")
    assert (await people.ada.get(path)).json()["updated_at"] == collection["updated_at"]
    latest = collection["updated_at"]
    for movie_ids in (ids[::-1], ids[:2], ids, []):
        after = (await people.ada.patch(path, movie_ids=movie_ids)).json()
        assert after["updated_at"] > latest
        latest = after["updated_at"]


async def test_owner_and_staff_may_change_and_delete_and_others_may_not(people: People) -> None:
    boss = await people.new("boss@example.com", is_staff=True)
    for is_public in (False, True):
        collection = await made(people.ada, is_public=is_public)
        path = f"/collections/{collection['id']}/"
        problem(await people.grace.patch(path, name="Mine"), 403, "not_the_owner")
        problem(await people.grace.delete(path), 403, "not_the_owner")
        problem(await people.service.client.patch(path, json={"name": "Mine"}), 401, "not_authenticated")
        problem(await people.service.client.delete(path), 401, "not_authenticated")
        assert (await people.ada.get(path)).json() == collection
        assert (await boss.patch(path, name="Tidied")).json()["name"] == "Tidied"
        assert (await boss.get(path)).json()["owner_email"] == "ada@example.com"
        assert (await (boss if is_public else people.ada).delete(path)).status_code == 204
        problem(await people.ada.get(path), 404, "collection_not_found")
    assert await people.service.value("SELECT count(*) FROM collection_counts") == 0


@pytest.mark.parametrize("collection_id", ["1", str(2**63 - 1), str(2**63), "0", "-1", "x", "1.0"])
async def test_what_names_no_collection_is_404_everywhere(people: People, collection_id: str) -> None:
    path = f"/collections/{collection_id}/"
    for answer in (
        await people.ada.get(path),
        await people.service.client.get(path),
        await people.ada.patch(path, name="Mine"),
        await people.ada.delete(path),
        await people.ada.get(f"{path}movies/"),
        await people.ada.get(f"{path}movies/?search=x"),
        await people.ada.post(f"{path}subscribe/"),
        await people.ada.delete(f"{path}subscribe/"),
        await people.ada.post(f"{path}clone/"),
        await people.ada.get(f"{path}page/"),
    ):
        problem(answer, 404)


async def test_the_collections_of_a_deleted_account_are_gone(people: People) -> None:
    collection = await made(people.ada, is_public=True)
    await people.service.execute("DELETE FROM users WHERE id = :id", id=people.ada.id)
    problem(await people.service.client.get(f"/collections/{collection['id']}/"), 404)


async def test_who_is_deleted_while_a_request_is_under_way_is_nobody(people: People) -> None:
    collection = await made(people.grace, is_public=True)
    for method, path, body in (
        ("POST", "/collections/", {"name": "Heists"}),
        ("POST", f"/collections/{collection['id']}/subscribe/", {}),
        ("POST", f"/collections/{collection['id']}/clone/", {}),
    ):
        late = await people.new(f"late{len(path)}@example.com")
        async with people.service.database.transaction() as session:
            await session.execute(text("DELETE FROM users WHERE id = :id"), {"id": late.id})
            answer = asyncio.ensure_future(people.service.ask(method, path, late.access, **body))
            await people.service.waits_for_a_lock()
        problem(await answer, 401, "invalid_token", case=path)
