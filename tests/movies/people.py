"""A service with the sample catalogue, and two people who keep movies."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.accounts import ADA, GRACE, Service, claims, opened, signed
from tests.conftest import new_database


@dataclass(frozen=True)
class Person:
    """Somebody with an account."""

    service: Service
    id: int
    access: str

    async def get(self, path: str) -> httpx.Response:
        return await self.service.ask("GET", path, self.access)

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.service.ask("POST", path, self.access, **body)

    async def patch(self, path: str, **body: Any) -> httpx.Response:
        return await self.service.ask("PATCH", path, self.access, **body)

    async def delete(self, path: str) -> httpx.Response:
        return await self.service.ask("DELETE", path, self.access)

    async def like(self, *movie_ids: int) -> None:
        for movie_id in movie_ids:
            assert (await self.post(f"/movies/{movie_id}/like/")).is_success

    async def queue(self, *movie_ids: int) -> None:
        for movie_id in movie_ids:
            assert (await self.post("/watch_later/create/", movie=movie_id)).is_success

    async def queued(self, query: str = "") -> list[dict[str, Any]]:
        """Their watch-later list, by following its links."""
        movies: list[dict[str, Any]] = []
        url: str | None = f"/watch_later/list/?{query}"
        while url:
            answer = await self.get(url)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            movies += page["results"]
            url = page["next"]
        assert page["count"] == len(movies)
        return movies


@dataclass(frozen=True)
class People:
    """The service, and who uses it."""

    service: Service
    ada: Person
    grace: Person

    async def new(self, email: str, **values: Any) -> Person:
        """Somebody more."""
        return await person(self.service, email, **values)

    async def movie_ids(self, ordering: str = "imdb_id", count: int = 10) -> Sequence[int]:
        """The ids of some movies."""
        page = (await self.service.client.get(f"/movies/?ordering={ordering}&limit={count}")).json()
        return [movie["id"] for movie in page["results"]]


async def person(service: Service, email: str, **values: Any) -> Person:
    """A new account, and its token without the cost of a login."""
    user_id = await service.add_user(email, **values)
    return Person(service, user_id, signed(claims(user_id)))


@pytest.fixture(scope="module")
async def people_url(administrator: AsyncEngine, filled: str) -> AsyncIterator[URL]:
    async with new_database(administrator, filled) as url:
        yield url


@pytest.fixture(scope="module")
async def shared_people(people_url: URL) -> AsyncIterator[Service]:
    async with opened(people_url) as service:
        yield service


@pytest.fixture
async def people(shared_people: Service) -> AsyncIterator[People]:
    """Two accounts with nothing kept yet."""
    yield People(shared_people, await person(shared_people, ADA), await person(shared_people, GRACE))
    await shared_people.execute("DELETE FROM users")
