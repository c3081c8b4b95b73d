"""GET /movies/: filters, orderings and pages, checked against the sample catalogue's file."""

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from app.core.database import Database
from app.movies.repository import MovieRepository
from app.movies.trigrams import create_trigram_indexes
from app.upstream.titles import TitleFacts
from tests.conftest import make_settings, new_database, started
from tests.movies.films import FILMS, Film, imdb_ids, listed, matching, plain
from tests.problem_documents import fields
from tests.sample_application import sample_application


@pytest.fixture(scope="module")
async def client(administrator: AsyncEngine, filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with sample_application(administrator, filled) as (_, client):
        yield client


# Filters.

Holds = Callable[[Film], bool]
FILTERS: list[tuple[dict[str, str], Holds]] = [
    ({}, lambda _: True),
    ({"imdb_id": "tt1375666"}, lambda film: film.imdb_id == "tt1375666"),
    ({"imdb_id": "tt137566"}, lambda _: False),
    ({"imdb_id": "TT1375666"}, lambda _: False),
    ({"title": "the"}, lambda film: "the" in film.folded),
    ({"title": "THE GOD"}, lambda film: "the god" in film.folded),
    ({"title": "amelie"}, lambda film: "amelie" in film.folded),
    ({"title": "AMÉLIE"}, lambda film: "amelie" in film.folded),
    ({"title": "e\u0301"}, lambda film: "e" in film.folded),
    ({"title": ": "}, lambda film: ": " in film.title),
    ({"title": "'"}, lambda film: "'" in film.title),
    ({"title": "%"}, lambda film: "%" in film.title),
    ({"title": "_"}, lambda film: "_" in film.title),
    ({"title": "\\"}, lambda film: "\\" in film.title),
    ({"title": "no such title"}, lambda _: False),
    ({"genres": "Drama"}, lambda film: "Drama" in film.genres),
    ({"genres": "drama"}, lambda film: "Drama" in film.genres),
    ({"genres": "om"}, lambda film: any("om" in genre.lower() for genre in film.genres)),
    ({"genres": "-"}, lambda film: any("-" in genre for genre in film.genres)),
    ({"genres": "%"}, lambda _: False),
    ({"genres": "drama, crime"}, lambda _: False),
    ({"year": "2010"}, lambda film: "2010" in (film.year or "")),
    ({"year": "19"}, lambda film: "19" in (film.year or "")),
    ({"year": "\N{EN DASH}"}, lambda film: "\N{EN DASH}" in (film.year or "")),
    ({"year": "_"}, lambda _: False),
    ({"year": "2013"}, lambda film: "2013" in (film.year or "")),
    ({"type": "movie"}, lambda film: film.type == "movie"),
    ({"type": "series"}, lambda film: film.type == "series"),
    ({"type": "game"}, lambda film: film.type == "game"),
    ({"rating_min": "8.7"}, lambda film: film.rating is not None and film.rating >= 8.7),
    ({"rating_max": "6.9"}, lambda film: film.rating is not None and film.rating <= 6.9),
    ({"rating_min": "8", "rating_max": "8.0"}, lambda film: film.rating == 8),
    ({"rating_min": "0"}, lambda film: film.rating is not None),
    ({"rating_min": "0", "rating_max": "10"}, lambda film: film.rating is not None),
    ({"rating_min": "8.5", "rating_max": "8.4"}, lambda _: False),
    ({"search": "the of"}, lambda film: "the" in film.folded and "of" in film.folded),
    ({"search": "of the"}, lambda film: "the" in film.folded and "of" in film.folded),
    ({"search": "  OF\tthe "}, lambda film: "the" in film.folded and "of" in film.folded),
]


async def test_each_filter_finds_what_it_says(client: httpx.AsyncClient) -> None:
    for parameters, holds in FILTERS:
        assert set(imdb_ids(await listed(client, **parameters))) == matching(holds), parameters


async def test_a_blank_filter_is_none(client: httpx.AsyncClient) -> None:
    names = ("imdb_id", "title", "genres", "year", "search", "type", "rating_min", "rating_max", "ordering")
    for blank in ("", " ", "\t\u00a0"):
        for chosen in [(name,) for name in names] + [names]:
            page = (await client.get("/movies/", params=dict.fromkeys(chosen, blank) | {"limit": "2"})).json()
            assert page["count"] == len(FILMS), (chosen, blank)
            assert [movie["id"] for movie in page["results"]] == [464, 463], (chosen, blank)


async def test_the_filters_of_the_test_find_something_where_they_should() -> None:
    found = [len(matching(holds)) for _, holds in FILTERS]
    assert sum(0 < count < len(FILMS) for count in found) > 20


async def test_filters_can_be_combined(client: httpx.AsyncClient) -> None:
    combined = 0
    for pair in itertools.combinations(FILTERS, 2):
        (first, first_holds), (second, second_holds) = pair
        if first.keys() & second.keys():
            continue
        expected = matching(first_holds) & matching(second_holds)
        # Where a search finds nothing, typos are forgiven: that is another test's matter.
        if expected or not ({"search"} & (first.keys() | second.keys())):
            page = (await client.get("/movies/", params={**first, **second, "limit": "5"})).json()
            assert page["count"] == len(expected), (first, second)
            assert set(imdb_ids(page["results"])) <= expected, (first, second)
            combined += 1
    assert combined > 300


async def test_all_filters_at_once_find_the_one_film(client: httpx.AsyncClient) -> None:
    everything = {
        "imdb_id": "tt1375666",
        "title": "CEPT",
        "genres": "sci",
        "year": "201",
        "search": "inception",
        "type": "movie",
        "rating_min": "8",
        "rating_max": "9.5",
    }
    for ordering in ("", "genre,-year"):
        assert imdb_ids(await listed(client, **everything, ordering=ordering)) == ["tt1375666"]
    for name, other in {"imdb_id": "tt0111161", "year": "1999", "type": "series", "rating_max": "8.1"}.items():
        assert imdb_ids(await listed(client, **everything | {name: other})) == [], name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("type", "film"),
        ("type", "MOVIE"),
        ("rating_min", "-0.1"),
        ("rating_min", "10.1"),
        ("rating_max", "eight"),
        ("rating_max", "8,5"),
        ("rating_max", "NaN"),
        ("rating_min", "1e400"),
        ("ordering", "rating"),
        ("ordering", "-"),
        ("title", "x" * 256),
        ("search", "x" * 256),
    ],
)
async def test_a_filter_that_cannot_be_meant_is_refused(client: httpx.AsyncClient, name: str, value: str) -> None:
    assert fields(await client.get("/movies/", params={name: value})) == {name}


