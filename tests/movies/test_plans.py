"""GET /movies/: how many statements it takes, and by which plans PostgreSQL answers them."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, NamedTuple

import asyncpg
import httpx
import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.core.database import Database
from app.core.driver_statement import DriverStatement
from app.movies.schemas import MOVIE_ORDERINGS, MovieQuery
from app.movies.service import Catalogue
from tests.conftest import new_database
from tests.log_lines import log_lines
from tests.sample_application import sample_application


@pytest.fixture(scope="module")
async def client(administrator: AsyncEngine, filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with sample_application(administrator, filled) as (_, client):
        yield client


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/movies/", 1),
        ("/movies/?limit=100", 1),
        ("/movies/?rating_min=8&type=movie", 1),
        ("/movies/?search=inception", 1),
        ("/movies/?search=inception&offset=10", 2),
        ("/movies/?search=incepton", 3),
        ("/movies/?search=no+such+title", 5),
        ("/movies/?genres=drama&year=19&ordering=genre,-year&offset=50", 3),
        ("/movies/?year=2010", 2),
        ("/movies/?year=3010", 1),
        ("/movies/?offset=464", 2),
        ("/movies/?offset=100000", 1),
        ("/movies/1/", 1),
        ("/structures/", 1),
    ],
)
async def test_an_answer_takes_few_statements_however_long_it_is(
    client: httpx.AsyncClient, path: str, most: int
) -> None:
    with log_lines() as lines:
        assert (await client.get(path)).status_code == 200
    (line,) = [line for line in lines if line["event"] == "request"]
    assert 0 < line["sql_count"] <= most


class Noted(NamedTuple):
    """A statement, and the values of its parameters."""

    sql: str
    values: Sequence[Any]


class NotingDatabase(Database):
    """Notes what is sent, on the driver and through sessions."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.noted: list[Noted] = []
        event.listen(self.engine.sync_engine, "before_cursor_execute", self._note)

    async def fetch(self, statement: DriverStatement, **values: object) -> list[asyncpg.Record]:
        given = {**statement.constants, **values}
        self.noted.append(Noted(statement.sql, [given[name] for name in statement.parameters]))
        return await super().fetch(statement, **values)

    def _note(self, _connection: object, _cursor: object, sql: str, values: Sequence[Any], *_: object) -> None:
        self.noted.append(Noted(sql, values))


MANY = 20_000
FILL = f"""
INSERT INTO movies (imdb_id, title, folded_title, year, type, imdb_rating, imdb_votes, genres, created_at)
SELECT 'tt' || (3000000 + n), initcap(words), words, CASE WHEN n % 50 > 0 THEN (1900 + n % 125)::text END, 'movie',
    CASE WHEN n % 10 > 0 THEN n % 97 / 10.0 END, n, CASE WHEN n % 20 > 0 THEN ARRAY['Genre ' || n % 19] ELSE '{{}}' END,
    TIMESTAMPTZ '2026-01-01Z' + n * INTERVAL '1 minute'
FROM (SELECT n, substr(md5(n::text), 1, 8) || ' ' || substr(md5((n * 7)::text), 1, 6) AS words
    FROM generate_series(1, {MANY}) AS n) AS numbered
"""


class Plans:
    """The plans of lists of many movies."""

    def __init__(self, database: NotingDatabase, connection: AsyncConnection) -> None:
        self._database = database
        self._catalogue = Catalogue(database)
        self.connection = connection

    async def of(self, offset: int = 0, **query: str) -> list[list[dict[str, Any]]]:
        """The nodes of the plan of each statement with which a list is answered."""
        self._database.noted.clear()
        await self._catalogue.page(MovieQuery.model_validate(query), 12, offset, None)
        found = []
        for sql, values in self._database.noted:
            explained = await self.connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}", tuple(values))
            plan = explained.scalar_one()
            (root,) = json.loads(plan) if isinstance(plan, str) else plan
            found.append(list(nodes(root["Plan"])))
        return found

    async def ids(self, offset: int, ordering: str) -> tuple[list[int], int]:
        """The ids on a page, and the total."""
        movies, total = await self._catalogue.page(MovieQuery(ordering=ordering), 12, offset, None)
        return [json.loads(movie)["id"] for movie in movies], total


