"""One service with Claude and OMDb on loopback for each module, and somebody who searches."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.accounts import ADA, Service, opened
from tests.conftest import new_database, sample_payloads
from tests.doubles.claude import KEY, ClaudeDouble, suggestion
from tests.doubles.omdb import KEY as OMDB_KEY
from tests.doubles.omdb import OmdbDouble
from tests.movies.conftest import title
from tests.movies.people import Person, person

FREE_LIMIT = 3
# Long enough for a busy machine, and short enough to wait for.
TIMEOUT = 3.0
# Stored, and known to OMDb alone.
ALIEN, MATRIX = suggestion("Alien", 1979, 95), suggestion("The Matrix", 1999, 90)
DARK_STAR = suggestion("Dark Star", 1974, 85)
DARK_STAR_ID = "tt0069945"


@dataclass(frozen=True)
class Quota:
    """What the headers of an answer tell."""

    limit: int
    remaining: int

    @classmethod
    def told(cls, answer: httpx.Response) -> "Quota":
        return cls(int(answer.headers["X-AI-Quota-Limit"]), int(answer.headers["X-AI-Quota-Remaining"]))


@dataclass(frozen=True)
class Searcher:
    """Somebody of the free tier, the service, and those whom it asks."""

    person: Person
    claude: ClaudeDouble
    omdb: OmdbDouble

    @property
    def service(self) -> Service:
        return self.person.service

    async def search(self, expression: str = "space horror", **headers: str) -> httpx.Response:
        return await self.service.client.post(
            "/movies/ai/search/",
            json={"expression": expression},
            headers={"Authorization": f"Bearer {self.person.access}", **headers},
        )

    async def used(self) -> int:
        """How many units of today's quota are used."""
        used = await self.service.value(
            "SELECT coalesce(sum(used), 0) FROM ai_usage WHERE user_id = :user", user=self.person.id
        )
        return int(used)


def names(answer: httpx.Response) -> list[str]:
    """The titles of an answer."""
    assert answer.status_code == 200, answer.text
    return [movie["title"] for movie in answer.json()]


def asking(claude: ClaudeDouble, omdb: OmdbDouble) -> dict[str, Any]:
    """The settings of a service that asks these."""
    return {
        "anthropic_api_key": KEY,
        "anthropic_base_url": claude.url,
        "omdb_api_key": OMDB_KEY,
        "omdb_api_url": omdb.url,
        "ai_timeout_seconds": TIMEOUT,
        "db_pool_size": 20,
    }


@pytest.fixture(scope="module")
async def ai_url(administrator: AsyncEngine, filled: str) -> AsyncIterator[URL]:
    async with new_database(administrator, filled) as url:
        yield url


@pytest.fixture(scope="module")
async def claude_double() -> AsyncIterator[ClaudeDouble]:
    async with ClaudeDouble() as double:
        yield double


@pytest.fixture(scope="module")
async def omdb_double() -> AsyncIterator[OmdbDouble]:
    known = [*sample_payloads(), title(DARK_STAR_ID, Title="Dark Star", Year="1974")]
    async with OmdbDouble(known) as double:
        yield double


@pytest.fixture(scope="module")
async def shared_service(ai_url: URL, claude_double: ClaudeDouble, omdb_double: OmdbDouble) -> AsyncIterator[Service]:
    async with opened(ai_url, **asking(claude_double, omdb_double)) as service:
        yield service


@pytest.fixture
async def searcher(
    shared_service: Service, claude_double: ClaudeDouble, omdb_double: OmdbDouble
) -> AsyncIterator[Searcher]:
    """Somebody who has not searched yet; Claude suggests two stored films, and one that OMDb knows."""
    claude_double.forget()
    omdb_double.forget()
    claude_double.suggest(MATRIX, DARK_STAR, ALIEN)
    claude_double.replies, claude_double.counting = [], None
    claude_double.stop_reason, claude_double.tokens = "end_turn", 12
    omdb_double.always = None
    yield Searcher(await person(shared_service, ADA), claude_double, omdb_double)
    await shared_service.execute("DELETE FROM users")
    await shared_service.execute("DELETE FROM movies WHERE imdb_id = :id", id=DARK_STAR_ID)
