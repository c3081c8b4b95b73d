"""A second run, after both services have gone on."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.takeover.service import move_over
from tests.accounts import Service, opened
from tests.conftest import new_database
from tests.doubles.django import DjangoDatabase, django_database
from tests.takeover.awkward import PASSWORD, fill

THERE = """
UPDATE auth_app_user SET password = '!', email = 'ada@there.example.com' WHERE id = 1;
UPDATE auth_app_user SET password = 'pbkdf2_sha256$1$salt$AAAA', email = 'Grace@There.example.com' WHERE id = 2;
UPDATE auth_app_user SET email = 'mary.too@example.com' WHERE id = 4;
UPDATE movie_movie SET title = 'There', updated_at = now() - interval '1 hour' WHERE id IN (10, 11);
UPDATE collection_collection SET name = 'There', updated_at = now() - interval '1 hour' WHERE id IN (50, 52);
DELETE FROM collection_collectionmovie WHERE collection_id = 50 AND movie_id = 12;
UPDATE collection_collectionmovie SET position = 1 WHERE collection_id = 50 AND movie_id = 11;
UPDATE collection_collectionmovie SET movie_id = 12 WHERE collection_id = 52;
"""
HERE = """
UPDATE movies SET title = 'Here', refreshed_at = now() WHERE id = 10;
UPDATE collections SET name = 'Here', updated_at = now() WHERE id = 52;
UPDATE movie_counts SET likes_count = 99;
UPDATE collection_counts SET movies_count = 99;
UPDATE users SET email_verified = true WHERE id = 9;
INSERT INTO watch_later (user_id, movie_id) VALUES (1, 11)
"""


@pytest.fixture(scope="module")
async def service(administrator: AsyncEngine, migrated: str) -> AsyncIterator[Service]:
    """What a second run makes of what has changed on both sides since the first."""
    async with (
        new_database(administrator) as source,
        django_database(source) as django,
        new_database(administrator, migrated) as url,
        opened(url) as service,
    ):
        await django.add("auth_app_accounttier", id=1, code="free", name="Free", daily_ai_search_limit=3)
        await fill(django)
        await move_over(service.database, django.dsn)
        await _go_on(django, service)
        await move_over(service.database, django.dsn)
        yield service


async def _go_on(django: DjangoDatabase, service: Service) -> None:
    await django.connection.execute(THERE)
    await django.add("auth_app_user", id=20, email="late@example.com")
    await django.add("movie_watchlatermovie", id=109, user_id=20, movie_id=12)
    pair = await service.log_in("ada@example.com", PASSWORD)
    for statement in HERE.split(";"):
        await service.execute(statement)
    assert not await service.has_ended(pair)


async def test_who_has_logged_in_here_keeps_the_account_as_it_is(service: Service) -> None:
    await service.log_in("ada@example.com", PASSWORD)


async def test_who_has_not_gets_the_address_and_password_that_were_changed_there(service: Service) -> None:
    stored = await service.value("SELECT email || ' ' || password FROM users WHERE id = 2")
    assert stored == "grace@there.example.com pbkdf2_sha256$1$salt$AAAA"


async def test_an_address_that_was_proved_here_stays_proved(service: Service) -> None:
    assert await service.value("SELECT email_verified FROM users WHERE id = 9")


async def test_an_account_comes_over_once_its_address_is_its_own_with_all_that_it_has(service: Service) -> None:
    found = "SELECT email FROM users JOIN likes ON user_id = users.id WHERE users.id = 4 AND movie_id = 10"
    assert await service.value(found) == "mary.too@example.com"
    movie = await service.client.get("/movies/10/")
    assert movie.json()["likes_count"] == 3
    assert await service.value("SELECT name FROM collections WHERE owner_id = 4") == "Mary's"


async def test_a_movie_is_as_whoever_asked_upstream_last_knows_it(service: Service) -> None:
    titles = "SELECT string_agg(title, ', ' ORDER BY id) FROM movies WHERE id IN (10, 11)"
    assert await service.value(titles) == "Here, There"


async def test_a_collection_is_as_whoever_changed_it_last_left_it(service: Service) -> None:
    names = "SELECT string_agg(name, ', ' ORDER BY id) FROM collections WHERE id IN (50, 52)"
    assert await service.value(names) == "There, Here"
    movies = "SELECT string_agg(movie_id::text, ' ' ORDER BY position) FROM collection_movies WHERE collection_id = :id"
    assert await service.value(movies, id=50) == "10 11"
    assert await service.value(movies, id=52) == "11"


async def test_an_entry_whose_id_was_given_away_here_gets_another(service: Service) -> None:
    assert await service.value("SELECT user_id FROM watch_later WHERE id = 109") == 1
    assert await service.value("SELECT id FROM watch_later WHERE user_id = 20") == 110


async def test_counters_say_what_the_rows_say(service: Service) -> None:
    wrong_movies = """
        SELECT count(*) FROM movie_counts counts WHERE
            likes_count <> (SELECT count(*) FROM likes WHERE likes.movie_id = counts.movie_id)
            OR watch_later_count <> (SELECT count(*) FROM watch_later queued WHERE queued.movie_id = counts.movie_id)
    """
    wrong_collections = """
        SELECT count(*) FROM collection_counts counts WHERE movies_count <>
            (SELECT count(*) FROM collection_movies placed WHERE placed.collection_id = counts.collection_id)
    """
    assert (await service.value(wrong_movies), await service.value(wrong_collections)) == (0, 0)
