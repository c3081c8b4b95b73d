"""A look behind the application: the rows, and the statements that it sends."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Protocol

import httpx
import pytest
from sqlalchemy import URL, Engine, event, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core.database import Database
from app.movies.sample import load_sample
from tests.conftest import Start
from tests.doubles.collectapi import KEY as IMDB_KEY
from tests.doubles.collectapi import CollectApiDouble
from tests.doubles.omdb import KEY as OMDB_KEY
from tests.doubles.omdb import OmdbDouble
from tests.movies.people import people, people_url, shared_people

__all__ = ["people", "people_url", "shared_people"]


class Sql(Protocol):
    """Runs a statement on the test's database and gives its rows, if it has any."""

    async def __call__(self, statement: str, **parameters: Any) -> list[Any]: ...


Statements = Callable[[], AbstractContextManager[list[str]]]


@pytest.fixture
async def sql(empty_url: URL) -> AsyncIterator[Sql]:
    """The database of `start`, seen from outside."""
    engine = create_async_engine(empty_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    async def run(statement: str, **parameters: Any) -> list[Any]:
        async with engine.connect() as connection:
            result = await connection.execute(text(statement), parameters)
            return list(result.all()) if result.returns_rows else []

    yield run
    await engine.dispose()


@pytest.fixture
def statements() -> Statements:
    """Collects the statements that are sent within a block, by whatever engine."""

    @contextmanager
    def collecting() -> Iterator[list[str]]:
        sent: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            sent.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            yield sent
        finally:
            event.remove(Engine, "before_cursor_execute", note)

    return collecting


@pytest.fixture
async def database(empty_url: URL) -> AsyncIterator[Database]:
    """The database of `start`, as the application opens it."""
    database = Database(empty_url)
    yield database
    await database.close()


@pytest.fixture
async def start_with_sample(start: Start, database: Database) -> Start:
    """The same as `start`, with the sample catalogue."""
    await load_sample(database)
    return start


@pytest.fixture
async def search_client(start: Start, omdb: OmdbDouble) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application without a movie that searches by OMDb."""
    async with start(**with_omdb(omdb)) as client:
        yield client


def with_omdb(omdb: OmdbDouble) -> dict[str, Any]:
    """The settings of an application that searches by OMDb."""
    return {"omdb_api_key": OMDB_KEY, "omdb_api_url": omdb.url}


def with_imdb(collectapi: CollectApiDouble) -> dict[str, Any]:
    """The settings of an application that searches by CollectAPI."""
    return {"imdb_api_key": IMDB_KEY, "imdb_api_url": collectapi.url}


async def found(client: httpx.AsyncClient, expression: str) -> tuple[str, list[str]]:
    """The source of the answer and the IMDb ids in it."""
    response = await client.post("/movies/search/", json={"expression": expression})
    assert response.status_code == 200, response.text
    return response.headers["X-Search-Source"], [movie["imdb_id"] for movie in response.json()]


async def stored(client: httpx.AsyncClient) -> Sequence[dict[str, Any]]:
    """Every stored movie as clients see it, by IMDb id."""
    movies: list[dict[str, Any]] = []
    url: str | None = "/movies/?limit=100&ordering=imdb_id"
    while url:
        page = (await client.get(url)).json()
        movies += page["results"]
        url = page["next"]
    return movies


def title(imdb_id: str, **changes: Any) -> dict[str, Any]:
    """A title as OMDb would send it, made up."""
    return {
        "Title": f"Film {imdb_id}",
        "Year": "2001",
        "Released": "16 Jul 2001",
        "Runtime": "100 min",
        "Genre": "Drama, Crime",
        "Director": "Ada Lindqvist",
        "Writer": "Jo Li (story)",
        "Actors": "Mira Stone, Paul Okafor",
        "Plot": "Something happens.",
        "Language": "English",
        "Country": "Sweden",
        "Awards": "1 win.",
        "Poster": "https://posters.example/1.jpg",
        "Ratings": [{"Source": "Internet Movie Database", "Value": "7.0/10"}],
        "Metascore": "70",
        "imdbRating": "7.0",
        "imdbVotes": "1,000",
        "imdbID": imdb_id,
        "Type": "movie",
        "Response": "True",
        **changes,
    }


_FACTS = (
    "Year Released Runtime Genre Director Writer Actors Plot Language Country Awards Poster Metascore imdbRating "
    "imdbVotes Type totalSeasons"
)
UNKNOWN_FACTS: dict[str, Any] = {**dict.fromkeys(_FACTS.split(), "N/A"), "Ratings": []}


@asynccontextmanager
async def knowing(count: int, first: int = 7_000_001) -> AsyncIterator[tuple[OmdbDouble, list[str]]]:
    """An OMDb that finds so many made-up titles by the word "film", and their ids."""
    ids = [f"tt{number}" for number in range(first, first + count)]
    async with OmdbDouble(map(title, ids)) as omdb:
        omdb.found["film"] = ids
        yield omdb, ids