@pytest.fixture(scope="module")
async def plans(administrator: AsyncEngine, migrated: str) -> AsyncIterator[Plans]:
    async with new_database(administrator, migrated) as url:
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        database = NotingDatabase(url)
        async with engine.connect() as connection:
            await connection.execute(text(FILL))
            await connection.execute(text("UPDATE movie_counts SET likes_count = movie_id % 1000"))
            await connection.execute(text("VACUUM ANALYZE"))
            yield Plans(database, connection)
        await engine.dispose()
        await database.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def choosing(page: list[dict[str, Any]]) -> set[str]:
    """What is done to choose the page: the joins and the sort of its few rows come after."""
    (limit,) = [node for node in page if node["Node Type"] == "Limit"]
    offset = {"Result"}
    return {node["Node Type"] for node in nodes(limit)} - offset


@pytest.mark.parametrize("field", MOVIE_ORDERINGS)
async def test_every_ordering_reads_an_index_alone_from_the_nearer_end_and_sorts_nothing(
    plans: Plans, field: str
) -> None:
    for ordering in (field, f"-{field}"):
        for offset in (0, 60, 5_000, MANY - 100):
            page = (await plans.of(offset=offset, ordering=ordering))[-1]
            assert choosing(page) == {"Limit", "Index Only Scan"}, (ordering, offset)
            scanned = {node["Relation Name"] for node in page if node["Node Type"] == "Seq Scan"}
            assert scanned <= {"movie_totals"}, (ordering, offset)


COLUMNS = {"title": "folded_title", "genre": "genres[1]", "year": "first_year"}


@pytest.mark.parametrize("field", MOVIE_ORDERINGS)
async def test_a_page_is_the_same_from_whichever_end_it_is_read(plans: Plans, field: str) -> None:
    for sign, direction in (("", "ASC"), ("-", "DESC")):
        for offset in (5_000, 15_000, MANY - 5, MANY):
            order = f"{COLUMNS.get(field, field)} {direction} NULLS LAST, id {direction} LIMIT 12 OFFSET {offset}"
            rows = await plans.connection.execute(
                text(f"SELECT id FROM movies JOIN movie_counts ON movie_id = id ORDER BY {order}")
            )
            assert await plans.ids(offset, f"{sign}{field}") == (rows.scalars().all(), MANY), (sign, offset)


async def test_the_default_order_reads_an_index(plans: Plans) -> None:
    (page,) = await plans.of()
    assert "ix_movies_created_at_id" in {node.get("Index Name") for node in page}
    assert choosing(page) == {"Limit", "Index Only Scan"}


@pytest.mark.parametrize("genre", ["", "Genre 7"])
async def test_a_total_of_all_or_of_a_genre_counts_no_movies(plans: Plans, genre: str) -> None:
    found = await plans.of(genres=genre)
    aggregates = [node for plan in found for node in plan if node["Node Type"] == "Aggregate"]
    assert {below.get("Relation Name") for node in aggregates for below in nodes(node)} == {None, "movie_totals"}


@pytest.mark.parametrize("genres", [None, "Genre 7"])
@pytest.mark.parametrize("bounds", [{"rating_min": "5"}, {"rating_max": "5"}, {"rating_min": "3", "rating_max": "7.5"}])
async def test_a_total_of_ratings_counts_no_movies(plans: Plans, genres: str | None, bounds: dict[str, str]) -> None:
    query = bounds | ({"genres": genres} if genres else {})
    page = (await plans.of(0, **query))[-1]
    aggregates = [node for node in page if node["Node Type"] == "Aggregate"]
    scanned = {below.get("Relation Name") for node in aggregates for below in nodes(node)}
    assert scanned - {None} == {"movie_rating_totals"}


@pytest.mark.parametrize("ordering", ["-created_at", "likes_count", "imdb_id,-year"])
async def test_several_filters_are_gone_through_once_to_be_counted_and_for_the_page(
    plans: Plans, ordering: str
) -> None:
    page = (await plans.of(title="c81", year="19", ordering=ordering))[-1]
    conditions = [node.get("Filter", "") + node.get("Recheck Cond", "") for node in page]
    assert len([condition for condition in conditions if "folded_title" in condition]) == 1


async def test_substring_filters_read_trigram_indexes(plans: Plans) -> None:
    if not await plans.connection.scalar(text("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")):
        pytest.skip("this PostgreSQL has no pg_trgm")
    for plan, index in (
        (await plans.of(title="c81e7"), "trgm_movies_folded_title"),
        (await plans.of(search="c81e728"), "trgm_titles_folded_title"),
        (await plans.of(search="c81e aab3"), "trgm_titles_folded_title"),
    ):
        assert index in {node.get("Index Name") for node in plan[0]}