async def test_the_longest_filter_is_taken(client: httpx.AsyncClient) -> None:
    for name in ("title", "genres", "year", "imdb_id", "search"):
        for value in ("x" * 255, "%" * 255, "\\" * 255, "qx " * 85, "qz'\"" * 63):
            page = (await client.get("/movies/", params={name: value})).json()
            assert page["count"] == 0, (name, value)


# Orderings.

Sortable = Any  # of one type for each field, or None
KEYS: dict[str, Callable[[Film], Sortable]] = {
    "imdb_id": lambda film: film.imdb_id,
    "title": lambda film: film.folded.encode(),
    "genre": lambda film: film.genres[0] if film.genres else None,
    "year": lambda film: film.first_year,
    "likes_count": lambda _: 0,
    "imdb_rating": lambda film: film.rating,
    "created_at": lambda _: 0,
}
BY_ID = {film.imdb_id: film for film in FILMS}


def check_order(movies: Sequence[dict[str, Any]], ordering: str) -> None:
    """`movies` are in this order, the unknown last, and ties by id in the direction of the first field."""
    terms = [(term.removeprefix("-"), term.startswith("-")) for term in ordering.split(",")]
    for earlier, later in itertools.pairwise(movies):
        for field, descending in [*terms, ("id", terms[0][1])]:
            if field == "id":
                one, other = earlier["id"], later["id"]
            else:
                one, other = (KEYS[field](BY_ID[movie["imdb_id"]]) for movie in (earlier, later))
            if one == other:
                continue
            right = other is None or (one is not None and (one > other if descending else one < other))
            assert right, (ordering, field, earlier["imdb_id"], later["imdb_id"])
            break


