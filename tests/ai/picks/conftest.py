"""A service with a catalogue that is known, with and without Claude."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from app.movies.repository import MovieRepository
from app.upstream.titles import TitleFacts
from tests.accounts import ADA, Pair, Service, opened
from tests.conftest import new_database
from tests.doubles.claude_titles import KEY, TitlesByClaude

# Beside the mails of new accounts, which nobody sends here.
ORDERED = "SELECT count(*) FROM jobs WHERE entrypoint IN ('recommend', 'refresh_top')"
PATH, TOP = "/movies/recommendations/", "/movies/top/"


class Cinema(Service):
    """A service, and what its catalogue has."""

    _numbers = count(7_000_001)

    async def film(self, title: str, **facts: Any) -> int:
        """Store a film; returns its id."""
        facts = {"year": "2001", "type": "movie", "genres": ("Drama",), **facts}
        imdb_id = f"tt{next(self._numbers)}"
        async with self.database.transaction() as session:
            movies = MovieRepository(session)
            await movies.upsert([TitleFacts(imdb_id=imdb_id, title=title, **facts)], refreshed_at=datetime.now(UTC))
            movie_id: int = (await movies.by_imdb_id([imdb_id]))[imdb_id].id
        return movie_id

    async def films(self, *titles: str, **facts: Any) -> list[int]:
        return [await self.film(title, **facts) for title in titles]

    async def user(self, *liked: int, queued: Sequence[int] = (), email: str = ADA) -> Pair:
        """The tokens of somebody who likes and has queued these, the first first."""
        pair = await self.begin(email)
        user_id = await self.value("SELECT max(id) FROM users")
        await self.like(user_id, *liked)
        for movie_id in queued:
            await self.execute("INSERT INTO watch_later (user_id, movie_id) VALUES (:u, :m)", u=user_id, m=movie_id)
        return pair

    async def like(self, user_id: int, *movie_ids: int) -> None:
        for movie_id in movie_ids:
            await self.execute("INSERT INTO likes (user_id, movie_id) VALUES (:u, :m)", u=user_id, m=movie_id)

    async def fans(self, **numbers: int) -> None:
        """Let so many others like the films of these titles."""
        most = max(numbers.values())
        ids = [await self.add_user(f"fan{number}@example.com") for number in range(most)]
        for title, number in numbers.items():
            movie_id = await self.value("SELECT id FROM movies WHERE title = :t", t=title)
            for user_id in ids[:number]:
                await self.like(user_id, movie_id)

    async def recommended(self, pair: Pair) -> list[str]:
        """The titles that are recommended."""
        answer = await self.ask("GET", PATH, pair["access"])
        assert answer.status_code == 200, answer.text
        return [movie["title"] for movie in answer.json()]

    async def top(self) -> list[str]:
        """The titles of the top movies."""
        answer = await self.client.get(TOP)
        assert answer.status_code == 200, answer.text
        return [movie["title"] for movie in answer.json()]

    async def until(self, condition: str) -> None:
        """Wait until a query gives true."""
        async with asyncio.timeout(30):
            while not await self.value(condition):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def idle(self) -> None:
        """Wait until nobody is to be asked any more."""
        await self.until(f"SELECT ({ORDERED}) = 0")

    async def forget(self) -> None:
        await self.execute("TRUNCATE users, movies, leases, top_movies, jobs CASCADE")


@asynccontextmanager
async def cinema(url: URL, **settings: Any) -> AsyncIterator[Cinema]:
    async with opened(url, **settings) as service:
        yield Cinema(service.client, service.database, service.url)


@pytest.fixture(scope="module")
async def picks_url(administrator: AsyncEngine, migrated: str) -> AsyncIterator[URL]:
    async with new_database(administrator, migrated) as url:
        yield url


@pytest.fixture(scope="module")
async def keyless_cinema(picks_url: URL) -> AsyncIterator[Cinema]:
    async with cinema(picks_url) as service:
        yield service


@pytest.fixture
async def keyless(keyless_cinema: Cinema) -> AsyncIterator[Cinema]:
    """A service without Claude, a user or a movie."""
    yield keyless_cinema
    await keyless_cinema.forget()


@pytest.fixture(scope="module")
async def shared_claude() -> AsyncIterator[TitlesByClaude]:
    async with TitlesByClaude() as server:
        yield server


def with_claude(server: TitlesByClaude) -> dict[str, Any]:
    """The settings of a service that asks Claude."""
    return {"anthropic_api_key": KEY, "anthropic_base_url": server.url, "run_jobs": True}


@pytest.fixture(scope="module")
async def asking_cinema(picks_url: URL, shared_claude: TitlesByClaude) -> AsyncIterator[Cinema]:
    async with cinema(picks_url, **with_claude(shared_claude)) as service:
        yield service


@pytest.fixture
async def claude(shared_claude: TitlesByClaude) -> AsyncIterator[TitlesByClaude]:
    """A Claude that has not been asked yet, and knows no film."""
    yield shared_claude
    shared_claude.forget()
    shared_claude.titles, shared_claude.always = [], None


@pytest.fixture
async def service(asking_cinema: Cinema, claude: TitlesByClaude) -> AsyncIterator[Cinema]:  # noqa: ARG001 - before it
    """A service that asks `claude`, without a user or a movie."""
    yield asking_cinema
    await asking_cinema.idle()
    await asking_cinema.forget()
