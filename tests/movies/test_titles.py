"""Titles to be found by: their words, kept by PostgreSQL as the code has them, and the titles of movies elsewhere."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import httpx
import pytest
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.text import fold
from app.movies.repository import title_columns
from app.movies.title_words import title_words
from tests.conftest import alembic, make_settings, new_database, started
from tests.movies.films import FILMS, imdb_ids, listed

ADD = "INSERT INTO movies (imdb_id, title, folded_title, imdb_votes) VALUES ($1, $2, $3, $4)"
ADD_OTHER = """
INSERT INTO titles (movie_id, folded_title, is_main, votes)
SELECT id, $2, false, imdb_votes FROM movies WHERE imdb_id = $1
"""


async def connected(url: URL) -> asyncpg.Connection:
    return await asyncpg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))


@pytest.fixture(scope="module")
async def url(administrator: AsyncEngine, migrated: str) -> AsyncIterator[URL]:
    async with new_database(administrator, migrated) as url:
        yield url


@pytest.fixture
async def connection(url: URL) -> AsyncIterator[asyncpg.Connection]:
    connection = await connected(url)
    yield connection
    await connection.execute("DELETE FROM movies; DELETE FROM vocabulary")
    await connection.close()


@pytest.fixture
async def client(url: URL) -> AsyncIterator[httpx.AsyncClient]:
    async with started(make_settings(url)) as (_, client):
        yield client


async def add(connection: asyncpg.Connection, imdb_id: str, title: str, votes: int | None = None) -> None:
    await connection.execute(ADD, imdb_id, title, fold(title), votes)


async def found(client: httpx.AsyncClient, search: str, **more: str) -> list[str]:
    return imdb_ids(await listed(client, search=search, **more))


async def rows(connection: asyncpg.Connection, query: str, *values: object) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.fetch(query, *values)]


async def differing(connection: asyncpg.Connection, titles: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Of which titles PostgreSQL has other words than the code."""
    of_each = await rows(connection, "SELECT title, title_words(title) FROM unnest($1::text[]) AS title", titles)
    return [(title, words) for title, words in of_each if words != title_words(title)]


async def test_postgresql_has_the_words_of_real_titles_as_the_code_has_them(connection: asyncpg.Connection) -> None:
    assert await differing(connection, [film.folded for film in FILMS]) == []


async def test_postgresql_has_the_words_of_any_title_as_the_code_has_them(connection: asyncpg.Connection) -> None:
    text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    signs = st.text(
        "ab0'`\u2019\u2018 \t\n\r-\u2013\u2014\u3000\u3001\u00b7_\\\"%\u00bf\u00d7.,:;!?()[]{}<>|~^#@&*+=/$"
    )
    titles: list[str] = []

    @settings(max_examples=1_000, suppress_health_check=list(HealthCheck), deadline=None, database=None)
    @given(st.one_of(text, signs))
    def collect(title: str) -> None:
        titles.extend((title, fold(title)))

    collect()
    assert len(set(titles)) > 500
    assert await differing(connection, titles) == []


async def test_a_movie_is_found_by_what_it_is_called_elsewhere(
    connection: asyncpg.Connection, client: httpx.AsyncClient
) -> None:
    await add(connection, "tt0000001", "Inception", 100)
    await add(connection, "tt0000002", "Le Début", 1_000)
    await add(connection, "tt0000003", "Origen", 10)
    await connection.execute(ADD_OTHER, "tt0000001", "origen")
    await connection.execute(ADD_OTHER, "tt0000001", "el origen")
    await connection.execute(ADD_OTHER, "tt0000002", "el origen del todo")
    assert await found(client, "origen") == ["tt0000003", "tt0000001", "tt0000002"]
    assert await found(client, "el origen") == ["tt0000001", "tt0000002"]
    assert await found(client, "origen del todo") == ["tt0000002"]
    assert await found(client, "orgien del todo") == ["tt0000002"]
    assert await found(client, "elorigen") == ["tt0000001"]
    assert await found(client, "origen", ordering="title") == ["tt0000001", "tt0000002", "tt0000003"]
    # The filter is for the title that a client is shown.
    assert imdb_ids(await listed(client, title="origen")) == ["tt0000003"]


async def test_a_title_that_is_changed_is_found_by_the_new_one_alone(
    connection: asyncpg.Connection, client: httpx.AsyncClient
) -> None:
    await add(connection, "tt0000001", "The Working Title")
    await connection.execute(ADD_OTHER, "tt0000001", "der arbeitstitel")
    change = "UPDATE movies SET title = $1, folded_title = $2"
    await connection.execute(change, "The Final Name", fold("The Final Name"))
    assert await found(client, "working title") == []
    assert await found(client, "finla name") == ["tt0000001"]
    assert await found(client, "arbeitstitel") == ["tt0000001"]
    await connection.execute(change, "Der Arbeitstitel", "der arbeitstitel")
    assert await rows(connection, "SELECT folded_title, is_main FROM titles") == [("der arbeitstitel", True)]
    await connection.execute("DELETE FROM movies")
    assert await rows(connection, "SELECT * FROM titles") == []
    assert await found(client, "arbeitstitel") == []