@pytest.mark.parametrize("field", KEYS)
async def test_each_ordering_holds_both_ways_over_all_pages(client: httpx.AsyncClient, field: str) -> None:
    for ordering, limit in ((field, 7), (f"-{field}", 29)):
        movies = await listed(client, limit, ordering=ordering)
        assert len(movies) == len(FILMS)
        check_order(movies, ordering)


@pytest.mark.parametrize(
    "ordering",
    [
        "genre,title",
        "genre,-imdb_rating",
        "-genre,imdb_rating",
        "-year,-imdb_rating,title",
        "imdb_rating,year",
        "-imdb_rating,-year,-genre,-imdb_id",
        "likes_count,genre",
        "-likes_count,year",
        "created_at,likes_count,-title",
    ],
)
async def test_orderings_can_be_combined(client: httpx.AsyncClient, ordering: str) -> None:
    movies = await listed(client, 31, ordering=ordering)
    assert len(movies) == len(FILMS)
    check_order(movies, ordering)
    spaced = await listed(client, 100, ordering=ordering.replace(",", " , "))
    assert imdb_ids(spaced) == imdb_ids(movies)


@pytest.mark.parametrize("ordering", ["-year,title", "likes_count,-imdb_id", "genre,created_at,-imdb_rating", "title"])
async def test_an_ordering_holds_for_what_filters_leave(client: httpx.AsyncClient, ordering: str) -> None:
    searched = await listed(client, 7, genres="drama", search="the", ordering=ordering)
    assert set(imdb_ids(searched)) == matching(lambda film: "Drama" in film.genres and "the" in film.folded)
    check_order(searched, ordering)
    filtered = await listed(client, 5, title="the", genres="drama", rating_min="7", ordering=ordering)
    assert set(imdb_ids(filtered)) < set(imdb_ids(searched))
    check_order(filtered, ordering)


async def test_the_sample_has_unknown_values_to_order() -> None:
    assert any(film.rating is None for film in FILMS)
    assert len({film.genres[0] for film in FILMS if film.genres}) > 5


# What the sample has not: unknown values everywhere, strange titles, likes, and times apart.

TITLES = {
    "tt1000001": "100% Wolf",
    "tt1000002": "100 Wolves",
    "tt1000003": "Snake_Case",
    "tt1000004": "Snake Case",
    "tt1000005": "Back\\slash",
    "tt1000006": "Backslash",
    "tt1000007": "Æon",
    "tt1000008": "ÉCLAIR",
    "tt1000009": "Straße",
    "tt1000010": "Сталкер",
    "tt1000011": "七人の侍",
    "tt1000012": "Ὀδύσσεια",
    "tt1000013": "x",
    "tt1000014": "x",
    "tt1000015": "İstanbul",
    "tt1000016": "\N{RIGHT-TO-LEFT OVERRIDE}evil",
    "tt1000017": "Smile \N{GRINNING FACE}",
    "tt1000018": "L" * 500,
}
YEARS = [None, "1999", "2001\N{EN DASH}", "1999\N{EN DASH}2003", None, "2020"]
GENRES: list[tuple[str, ...]] = [(), ("Drama",), ("Action", "100% Fun"), ("drama",), (), ("Zeta", "Action")]


