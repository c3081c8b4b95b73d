"""Collections of others: followed, and copied."""

import asyncio

from sqlalchemy import text

from tests.collections.conftest import listed, made, movie_ids_of, names
from tests.movies.people import People
from tests.problem_documents import problem


async def test_subscribing_is_idempotent_and_counted_once(people: People) -> None:
    collection = await made(people.ada, is_public=True)
    path = f"/collections/{collection['id']}/"
    for _ in range(2):
        answer = await people.grace.post(f"{path}subscribe/")
        assert (answer.status_code, answer.content) == (204, b"")
        shown = (await people.grace.get(path)).json()
        assert (shown["is_subscribed"], shown["subscribers_count"]) == (True, 1)
    seen_by_ada = (await people.ada.get(path)).json()
    assert (seen_by_ada["is_subscribed"], seen_by_ada["subscribers_count"]) == (False, 1)
    assert (await people.service.client.get(path)).json()["is_subscribed"] is False
    for _ in range(2):
        assert (await people.grace.delete(f"{path}subscribe/")).status_code == 204
        shown = (await people.grace.get(path)).json()
        assert (shown["is_subscribed"], shown["subscribers_count"]) == (False, 0)


async def test_twenty_subscriptions_of_one_person_at_once_are_one(people: People) -> None:
    collection = await made(people.ada, is_public=True)
    path = f"/collections/{collection['id']}/"
    answers = await asyncio.gather(*(people.grace.post(f"{path}subscribe/") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {204}
    assert (await people.grace.get(path)).json()["subscribers_count"] == 1


async def test_nobody_follows_a_collection_of_their_own(people: People) -> None:
    collection = await made(people.ada)
    path = f"/collections/{collection['id']}/"
    assert (await people.ada.post(f"{path}subscribe/")).status_code == 204
    assert (await people.ada.get(path)).json() == collection
    assert (await people.ada.delete(f"{path}subscribe/")).status_code == 204
    assert await names(people.ada, "subscribed=true") == []


async def test_the_private_collection_of_somebody_else_is_neither_followed_nor_left_nor_copied(people: People) -> None:
    path = f"/collections/{(await made(people.ada))['id']}/"
    for method, action in (("POST", "subscribe/"), ("DELETE", "subscribe/"), ("POST", "clone/")):
        problem(await people.service.ask(method, path + action, people.grace.access), 403, "not_the_owner")
        problem(await people.service.client.request(method, path + action), 401, "not_authenticated")
    assert await people.service.value("SELECT count(*) FROM collection_subscriptions") == 0
    assert await people.service.value("SELECT count(*) FROM collections") == 1


async def test_a_subscription_sleeps_while_the_collection_is_private(people: People) -> None:
    collection = await made(people.ada, "Hers", is_public=True)
    path = f"/collections/{collection['id']}/"
    await people.grace.post(f"{path}subscribe/")
    await people.ada.patch(path, is_public=False)
    assert await names(people.grace, "subscribed=true") == []
    problem(await people.grace.get(path), 403)
    assert (await people.ada.get(path)).json()["subscribers_count"] == 1
    await people.ada.patch(path, is_public=True)
    assert await names(people.grace, "subscribed=true") == ["Hers"]


async def test_staff_follow_and_copy_what_they_see(people: People) -> None:
    boss = await people.new("boss@example.com", is_staff=True)
    collection = await made(people.ada, "Hers")
    path = f"/collections/{collection['id']}/"
    assert (await boss.post(f"{path}subscribe/")).status_code == 204
    assert await names(boss, "subscribed=true") == ["Hers"]
    assert (await boss.post(f"{path}clone/")).json()["owner_email"] == "boss@example.com"


async def test_who_follows_a_collection_leaves_no_count_behind(people: People) -> None:
    collection = await made(people.ada, is_public=True)
    path = f"/collections/{collection['id']}/"
    await people.grace.post(f"{path}subscribe/")
    await people.service.execute("DELETE FROM users WHERE id = :id", id=people.grace.id)
    assert (await people.ada.get(path)).json()["subscribers_count"] == 0


async def test_a_copy_is_the_callers_own_private_one_with_the_same_movies_in_the_same_order(people: People) -> None:
    ids = list(await people.movie_ids("-title", 20))
    original = await made(
        people.ada, "Amélie & co.", description="Plans.", design="midnight", is_public=True, movie_ids=ids
    )
    await people.grace.post(f"/collections/{original['id']}/subscribe/")
    answer = await people.grace.post(f"/collections/{original['id']}/clone/")
    assert answer.status_code == 201
    copy = answer.json()
    changed = {
        "id": copy["id"],
        "is_public": False,
        "owner_id": people.grace.id,
        "owner_email": "grace@example.com",
        "is_subscribed": False,
        "subscribers_count": 0,
        "created_at": copy["created_at"],
        "updated_at": copy["created_at"],
    }
    assert copy == {**original, **changed}
    assert copy["id"] != original["id"]
    assert await movie_ids_of(people.grace, copy["id"]) == ids
    assert await names(people.grace, "search=amelie&is_public=false") == ["Amélie & co."]
    # Neither follows the other.
    await people.grace.patch(f"/collections/{copy['id']}/", movie_ids=ids[:3])
    assert await movie_ids_of(people.grace, original["id"]) == ids


async def test_ones_own_private_collection_can_be_copied(people: People) -> None:
    original = await made(people.ada, "Mine", movie_ids=await people.movie_ids(count=2))
    copy = (await people.ada.post(f"/collections/{original['id']}/clone/")).json()
    assert [c["movies_count"] for c in await listed(people.ada)] == [2, 2]
    assert copy["id"] != original["id"]


async def test_a_copy_made_while_the_original_changes_is_of_before_or_after(people: People) -> None:
    one, other = await people.movie_ids("title", 30), await people.movie_ids("-title", 40)
    original = await made(people.ada, "Before", is_public=True, movie_ids=one)
    path = f"/collections/{original['id']}/"
    states = [("Before", list(one)), ("After", list(other))]
    for name, ids in (states[1], states[0], states[1]):
        changed, *copies = await asyncio.gather(
            people.ada.patch(path, name=name, movie_ids=ids), *(people.grace.post(f"{path}clone/") for _ in range(3))
        )
        assert changed.status_code == 200
        for copied in copies:
            copy = copied.json()
            assert (copy["name"], await movie_ids_of(people.grace, copy["id"])) in states


async def test_the_original_stays_as_it_is_until_its_copy_is_made(people: People) -> None:
    ids = list(await people.movie_ids(count=3))
    original = await made(people.ada, "Before", is_public=True, movie_ids=ids)
    path = f"/collections/{original['id']}/"
    async with people.service.database.transaction() as session:
        await session.execute(text("SELECT FROM movies WHERE id = :id FOR UPDATE"), {"id": ids[0]})
        copied = asyncio.ensure_future(people.grace.post(f"{path}clone/"))
        await people.service.waits_for_a_lock()  # of the movie: the names are copied
        changed = asyncio.ensure_future(people.ada.patch(path, name="After", movie_ids=[]))
        await asyncio.wait([changed], timeout=0.2)
        assert not changed.done()
    copy = (await copied).json()
    assert (await changed).status_code == 200
    assert (copy["name"], await movie_ids_of(people.grace, copy["id"])) == ("Before", ids)