async def test_votes_that_change_change_the_order(connection: asyncpg.Connection, client: httpx.AsyncClient) -> None:
    await add(connection, "tt0000001", "Dune", 100)
    await add(connection, "tt0000002", "Dune", 200)
    await connection.execute(ADD_OTHER, "tt0000001", "der wuestenplanet")
    assert await found(client, "dune") == ["tt0000002", "tt0000001"]
    await connection.execute("UPDATE movies SET imdb_votes = 300 WHERE imdb_id = 'tt0000001'")
    assert await found(client, "dune") == ["tt0000001", "tt0000002"]
    assert await rows(connection, "SELECT DISTINCT votes FROM titles WHERE votes <> 200") == [(300,)]
    await connection.execute("UPDATE movies SET imdb_votes = NULL WHERE imdb_id = 'tt0000001'")
    assert await found(client, "dune") == ["tt0000002", "tt0000001"]


async def test_without_votes_the_title_with_the_least_beside_comes_first(
    connection: asyncpg.Connection, client: httpx.AsyncClient
) -> None:
    titles = ["Love in a Cold Climate", "Love Me", "My Love", "All My Love for You", "Glove"]
    for number, title in enumerate(titles, 1):
        await add(connection, f"tt000000{number}", title)
    in_order = ["Love Me", "Love in a Cold Climate", "My Love", "All My Love for You", "Glove"]
    assert [movie["title"] for movie in await listed(client, search="love")] == in_order


async def test_a_title_but_for_its_article_comes_before_longer_ones(
    connection: asyncpg.Connection, client: httpx.AsyncClient
) -> None:
    for number, title in enumerate(["Matrix Reloaded", "The Matrix", "Inside the Matrix", "An Matrix"], 1):
        await add(connection, f"tt000000{number}", title, 100 * number)
    assert await found(client, "matrix") == ["tt0000004", "tt0000002", "tt0000001", "tt0000003"]
    await add(connection, "tt0000005", "Matrix", 1)
    assert await found(client, "the matrix") == ["tt0000002", "tt0000005", "tt0000003"]
    assert await found(client, "an") == ["tt0000004"]


async def test_a_movie_that_several_of_its_titles_match_is_found_once(
    connection: asyncpg.Connection, client: httpx.AsyncClient
) -> None:
    await add(connection, "tt0000001", "Amélie")
    for other in ("amelie from montmartre", "le fabuleux destin d'amelie poulain", "amelie"):
        if other != "amelie":
            await connection.execute(ADD_OTHER, "tt0000001", other)
    for search in ("amelie", "ameile"):
        page = (await client.get("/movies/", params={"search": search})).json()
        assert (page["count"], imdb_ids(page["results"])) == (1, ["tt0000001"])


async def test_two_may_store_the_same_new_word_at_the_same_time(url: URL, connection: asyncpg.Connection) -> None:
    other = await connected(url)
    ours, theirs = connection.transaction(), other.transaction()
    await ours.start()
    await theirs.start()
    async with asyncio.timeout(5):
        await add(connection, "tt0000001", "Zyzzyva")
        await add(other, "tt0000002", "Zyzzyva")
        await ours.commit()
        await theirs.commit()
    await other.close()
    assert await rows(connection, "SELECT DISTINCT word, length, backwards FROM vocabulary") == [
        ("zyzzyva", 7, "avyzzyz")
    ]
    await add(connection, "tt0000003", "Zyzzyva Two")
    words = await rows(connection, "SELECT word FROM vocabulary WHERE word <> 'zyzzyva' ORDER BY word")
    assert words == [("two",), ("zyzzyvatwo",)]


async def test_words_too_short_or_too_long_to_be_misspelt_are_not_kept(connection: asyncpg.Connection) -> None:
    await add(connection, "tt0000001", f"a bc {'d' * 34} {'e' * 35}")
    assert sorted(await rows(connection, "SELECT word FROM vocabulary")) == [("bc",), ("d" * 34,)]


async def test_titles_that_were_stored_before_are_found(administrator: AsyncEngine) -> None:
    async with new_database(administrator) as url:
        await asyncio.to_thread(alembic, url, command.upgrade, "0012")
        connection = await connected(url)
        await add(connection, "tt0000001", "Inception", 7)
        await add(connection, "tt0000002", "Inception Too")
        await connection.execute(
            "INSERT INTO alternative_titles SELECT id, 'origen', 'Origen' FROM movies WHERE imdb_votes = 7"
            " UNION ALL SELECT id, folded_title, title FROM movies"
        )
        await asyncio.to_thread(alembic, url, command.upgrade, "head")
        stored = await rows(connection, "SELECT folded_title, is_main, votes FROM titles ORDER BY 1")
        assert stored == [("inception", True, 7), ("inception too", True, None), ("origen", False, 7)]
        words = await rows(connection, "SELECT word FROM vocabulary ORDER BY word")
        assert words == [("inception",), ("inceptiontoo",), ("origen",), ("too",)]
        await asyncio.to_thread(alembic, url, command.downgrade, "0012")
        kept = await rows(connection, "SELECT folded_title, title FROM alternative_titles")
        assert kept == [("origen", "origen")]
        await connection.close()


def test_what_is_stored_of_a_title_is_what_it_is_searched_by() -> None:
    assert title_words(str(title_columns("L'Été \u2013 à la plage!")["folded_title"])) == [
        "a",
        "la",
        "lete",
        "letealaplage",
        "plage",
    ]