async def strange(connection: AsyncConnection) -> None:
    """Store the strange titles, a day apart in an order of their own, and with likes."""
    titles = [
        TitleFacts(imdb_id=imdb_id, title=title, year=YEARS[number % 6], genres=GENRES[number % 6])
        for number, (imdb_id, title) in enumerate(TITLES.items())
    ]
    session = AsyncSession(connection)
    await MovieRepository(session).upsert(titles, refreshed_at=None)
    await session.execute(
        text("UPDATE movies SET created_at = TIMESTAMPTZ '2026-01-01Z' + (id * 7 % 18) * INTERVAL '1 day'")
    )
    await session.execute(text("UPDATE movie_counts SET likes_count = movie_id % 4, watch_later_count = movie_id % 5"))
    await session.commit()


@pytest.fixture(scope="module")
async def strange_client(administrator: AsyncEngine, migrated: str) -> AsyncIterator[httpx.AsyncClient]:
    async with new_database(administrator, migrated) as url:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.connect() as connection:
            await strange(connection)
        await engine.dispose()
        async with started(make_settings(url)) as (_, client):
            yield client


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ("100%", {"tt1000001"}),
        ("0% w", {"tt1000001"}),
        ("100", {"tt1000001", "tt1000002"}),
        ("e_c", {"tt1000003"}),
        ("e c", {"tt1000004"}),
        ("k\\s", {"tt1000005"}),
        ("\\", {"tt1000005"}),
        ("eclair", {"tt1000008"}),
        ("éclair", {"tt1000008"}),
        ("STRASSE", {"tt1000009"}),
        ("straße", {"tt1000009"}),
        ("СТАЛКЕР", {"tt1000010"}),
        ("人の", {"tt1000011"}),
        ("οδυσσεια", {"tt1000012"}),
        ("ὈΔΎΣΣΕΙΑ", {"tt1000012"}),
        ("istanbul", {"tt1000015"}),
        ("\N{RIGHT-TO-LEFT OVERRIDE}", {"tt1000016"}),
        ("\N{GRINNING FACE}", {"tt1000017"}),
        ("l" * 255, {"tt1000018"}),
        ("\N{COMBINING ACUTE ACCENT}", set(TITLES)),  # an accent alone is nothing, and nothing is in every title
    ],
)
async def test_titles_are_found_by_their_characters(
    strange_client: httpx.AsyncClient, sought: str, found: set[str]
) -> None:
    assert set(imdb_ids(await listed(strange_client, title=sought))) == found
    if plain(sought) and " " not in sought:
        assert set(imdb_ids(await listed(strange_client, search=sought))) == found


async def test_genres_are_found_by_their_characters(strange_client: httpx.AsyncClient) -> None:
    for sought, rows in {"100%": {2}, "DRAMA": {1, 3}, "action": {2, 5}, "%": {2}, "_": set()}.items():
        expected = {imdb_id for number, imdb_id in enumerate(TITLES) if number % 6 in rows}
        assert set(imdb_ids(await listed(strange_client, genres=sought))) == expected, sought


async def test_a_search_for_nothing_but_accents_finds_nothing(strange_client: httpx.AsyncClient) -> None:
    assert await listed(strange_client, search="\N{COMBINING ACUTE ACCENT}") == []


@pytest.mark.parametrize("field", ["created_at", "likes_count", "year", "genre", "title", "imdb_rating"])
async def test_ties_and_unknown_values_are_ordered_both_ways(strange_client: httpx.AsyncClient, field: str) -> None:
    def key(movie: dict[str, Any]) -> Sortable:
        match field:
            case "year":
                return int(movie["year"][:4]) if movie["year"] else None
            case "genre":
                return movie["genres"][0]["name"] if movie["genres"] else None
            case "title":
                return movie["title"]
        return movie[field]

    for ordering in (field, f"-{field}"):
        movies = await listed(strange_client, 4, ordering=ordering)
        assert len(movies) == len(TITLES)
        if field == "title":
            continue
        descending = ordering.startswith("-")
        known = sorted((m for m in movies if key(m) is not None), key=lambda m: m["id"], reverse=descending)
        known.sort(key=key, reverse=descending)
        unknown = sorted((m for m in movies if key(m) is None), key=lambda m: m["id"], reverse=descending)
        assert imdb_ids(movies) == imdb_ids(known + unknown), ordering


