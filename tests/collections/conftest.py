"""People, and the collections that they make."""

from collections.abc import Sequence
from typing import Any

import httpx

from tests.movies.conftest import statements
from tests.movies.people import Person, people, people_url, shared_people

__all__ = ["people", "people_url", "shared_people", "statements"]


async def made(owner: Person, name: str = "A collection", **members: Any) -> dict[str, Any]:
    """A new collection of somebody's."""
    answer = await owner.post("/collections/", name=name, **members)
    assert answer.status_code == 201, answer.text
    collection: dict[str, Any] = answer.json()
    return collection


async def contents(reader: Person | httpx.AsyncClient, collection_id: int, query: str = "") -> Sequence[dict[str, Any]]:
    """All movies of a collection, by following the links of its pages."""
    movies: list[dict[str, Any]] = []
    url: str | None = f"/collections/{collection_id}/movies/?{query}"
    while url:
        answer = await reader.get(url)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        movies += page["results"]
        url = page["next"]
    assert page["count"] == len(movies)
    return movies


async def movie_ids_of(reader: Person | httpx.AsyncClient, collection_id: int, query: str = "limit=100") -> list[int]:
    """The ids of a collection's movies."""
    return [movie["id"] for movie in await contents(reader, collection_id, query)]


async def listed(reader: Person | httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    """All collections of a list, by following its links."""
    found: list[dict[str, Any]] = []
    url: str | None = f"/collections/?{query}"
    while url:
        answer = await reader.get(url)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["results"]
        url = page["next"]
    assert page["count"] == len(found)
    assert len({collection["id"] for collection in found}) == len(found)
    return found


async def names(reader: Person | httpx.AsyncClient, query: str = "") -> list[str]:
    """The names of a list's collections."""
    return [collection["name"] for collection in await listed(reader, query)]
