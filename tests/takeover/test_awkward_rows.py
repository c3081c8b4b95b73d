"""A database with awkward rows is moved over, twice, into a service that runs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.takeover.report import Report
from app.takeover.service import move_over
from tests.accounts import Service, opened
from tests.conftest import new_database
from tests.doubles.django import DjangoDatabase, django_database
from tests.takeover.awkward import INCEPTION, LATELY, LONG_AGO, PASSWORD, fill


@dataclass
class Moved:
    """Both sides afterwards, what the two runs reported, and the source as it was before them."""

    service: Service
    django: DjangoDatabase
    before: dict[str, list[Any]]
    first: Report
    second: Report


@pytest.fixture(scope="module")
async def moved(administrator: AsyncEngine, migrated: str) -> AsyncIterator[Moved]:
    async with (
        new_database(administrator) as source,
        django_database(source) as django,
        new_database(administrator, migrated) as url,
        opened(url) as service,
    ):
        await django.add("auth_app_accounttier", id=1, code="free", name="Free", daily_ai_search_limit=5)
        await fill(django)
        before = await django.contents()
        reports = [await move_over(service.database, django.dsn) for _ in range(2)]
        yield Moved(service, django, before, *reports)


async def rows(service: Service, query: str) -> list[Any]:
    values = await service.value(f"SELECT coalesce(json_agg(row_to_json(found)), '[]') FROM ({query}) found")
    assert isinstance(values, list)
    return [list(row.values()) for row in values]


async def test_both_sides_are_counted(moved: Moved) -> None:
    counted = {line.name: (line.there, line.new, line.updated, line.left_out, line.here) for line in moved.first.lines}
    assert counted == {
        "account tiers": (3, 1, 0, 0, 4),
        "users": (9, 6, 0, 3, 6),
        "Google accounts": (4, None, None, 3, 1),
        "movies": (6, 3, 0, 3, 3),
        "likes": (8, 3, 0, 5, 3),
        "watch later": (8, 3, 0, 5, 3),
        "collections": (3, 2, 0, 1, 2),
        "movies in collections": (8, 4, 0, 4, 4),
        "subscriptions": (5, 1, 0, 4, 1),
        "ratings": (3, None, None, 1, 2),
        "names of movies": (15, None, None, 4, 11),
    }


async def test_a_second_run_finds_nothing_new(moved: Moved) -> None:
    for first, second in zip(moved.first.lines, moved.second.lines, strict=True):
        assert (second.there, second.left_out, second.here) == (first.there, first.left_out, first.here)
        assert not second.new
        assert not second.updated
    assert moved.second.left_out == moved.first.left_out


async def test_the_source_is_as_it_was(moved: Moved) -> None:
    assert await moved.django.contents() == moved.before


async def test_what_was_left_out_says_why(moved: Moved) -> None:
    found = {name: {why: f.ids for why, f in reasons.items()} for name, reasons in moved.first.left_out.items()}
    hanging = {
        "there twice": [7],
        "user 4 was left out": [3],
        "movie 13 was left out": [4],
        "there is no movie 99": [5],
        "there is no user 77": [6],
    }
    assert found == {
        "users": {
            "the address of user 3 in other capitals": [4],
            "no address": [6],
            "an address of more than 255 characters": [7],
        },
        "Google accounts": {
            "a second Google account of its user": [2],
            "the Google account of another user": [3],
            "there is no user 77": [4],
        },
        "movies": {
            "no IMDb id": [13],
            "the IMDb id of movie 10": [14],
            "no title that can be kept": [15],
        },
        "likes": hanging,
        "watch later": {why: [100 + number for number in ids] for why, ids in hanging.items()},
        "collections": {"user 4 was left out": [51]},
        "movies in collections": {
            "there twice": [4],
            "movie 13 was left out": [5],
            "collection 51 was left out": [6],
            "there is no collection 59": [8],
        },
        "subscriptions": {
            "a subscription to one's own collection": [2],
            "user 4 was left out": [3],
            "collection 51 was left out": [4],
            "there twice": [5],
        },
    }


async def test_what_was_changed_on_the_way_is_said(moved: Moved) -> None:
    assert {key: finding.ids for key, finding in moved.first.changed.items()} == {
        ("users", "further addresses stay behind: an account has one here"): [2],
        ("users", "a password of another kind than pbkdf2_sha256: it has to be reset"): [5],
        ("users", "an address that no mail can be sent to, kept for logging in"): [8],
        ("users", "without a tier there: given the default one"): [9],
        ("account tiers", "free keeps its 3 AI searches a day"): [1],
        ("account tiers", "premium keeps its 30 AI searches a day"): [2],
        ("movies", "year cannot be read, so it is unknown"): [12],
        ("movies", "poster cannot be read, so it is unknown"): [12],
        ("movies", "imdb_rating cannot be read, so it is unknown"): [12],
        ("movies", "imdb_votes cannot be read, so it is unknown"): [12],
        ("collections", "without a name: called Untitled"): [52],
        ("collections", "several movies stood at one position: numbered anew, in order"): [50],
    }


async def test_accounts_keep_their_ids_times_and_rights(moved: Moved) -> None:
    columns = "email, email_verified, password IS NOT NULL AS secret, google_subject, is_active, is_staff, code"
    users = f"SELECT users.id, {columns} FROM users JOIN account_tiers tier ON tier.id = account_tier_id ORDER BY 1"
    assert await rows(moved.service, users) == [
        [1, "ada@example.com", True, True, "ada-at-google", True, False, "gold"],
        [2, "grace@example.com", False, False, None, True, True, "premium"],
        [3, "mary@example.com", True, True, None, True, False, "free"],
        [5, "md5@example.com", False, False, None, False, False, "free"],
        [8, "nobody", False, False, None, True, False, "free"],
        [9, "lost@example.com", False, False, None, True, False, "free"],
    ]
    assert await rows(moved.service, "SELECT created_at FROM users WHERE id = 1") == [[LONG_AGO]]
    # The default of the service stays.
    assert await rows(moved.service, "SELECT code FROM account_tiers WHERE is_default") == [["free"]]


async def test_a_movie_is_shown_field_by_field_as_it_was_there(moved: Moved) -> None:
    answer = await moved.service.client.get("/movies/10/")
    people = {
        "directors": ["Christopher Nolan"],
        "writers": ["Christopher Nolan"],
        "actors": ["Leonardo DiCaprio", "Elliot Page", "Ken Watanabe"],
    }
    names = {"genres": ["Sci-Fi", "Action", "Adventure"], "languages": ["Japanese", "English"], "countries": ["USA"]}
    ratings = [("Metacritic", "74/100"), ("Internet Movie Database", "8.8/10")]
    assert answer.json() == {
        **INCEPTION,
        "created_at": "2023-01-02T03:04:05.678901Z",
        "total_seasons": None,
        "ratings": [{"source": source, "value": value} for source, value in reversed(ratings)],
        **{kind: [{"full_name": name} for name in found] for kind, found in people.items()},
        **{kind: [{"name": name} for name in found] for kind, found in names.items()},
        "is_liked": False,
        "likes_count": 2,
        "is_watch_later": False,
        "watch_later_count": 2,
    }


async def test_what_was_empty_there_is_unknown_here(moved: Moved) -> None:
    movie = (await moved.service.client.get("/movies/11/")).json()
    kept = {"year": "2008–2013", "total_seasons": "5", "type": "series", "title": "Breaking Bad"}  # noqa: RUF001
    assert {key: value for key, value in movie.items() if isinstance(value, str)} == {
        **kept,
        "imdb_id": "tt0903747",
        "created_at": "2024-05-06T07:08:09.123456Z",
    }
    found = (await moved.service.client.get("/movies/12/")).json()
    for fact in ("year", "imdb_rating", "imdb_votes", "poster", "plot"):
        assert found[fact] is None


async def test_a_moved_movie_is_found_by_its_title_and_genre(moved: Moved) -> None:
    listed = await moved.service.client.get("/movies/?search=inception&genres=adventure")
    assert [movie["id"] for movie in listed.json()["results"]] == [10]
    structures = await moved.service.client.get("/structures/")
    assert structures.json() == {"genres": ["Action", "Adventure", "Sci-Fi"]}


async def test_lists_keep_their_order_and_times(moved: Moved) -> None:
    likes = "SELECT user_id, movie_id, created_at FROM likes ORDER BY 1, 2"
    assert await rows(moved.service, likes) == [[1, 10, LONG_AGO], [2, 10, LATELY], [2, 11, LATELY]]
    queued = "SELECT id, user_id, movie_id, added_at FROM watch_later ORDER BY id"
    assert await rows(moved.service, queued) == [
        [101, 1, 10, LONG_AGO],
        [102, 2, 10, LATELY],
        [108, 2, 11, LATELY],
    ]
    collections = (
        "SELECT id, name, design, owner_id, is_public, created_at, updated_at, description FROM collections ORDER BY id"
    )
    now = "2024-05-06T07:08:09.123456+00:00"
    assert await rows(moved.service, collections) == [
        [50, "Dreams", "dark", 1, True, LONG_AGO, LATELY, "Dreams."],
        [52, "Untitled", None, 2, False, now, now, None],
    ]
    entries = "SELECT collection_id, movie_id, position, added_at FROM collection_movies ORDER BY 1, 3"
    assert await rows(moved.service, entries) == [
        [50, 12, 1, LONG_AGO],
        [50, 10, 2, LONG_AGO],
        [50, 11, 3, LONG_AGO],
        [52, 11, 5, LONG_AGO],
    ]
    subscriptions = "SELECT user_id, collection_id, created_at FROM collection_subscriptions"
    assert await rows(moved.service, subscriptions) == [[2, 50, LATELY]]
    counts = "SELECT collection_id, movies_count, subscribers_count FROM collection_counts ORDER BY 1"
    assert await rows(moved.service, counts) == [[50, 3, 1], [52, 1, 0]]


async def test_a_password_of_django_s_logs_in_and_new_rows_get_later_ids(moved: Moved) -> None:
    pair = await moved.service.log_in("ADA@example.com", PASSWORD)
    me = (await moved.service.me(pair)).json()
    assert (me["id"], me["email_verified"], me["account_tier"]["code"]) == (1, True, "gold")
    liked = await moved.service.ask("POST", "/movies/11/like/", pair["access"])
    assert (liked.status_code, liked.json()["likes_count"]) == (201, 2)
    # User 9 is the last there.
    assert await moved.service.sign_up("new@example.com") == 10
    await moved.service.ask("POST", "/movies/11/unlike/", pair["access"])
    await moved.service.execute("DELETE FROM users WHERE id = 10")