async def test_the_newest_come_first_unless_told_otherwise(strange_client: httpx.AsyncClient) -> None:
    default = await listed(strange_client, 5)
    assert imdb_ids(default) == imdb_ids(await listed(strange_client, 5, ordering="-created_at"))
    times = [datetime.fromisoformat(movie["created_at"]) for movie in default]
    assert times == sorted(times, reverse=True)
    assert times[0] == datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=17)


async def test_counts_are_shown(strange_client: httpx.AsyncClient) -> None:
    for movie in await listed(strange_client):
        assert (movie["likes_count"], movie["watch_later_count"]) == (movie["id"] % 4, movie["id"] % 5)


RELEVANCE = [
    # imdb_id, title, votes; in the order in which a search for "star wars" should give them
    ("tt2000004", "Star Wars", 10),
    ("tt2000007", "Star Wars", None),
    ("tt2000011", "Starwars", 2000),
    ("tt2000009", "STÁR  WARS", 5),
    ("tt2000003", "Star Wars: Second", 90),
    ("tt2000001", "Star Wars First", 80),
    ("tt2000012", "Star Wars at Last", 80),
    ("tt2000002", "Star Warsaw", None),
    ("tt2000008", "Wars Star", None),
    ("tt2000006", "The Wars of the Star", 1000),
    ("tt2000005", "A Star Wars Story", 999),
    ("tt2000013", "Starlets in Warsaw", 3000),
]


async def test_a_search_gives_the_exact_title_first_then_beginnings_then_all_words_each_by_votes(
    administrator: AsyncEngine, migrated: str
) -> None:
    async with new_database(administrator, migrated) as url:
        database = Database(url)

        async def store(session: AsyncSession) -> None:
            facts = [TitleFacts(imdb_id=i, title=title, imdb_votes=votes) for i, title, votes in sorted(RELEVANCE)]
            facts.append(TitleFacts(imdb_id="tt2000010", title="Star Trek", imdb_votes=5000))
            await MovieRepository(session).upsert(facts, refreshed_at=None)

        await database.write(store)
        await database.close()
        async with started(make_settings(url)) as (_, client):
            found = imdb_ids(await listed(client, 2, search="star wars"))
            assert found == [imdb_id for imdb_id, _, _ in RELEVANCE]
            assert imdb_ids(await listed(client, 2, search=" STAR   wárs "))[:2] == ["tt2000004", "tt2000007"]
            by_id = imdb_ids(await listed(client, 2, search="star wars", ordering="-imdb_id"))
            assert by_id == sorted(found, reverse=True)
            assert imdb_ids(await listed(client, search="star wars", ordering=" "))[0] == "tt2000004"
            searched = (await client.post("/movies/search/", json={"expression": "star wars"})).json()
            assert imdb_ids(searched) == found[:10]


async def test_without_pg_trgm_everything_still_works(administrator: AsyncEngine, filled: str) -> None:
    def leave_out(connection: Connection) -> None:
        connection.execute(text("DROP EXTENSION IF EXISTS pg_trgm CASCADE"))
        # What is temporary is found before the system's own: a server that has no extension at all.
        connection.execute(text("CREATE TEMPORARY TABLE pg_available_extensions (name text)"))
        create_trigram_indexes(connection)

    async with new_database(administrator, filled) as url:
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        async with engine.connect() as connection:
            await connection.run_sync(leave_out)
            left = "SELECT (SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm')"
            left += " + (SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'trgm%')"
            assert await connection.scalar(text(left)) == 0
        await engine.dispose()
        async with started(make_settings(url)) as (_, client):
            for parameters in ({"title": "CEPT"}, {"search": "inception"}, {"search": "incepton", "year": "201"}):
                assert "tt1375666" in imdb_ids(await listed(client, **parameters)), parameters
