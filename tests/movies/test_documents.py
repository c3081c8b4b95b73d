"""The JSON that the database keeps of a movie is the one that the documented model makes of its row."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.core.database import Database
from app.movies.browsing import Browsing
from app.movies.repository import MovieRepository, movie_rows
from app.movies.schemas import Movie, MovieQuery
from app.movies.totals import KeptTotals
from app.upstream.titles import Rating, TitleFacts
from tests.conftest import Start
from tests.movies.conftest import Sql, database, sql

__all__ = ["database", "sql"]

AWKWARD = ('a "quoted" name', 'ends with a quote and a comma",', "back\\slash", "tab\tand\nline", "Zoë 🎬", "", "null")


async def store(database: Database, *titles: TitleFacts) -> None:
    async with database.transaction() as session:
        await MovieRepository(session).upsert(titles, refreshed_at=datetime.now(UTC))


@pytest.mark.parametrize("names", [AWKWARD, AWKWARD[:1], ("plain", "and, plain"), ("[]",), ()])
async def test_a_kept_document_is_what_the_model_makes_of_the_row(
    start: Start, database: Database, sql: Sql, names: tuple[str, ...]
) -> None:
    await store(
        database,
        TitleFacts(
            imdb_id="tt0000001",
            title=" ".join(AWKWARD),
            year="1997–2007",  # noqa: RUF001 - as upstream writes it
            plot=AWKWARD[3],
            imdb_rating=Decimal("8.0"),
            imdb_votes=1234567,
            ratings=(Rating(source=AWKWARD[0], value="8/10"),),
            languages=names,
            countries=names,
            writers=names,
            genres=names,
            actors=names,
            directors=names,
        ),
        TitleFacts(imdb_id="tt0000002", title="Nothing is known", imdb_votes=0),
    )
    for created_at in ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.060708+05:30", "1969-12-31T23:59:59.5Z"):
        await sql(f"UPDATE movies SET created_at = '{created_at}'")
        async with start() as client, database.reading() as session:
            for row in await session.execute(movie_rows()):
                answer = await client.get(f"/movies/{row.id}/")
                assert answer.json() == Movie.model_validate(row).model_dump(mode="json")
                assert list(answer.json()) == list(Movie.model_fields)


async def test_a_document_changes_with_its_movie(start: Start, database: Database, sql: Sql) -> None:
    await store(database, TitleFacts(imdb_id="tt0000001", title="Before", genres=("Drama",)))
    async with start() as client:
        await sql("UPDATE movies SET title = 'After', genres = '{War,Noir}'")
        movie = (await client.get("/movies/")).json()["results"][0]
    assert (movie["title"], movie["genres"]) == ("After", [{"name": "War"}, {"name": "Noir"}])


async def test_a_total_that_took_long_is_kept_for_a_while_where_there_is_a_filter(database: Database) -> None:
    browsing = Browsing(database, KeptTotals(slow=0.0))
    by_year, everything = MovieQuery(year="2001"), MovieQuery()
    for number in (1, 2):
        await store(database, TitleFacts(imdb_id=f"tt000000{number}", title="Film", year="2001"))
        assert (await browsing.page(everything, 12, 0, None))[1] == number
        movies, total = await browsing.page(by_year, 12, 0, None)
        assert (len(movies), total) == (number, 1)
        assert await browsing.page(by_year, 12, 1, None) == ([], 1)
    assert (await Browsing(database).page(by_year, 12, 0, None))[1] == 2


async def test_only_so_many_totals_are_kept(database: Database) -> None:
    browsing = Browsing(database, KeptTotals(slow=0.0, most=2))
    await store(database, TitleFacts(imdb_id="tt0000001", title="Film", year="2001", type="movie"))
    queries = [MovieQuery(year="2001"), MovieQuery(title="film"), MovieQuery(type="movie")]
    for query in queries:
        assert (await browsing.page(query, 12, 0, None))[1] == 1
    await store(database, TitleFacts(imdb_id="tt0000002", title="Film", year="2001", type="movie"))
    assert [(await browsing.page(query, 12, 0, None))[1] for query in reversed(queries)] == [1, 2, 2]


async def test_a_rare_genre_is_gathered_and_a_common_one_is_met_on_the_way(start: Start, database: Database) -> None:
    common = [TitleFacts(imdb_id=f"tt{n:07}", title=f"Film {n:03}", genres=("Drama",)) for n in range(1, 200)]
    rare = TitleFacts(imdb_id="tt0009999", title="The one", genres=("Drama", "Western"))
    await store(database, *common, rare)
    async with start() as client:
        for query, count, first in (
            ("genres=western", 1, "The one"),
            ("genres=western&ordering=likes_count", 1, "The one"),
            ("genres=drama&ordering=title&limit=3", 200, "Film 001"),
            ("genres=drama&ordering=-title&offset=150", 200, "Film 050"),
            ("genres=er", 1, "The one"),
            ("genres=a&genres_=x&ordering=title", 200, "Film 001"),
            ("genres=western&title=one", 1, "The one"),
        ):
            page = (await client.get(f"/movies/?{query}")).json()
            assert (page["count"], page["results"][0]["title"]) == (count, first), query
        assert json.loads((await client.get("/movies/?genres=noir")).content)["count"] == 0
