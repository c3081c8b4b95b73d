"""Titles resolved to films: by the catalogue, then by OMDb's `t=`, then by its `s=` and `i=`."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from sqlalchemy import URL, Engine, event

from app.core.database import Database
from app.movies.enrichment import store_fetched
from app.movies.lookup import MOST_CALLS
from app.movies.matching import WantedTitle
from app.movies.resolution import Resolution, TitleResolver
from app.upstream.errors import Reason
from app.upstream.omdb import Omdb
from app.upstream.titles import parse_title
from tests.doubles.omdb import KEY, OmdbDouble
from tests.doubles.omdb import error as said
from tests.doubles.server import Reply
from tests.movies.conftest import Sql, Statements, title

MATRIX = title("tt0133093", Title="The Matrix", Year="1999", imdbVotes="2,000,000")
SABRINA = title("tt0047437", Title="Sabrina", Year="1954", imdbVotes="70,000")
REMAKE = title("tt0114319", Title="Sabrina", Year="1995", imdbVotes="40,000")
LEON = title("tt0110413", Title="Léon: The Professional", Year="1994", imdbVotes="1,200,000")
NEW_HOPE = title("tt0076759", Title="Star Wars: Episode IV - A New Hope", Year="1977", imdbVotes="1,400,000")
EMPIRE = title("tt0080684", Title="Star Wars: Episode V - The Empire Strikes Back", Year="1980", imdbVotes="1,300,000")
SERIES = title("tt7366338", Title="Chernobyl", Year="2019", Type="series", totalSeasons="1")
GAME = title("tt0277828", Title="Max Payne", Year="2001", Type="game")
ALL = [MATRIX, SABRINA, REMAKE, LEON, NEW_HOPE, EMPIRE, SERIES, GAME]


@pytest.fixture
async def upstream() -> AsyncIterator[OmdbDouble]:
    async with OmdbDouble(ALL) as omdb:
        yield omdb


@pytest.fixture
async def resolver(database: Database, upstream: OmdbDouble) -> AsyncIterator[TitleResolver]:
    finder = Omdb(upstream.url, KEY, deadline=30)
    yield TitleResolver(database, finder)
    await finder.close()


async def keep(database: Database, *payloads: dict[str, Any]) -> None:
    await store_fetched(database, [parse_title(payload) for payload in payloads])


def ids(resolutions: list[Resolution]) -> list[str | None]:
    return [resolution.movie and resolution.movie.imdb_id for resolution in resolutions]


def outcome(resolution: Resolution) -> tuple[str | None, Reason | None, bool]:
    return resolution.movie and resolution.movie.imdb_id, resolution.failure, resolution.repeats


WANTED = [
    WantedTitle("Matrix, The", year=1999),
    WantedTitle("sabrina", year=1995),
    WantedTitle("Leon", year=1994),
    WantedTitle("No such film", year=1999),
    WantedTitle("Star Wars", year=1977),
    WantedTitle("Sabrina", year=1953),
]
RIGHT = ["tt0133093", "tt0114319", "tt0110413", None, "tt0076759", "tt0047437"]


# What is stored


async def test_stored_titles_are_found_in_one_statement_and_without_a_call(
    resolver: TitleResolver, database: Database, upstream: OmdbDouble, statements: Statements
) -> None:
    await keep(database, *ALL)
    with statements() as sent:
        found = await resolver.stored(WANTED)
    assert len(sent) == 1
    assert [movie and movie.imdb_id for movie in found] == RIGHT
    assert upstream.calls == []


async def test_without_omdb_the_catalogue_alone_answers(database: Database) -> None:
    await keep(database, *ALL)
    resolver = TitleResolver(database)
    assert ids(await resolver.resolve(WANTED)) == RIGHT
    assert await resolver.upstream(WANTED[0]) == Resolution()


async def test_no_titles_are_no_statement(resolver: TitleResolver, statements: Statements) -> None:
    with statements() as sent:
        assert await resolver.resolve([]) == []
    assert sent == []


async def test_a_stored_title_is_taken_however_old_and_not_asked_for(
    resolver: TitleResolver, database: Database, upstream: OmdbDouble, sql: Sql
) -> None:
    await keep(database, MATRIX)
    await sql("UPDATE movies SET refreshed_at = now() - interval '9 years'")
    assert ids(await resolver.resolve(WANTED[:1])) == RIGHT[:1]
    assert upstream.calls == []


async def test_a_stored_title_with_a_typo_is_found_in_its_year(database: Database) -> None:
    await keep(database, title("tt0361748", Title="Inglourious Basterds", Year="2009"))
    resolver = TitleResolver(database)
    wanted = [WantedTitle("Inglorious Basterds", year=year) for year in (2009, 2010, None)]
    assert ids(await resolver.resolve(wanted)) == ["tt0361748", None, None]


async def test_without_a_year_the_best_known_title_of_exactly_this_name_is_meant(database: Database) -> None:
    await keep(database, REMAKE, SABRINA, LEON)
    resolver = TitleResolver(database)
    wanted = [WantedTitle("SABRINA"), WantedTitle("Léon")]
    assert ids(await resolver.resolve(wanted)) == ["tt0047437", None]


async def test_of_stored_titles_that_match_equally_the_best_known_is_taken_and_no_game(database: Database) -> None:
    twins = [title(f"tt009019{n}", Title="The Toxic Avenger", Year="1984", imdbVotes=f"{n},000") for n in (1, 9, 5)]
    await keep(database, *twins, GAME, SERIES)
    resolver = TitleResolver(database)
    wanted = [
        WantedTitle("Toxic Avenger", year=1984),
        WantedTitle("Max Payne", year=2001),
        WantedTitle("Max Payne", year=2001, kind="game"),
        WantedTitle("Chernobyl", year=2019),
        WantedTitle("Chernobyl", year=2019, kind="movie"),
    ]
    assert ids(await resolver.resolve(wanted)) == ["tt0090199", None, "tt0277828", "tt7366338", None]


async def test_the_original_title_finds_a_stored_film_too(database: Database) -> None:
    await keep(database, title("tt0245429", Title="Sen to Chihiro no kamikakushi", Year="2001"))
    wanted = WantedTitle("Spirited Away", original_title="Sen to Chihiro no Kamikakushi", year=2001)
    assert ids(await TitleResolver(database).resolve([wanted])) == ["tt0245429"]


async def test_a_title_that_is_renamed_is_found_by_its_new_name(
    resolver: TitleResolver, database: Database, upstream: OmdbDouble
) -> None:
    await keep(database, MATRIX)
    await keep(database, {**MATRIX, "Title": "Die Matrix"})
    upstream.titles.clear()
    wanted = [WantedTitle("Matrix", year=1999), WantedTitle("Matrices", year=1999)]
    assert ids(await resolver.resolve(wanted)) == ["tt0133093", None]


async def test_every_stored_title_is_found_by_an_index(database: Database, sql: Sql) -> None:
    await sql(
        "INSERT INTO movies (imdb_id, title, folded_title, title_keys, year, type)"
        " SELECT 'tt' || (3000000 + n), 'x', 'x', ARRAY[md5(n::text), md5((n * 7)::text)], (1900 + n % 125)::text,"
        " 'movie' FROM generate_series(1, 20000) AS n"
    )
    await sql("VACUUM ANALYZE movies, movie_counts")
    seen: list[tuple[str, Any]] = []
    event.listen(Engine, "before_cursor_execute", lambda *sent: seen.append(sent[2:4]))
    await TitleResolver(database).stored([WantedTitle("Star Wars: A New Hope", year=1977), WantedTitle("Heat")])
    async with database.engine.connect() as connection:
        plan = (await connection.exec_driver_sql(f"EXPLAIN {seen[0][0]}", seen[0][1])).scalars().all()
    assert not [line for line in plan if "Seq Scan" in line], plan
    for index in ("ix_movies_title_keys", "ix_movies_first_year_title_key"):
        assert [line for line in plan if index in line], plan


# What is asked for


async def test_titles_that_omdb_knows_by_name_take_one_wave_and_one_transaction(
    resolver: TitleResolver, upstream: OmdbDouble, statements: Statements
) -> None:
    upstream.latency = 0.2
    wanted = [WANTED[n] for n in (0, 1, 4)]
    with statements() as sent:
        found = await resolver.resolve(wanted)
    assert ids(found) == [RIGHT[n] for n in (0, 1, 4)]
    assert [resolution.calls for resolution in found] == [1, 1, 1]
    assert (len(upstream.calls), upstream.waves, upstream.most_in_flight) == (3, 1, 3)
    assert sorted(upstream.named) == [("Star Wars", "1977"), ("The Matrix", "1999"), ("sabrina", "1995")]
    assert len([statement for statement in sent if statement.startswith("INSERT INTO movies ")]) == 1


async def test_what_was_fetched_is_stored_whole_and_not_fetched_again(
    resolver: TitleResolver, upstream: OmdbDouble, sql: Sql
) -> None:
    (first,) = await resolver.resolve(WANTED[:1])
    upstream.forget()
    assert first.movie is not None
    assert (first.movie.title, first.movie.plot, first.movie.genres) == (
        "The Matrix",
        "Something happens.",
        ["Drama", "Crime"],
    )
    assert ids(await resolver.resolve(WANTED[:1])) == RIGHT[:1]
    assert upstream.calls == []
    assert await sql("SELECT refreshed_at > now() - interval '1 minute' FROM movies") == [(True,)]


@pytest.mark.parametrize(
    ("wanted", "imdb_id"),
    [
        (WantedTitle("Sabrina", year=1994), "tt0114319"),
        (WantedTitle("Star Wars", year=1980), "tt0080684"),
        (WantedTitle("Star Wars: A New Hope", year=1977), "tt0076759"),
        (WantedTitle("Oliver and Company", year=1988), "tt0095776"),
    ],
    ids=lambda given: getattr(given, "title", None),
)
async def test_a_title_that_needs_a_search_takes_two_waves_more(
    resolver: TitleResolver, upstream: OmdbDouble, wanted: WantedTitle, imdb_id: str
) -> None:
    upstream.titles["tt0095776"] = title("tt0095776", Title="Oliver & Company", Year="1988")
    upstream.latency, upstream.literal = 0.2, True
    (found,) = await resolver.resolve([wanted])
    assert (outcome(found), found.calls) == ((imdb_id, None, False), 4)
    assert (upstream.waves, upstream.most_in_flight) == (3, 2)
    assert upstream.looked_up == [imdb_id]


async def test_a_title_that_nobody_knows_takes_three_calls_and_is_no_failure(
    resolver: TitleResolver, upstream: OmdbDouble
) -> None:
    (unknown,) = await resolver.resolve([WantedTitle("No such film", year=1999)])
    assert unknown == Resolution(calls=3)
    assert len(upstream.calls) == 3
    (unknown,) = await resolver.resolve([WantedTitle("No such film")])
    assert unknown == Resolution(calls=2)


async def test_a_namesake_that_omdb_answers_with_is_not_taken(resolver: TitleResolver, upstream: OmdbDouble) -> None:
    making = title("tt0319829", Title="The Making of Alien 3", Year="1992")
    alien = title("tt0103644", Title="Alien³", Year="1992")
    upstream.titles = {making["imdbID"]: making, alien["imdbID"]: alien}
    upstream.found["Alien 3"] = ["tt0319829", "tt0103644", "tt0103644"]
    assert ids(await resolver.resolve([WantedTitle("Alien 3", year=1992)])) == ["tt0103644"]
    assert upstream.looked_up == ["tt0103644"]


async def test_a_search_whose_year_omdb_ignores_takes_no_remake(resolver: TitleResolver, upstream: OmdbDouble) -> None:
    upstream.ignores_years_of_searches = True
    assert ids(await resolver.resolve([WantedTitle("Sabrina", year=1956)])) == [None]
    assert ids(await resolver.resolve([WantedTitle("Sabrina", year=1996)])) == ["tt0114319"]


@pytest.mark.parametrize("name", ["Love", "It"])
async def test_words_too_common_to_be_searched_are_asked_for_by_name_in_the_years_around(
    resolver: TitleResolver, upstream: OmdbDouble, name: str
) -> None:
    upstream.titles = {f"tt60000{n}": title(f"tt60000{n}", Title=name, Year=str(1950 + n)) for n in range(10, 40)}
    (found,) = await resolver.resolve([WantedTitle(name, year=1990)])
    assert (found.movie and found.movie.year, found.calls) == ("1989", 5)
    (unknown,) = await resolver.resolve([WantedTitle(name, year=1993)])
    assert unknown == Resolution(calls=5)


async def test_the_kind_is_told_to_omdb_where_it_is_known(resolver: TitleResolver, upstream: OmdbDouble) -> None:
    upstream.literal = True
    assert ids(await resolver.resolve([WantedTitle("Chernobyl", year=2018, kind="series")])) == ["tt7366338"]
    assert [call.parameters.get("type") for call in upstream.calls] == ["series"] * 3 + [None]
    upstream.forget()
    assert ids(await resolver.resolve([WantedTitle("Max Payne", year=2001)])) == [None]
    assert {call.parameters.get("type") for call in upstream.calls} == {None}


async def test_the_original_title_is_asked_for_where_the_title_is_not_known(
    resolver: TitleResolver, upstream: OmdbDouble
) -> None:
    upstream.titles["tt0245429"] = title("tt0245429", Title="Sen to Chihiro no kamikakushi", Year="2001")
    wanted = WantedTitle("Spirited Away", original_title="Sen to Chihiro no Kamikakushi", year=2001)
    (found,) = await resolver.resolve([wanted])
    assert (found.movie and found.movie.imdb_id, found.calls) == ("tt0245429", 4)


# Each film once


async def test_a_film_is_given_once_but_to_those_that_ask_for_the_same(
    resolver: TitleResolver, upstream: OmdbDouble
) -> None:
    wanted = [
        WantedTitle("Star Wars", year=1977),
        WantedTitle("star wars", year=1977),
        WantedTitle("Star Wars: Episode IV - A New Hope", year=1977),
        WantedTitle("A New Hope", year=1977),
    ]
    found = await resolver.resolve(wanted)
    assert ids(found) == ["tt0076759", "tt0076759", None, None]
    assert [resolution.repeats for resolution in found] == [False, False, True, True]
    assert len(upstream.named) == 3
    assert [outcome(again) for again in await resolver.resolve(wanted)] == [outcome(first) for first in found]


# One by one


async def test_films_come_as_they_are_resolved_the_stored_ones_first(
    resolver: TitleResolver, database: Database, upstream: OmdbDouble
) -> None:
    await keep(database, SABRINA)
    upstream.literal = True
    for asked, payload, delay in (("The Matrix", MATRIX, 0.6), ("Chernobyl", SERIES, 0.2)):
        upstream.replies[asked] = Reply(json.dumps(payload).encode(), delay=delay)
    wanted = [WantedTitle("The Matrix", year=1999), WantedTitle("Chernobyl"), WantedTitle("Sabrina", year=1954)]
    came = [(position, outcome(found)[0]) async for position, found in resolver.as_resolved(wanted)]
    assert came == [(2, "tt0047437"), (1, "tt7366338"), (0, "tt0133093")]


async def test_who_stops_listening_stops_the_look_ups(
    resolver: TitleResolver, database: Database, upstream: OmdbDouble
) -> None:
    await keep(database, SABRINA)
    upstream.replies["The Matrix"] = Reply(hang=True)
    wanted = [WantedTitle("The Matrix", year=1999), WantedTitle("Heat", year=1995), WantedTitle("Sabrina", year=1954)]
    before = asyncio.all_tasks()
    async with asyncio.timeout(10), aclosing(resolver.as_resolved(wanted)) as resolved:
        assert [position async for position, _ in _first(resolved, 2)] == [2, 1]
    assert asyncio.all_tasks() - before - upstream._connections == set()


async def _first(resolved: AsyncIterator[tuple[int, Resolution]], count: int) -> AsyncIterator[tuple[int, Resolution]]:
    for _ in range(count):
        yield await anext(resolved)


async def test_one_title_is_looked_up_for_itself(resolver: TitleResolver, sql: Sql) -> None:
    found = await resolver.upstream(WANTED[0])
    assert (outcome(found), found.calls) == (("tt0133093", None, False), 1)
    assert await resolver.upstream(WantedTitle("No such film")) == Resolution(calls=2)
    assert await sql("SELECT imdb_id FROM movies") == [("tt0133093",)]


# Bad days


async def test_a_failure_is_told_with_its_reason_and_leaves_the_others_alone(
    resolver: TitleResolver, upstream: OmdbDouble
) -> None:
    upstream.replies["sabrina"] = said("Request limit reached!", 401)
    upstream.replies["Heat"] = Reply(b"", 503)
    wanted = [WANTED[0], WANTED[1], WantedTitle("Heat", year=1995), WANTED[3]]
    found = await resolver.resolve(wanted)
    assert [outcome(resolution) for resolution in found] == [
        ("tt0133093", None, False),
        (None, Reason.LIMITED, False),
        (None, Reason.UNAVAILABLE, False),
        (None, None, False),
    ]
    assert upstream.searched.count("sabrina") == 0
    assert (await resolver.upstream(WANTED[1])).failure is Reason.LIMITED


async def test_a_broken_answer_to_the_name_is_made_up_for_by_the_search(
    resolver: TitleResolver, upstream: OmdbDouble
) -> None:
    upstream.found["The Matrix"] = ["tt0133093"]
    replies = iter([Reply(b"<html>")])

    class Once(dict[str, Reply]):
        def __contains__(self, asked: object) -> bool:
            return asked == "The Matrix" and "t" in upstream.calls[-1].parameters

        def __missing__(self, _: str) -> Reply:
            return next(replies)

    upstream.replies = Once()
    (found,) = await resolver.resolve(WANTED[:1])
    assert (outcome(found), found.calls) == (("tt0133093", None, False), 4)


async def test_a_film_whose_record_cannot_be_had_is_a_failure_or_unknown(
    resolver: TitleResolver, upstream: OmdbDouble
) -> None:
    upstream.found["Sabrina"] = ["tt0114319"]
    upstream.replies["tt0114319"] = Reply(b"<html>")
    wanted = [WantedTitle("Sabrina", year=1996)]
    assert [outcome(found) for found in await resolver.resolve(wanted)] == [(None, Reason.GARBLED, False)]
    upstream.replies["tt0114319"] = said("Error getting data.")
    assert [outcome(found) for found in await resolver.resolve(wanted)] == [(None, None, False)]


async def test_a_search_that_fails_is_a_failure_unless_another_call_finds_the_film(
    resolver: TitleResolver, upstream: OmdbDouble
) -> None:
    upstream.literal = True
    upstream.replies["Star Wars"] = Reply(b"", 403)
    (found,) = await resolver.resolve([WantedTitle("Star Wars: A New Hope", year=1977)])
    assert outcome(found) == ("tt0076759", None, False)
    (failed,) = await resolver.resolve([WantedTitle("Star Wars: A Newer Hope", year=1977)])
    assert outcome(failed) == (None, Reason.REFUSED, False)


HOSTILE = [
    "\x00",
    "a\x00b\ud800",
    "x" * 10_000,
    "(" * 5_000,
    "???",
    "",
    " ",
    "\u0301",
    "\u202e\u05d4\u05de\u05d8\u05e8\u05d9\u05e7\u05e1",
    "🎬🍿",
    "[a-z]+(.*)\\1$",
    "%",
    "_",
    "'; DROP TABLE movies; --",
    '{"}',
]


async def test_hostile_titles_are_unknown_and_hurt_nothing(resolver: TitleResolver, database: Database) -> None:
    await keep(database, MATRIX)
    wanted = [WantedTitle(text, original_title=text, year=year) for text in HOSTILE for year in (None, 1999)]
    wanted += [WantedTitle("The Matrix", year=year) for year in (0, -1, 10_000, 2**70, 9999, 1)]
    assert {outcome(found) for found in await resolver.resolve([*wanted, WANTED[0]])} == {
        (None, None, False),
        ("tt0133093", None, False),
    }


async def test_what_no_title_can_be_is_not_asked_for(resolver: TitleResolver, upstream: OmdbDouble) -> None:
    wanted = [WantedTitle("x" * 251), WantedTitle(""), WantedTitle("\x00\u0301"), WantedTitle("Heat", year=10_000)]
    assert await resolver.resolve(wanted) == [Resolution()] * 4
    assert upstream.calls == []


@pytest.mark.parametrize("original", ["", "\x00", "x" * 10_000])
async def test_an_original_title_that_no_title_can_be_is_not_asked_for(
    resolver: TitleResolver, upstream: OmdbDouble, original: str
) -> None:
    assert await resolver.resolve([WantedTitle("Heat", original_title=original, year=1995)]) == [Resolution(calls=3)]
    assert [name for name, _ in upstream.named] == ["Heat"]


async def test_fifty_titles_take_no_more_calls_than_each_may(resolver: TitleResolver, upstream: OmdbDouble) -> None:
    wanted = [WantedTitle(f"Film {n}", original_title=f"Movie {n}", year=1990) for n in range(50)]
    upstream.found |= {f"Film {n}": [f"tt90000{k}" for k in range(10, 30)] for n in range(50)}
    found = await resolver.resolve(wanted)
    assert {resolution.calls for resolution in found} == {MOST_CALLS}
    assert len(upstream.calls) == 50 * MOST_CALLS


async def test_two_that_store_the_same_new_titles_at_once_both_have_them(
    database: Database, upstream: OmdbDouble, sql: Sql
) -> None:
    films = [title(f"tt80000{n}", Title=f"Film number {n}") for n in range(10, 50)]
    upstream.titles = {film["imdbID"]: film for film in films}
    wanted = [WantedTitle(film["Title"], year=2001) for film in films]
    finder = Omdb(upstream.url, KEY, deadline=30)
    both = [TitleResolver(database, finder), TitleResolver(database, finder)]
    one, other = await asyncio.gather(both[0].resolve(wanted), both[1].resolve(wanted[::-1]))
    await finder.close()
    assert ids(one) == ids(other)[::-1] == [film["imdbID"] for film in films]
    assert await sql("SELECT count(*) FROM movies") == [(40,)]


async def test_no_connection_is_held_while_upstream_is_asked(empty_url: URL, upstream: OmdbDouble) -> None:
    database = Database(empty_url, pool_size=1)
    finder = Omdb(upstream.url, KEY, deadline=30)
    upstream.latency = 0.3
    resolving = asyncio.create_task(TitleResolver(database, finder).resolve(WANTED[:1]))
    await upstream.asked(1)
    assert await TitleResolver(database).stored(WANTED[:1]) == [None]
    assert upstream.in_flight == 1
    assert ids(await resolving) == RIGHT[:1]
    await finder.close()
    await database.close()
