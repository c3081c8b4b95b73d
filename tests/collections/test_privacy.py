"""Nothing ever shows a private collection, or its owner's address, to a stranger or to nobody in particular."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from tests.collections.conftest import made
from tests.movies.people import People, Person

SECRET, SECRET_DESCRIPTION, SECRET_DESIGN = "Quokkas at dusk", "Nobody knows of this", "wombat"
OWNER = "owner@example.com"


@dataclass(frozen=True)
class Secret:
    """A private collection, one that is public, and movies that are in the private one alone."""

    people: People
    owner: Person
    private: int
    public: int
    posters: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """What no stranger may read anywhere."""
        return (SECRET, SECRET_DESCRIPTION, SECRET_DESIGN, OWNER, *self.posters)

    def told_in(self, answer: httpx.Response) -> list[str]:
        """What of it an answer tells."""
        everything = answer.text + str(answer.headers)
        return [word for word in self.words if word in everything]


@pytest.fixture
async def secret(people: People) -> AsyncIterator[Secret]:
    owner = await people.new(OWNER)
    ids = list(await people.movie_ids("imdb_rating", 3))
    posters = tuple(f"https://secret.example/{movie_id}.jpg" for movie_id in ids)
    for movie_id, poster in zip(ids, posters, strict=True):
        await people.service.execute("UPDATE movies SET poster = :poster WHERE id = :id", poster=poster, id=movie_id)
    # Grace and Ada have followed it while it was public, and many others too: it would lead every list.
    private = await made(
        owner, SECRET, description=SECRET_DESCRIPTION, design=SECRET_DESIGN, is_public=True, movie_ids=ids
    )
    for person in (people.ada, people.grace):
        assert (await person.post(f"/collections/{private['id']}/subscribe/")).status_code == 204
    await owner.patch(f"/collections/{private['id']}/", is_public=False)
    public = await made(owner, "Penguins at noon", is_public=True)
    yield Secret(people, owner, private["id"], public["id"], posters)
    await people.service.execute("UPDATE movies SET poster = NULL WHERE poster LIKE 'https://secret.example/%'")


QUERIES = (
    ("", "is_public=true", "is_public=false"),
    ("", "owner_id=OWNER"),
    ("", "subscribed=true", "subscribed=false"),
    ("", "search=quokkas"),
    ("", "ordering=-subscribers", "sort=trending"),
)


def queries(owner_id: int) -> list[str]:
    """All filters and orderings, each with each other."""
    pairs = itertools.product(*QUERIES)
    return ["&".join(filter(None, pair)).replace("OWNER", str(owner_id)) for pair in pairs]


@pytest.mark.parametrize("who", ["a stranger", "nobody"])
async def test_no_filter_ordering_count_or_preview_shows_it(secret: Secret, who: str) -> None:
    stranger = secret.people.grace if who == "a stranger" else secret.people.service.client
    for query in queries(secret.owner.id):
        if who == "nobody" and "subscribed" in query:
            continue
        answer = await stranger.get(f"/collections/?{query}")
        assert answer.status_code == 200
        assert secret.told_in(answer) == [], query
        page = answer.json()
        hidden = "is_public=false" in query or "subscribed=true" in query or "quokkas" in query
        assert [c["id"] for c in page["results"]] == ([] if hidden else [secret.public]), query
        assert page["count"] == len(page["results"]), query
    beyond = await stranger.get("/collections/?limit=1&offset=1")
    assert (beyond.json()["count"], beyond.json()["results"]) == (1, [])


async def test_nothing_at_its_own_address_shows_it(secret: Secret) -> None:
    strangers = (secret.people.grace.access, secret.people.ada.access, None)
    for access, (method, below) in itertools.product(
        strangers,
        (
            ("GET", ""),
            ("HEAD", ""),
            ("PATCH", ""),
            ("DELETE", ""),
            ("GET", "movies/"),
            ("GET", "movies/?search=a"),
            ("GET", "movies/?limit=1&offset=2&ordering=-position"),
            ("GET", "page/"),
            ("POST", "subscribe/"),
            ("DELETE", "subscribe/"),
            ("POST", "clone/"),
        ),
    ):
        headers = {"Authorization": f"Bearer {access}"} if access else {}
        answer = await secret.people.service.client.request(
            method,
            f"/collections/{secret.private}/{below}",
            headers=headers,
            json={"name": "Mine"} if method == "PATCH" else None,
        )
        expected = 404 if below == "page/" else 403 if access else 401
        assert answer.status_code == expected, (method, below)
        assert secret.told_in(answer) == [], (method, below)
    unchanged = (await secret.owner.get(f"/collections/{secret.private}/")).json()
    assert (unchanged["name"], unchanged["subscribers_count"], unchanged["movies_count"]) == (SECRET, 2, 3)


async def test_its_page_is_for_nobody_not_even_for_its_owner_and_staff(secret: Secret) -> None:
    boss = await secret.people.new("boss@example.com", is_staff=True)
    for reader in (secret.owner, boss, secret.people.service.client):
        answer = await reader.get(f"/collections/{secret.private}/page/")
        assert answer.status_code == 404
        assert secret.told_in(answer) == []


async def test_a_public_collection_keeps_its_owners_address(secret: Secret) -> None:
    path = f"/collections/{secret.public}/"
    for reader in (secret.people.grace, secret.people.service.client):
        for below in ("", "movies/", "page/"):
            answer = await reader.get(path + below)
            assert answer.status_code == 200
            assert OWNER not in answer.text
        assert (await reader.get(path)).json()["owner_email"] is None
    copy = await secret.people.grace.post(f"{path}clone/")
    assert OWNER not in copy.text


async def test_other_lists_tell_nothing_of_it(secret: Secret) -> None:
    for path in ("/users/me/export/", "/users/personal-info/", "/structures/", "/watch_later/list/"):
        answer = await secret.people.grace.get(path)
        assert answer.status_code == 200
        assert secret.told_in(answer) == [], path


async def test_the_staffs_pages_show_it_to_staff_alone(secret: Secret) -> None:
    strangers = [{}, {"Authorization": f"Bearer {secret.people.grace.access}"}]
    for headers, path in itertools.product(
        strangers, ("list", f"detail?pk={secret.private}", f"edit?pk={secret.private}")
    ):
        answer = await secret.people.service.client.get(f"/admin/collections/{path}", headers=headers)
        assert answer.status_code in {303, 307, 302}, path
        assert "/admin/login" in answer.headers["Location"]
        assert secret.told_in(answer) == []


async def test_owner_and_staff_see_all_of_it(secret: Secret) -> None:
    boss = await secret.people.new("boss@example.com", is_staff=True)
    for reader in (secret.owner, boss):
        answer = await reader.get(f"/collections/{secret.private}/")
        assert secret.told_in(answer) == list(secret.words)
        assert (await reader.get("/collections/?search=quokkas")).json()["count"] == 1
        assert (await reader.get(f"/collections/{secret.private}/movies/")).json()["count"] == 3
