"""What stops a takeover, and that it changes nothing then."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import Database
from app.takeover.problems import TakeoverRefused
from app.takeover.service import move_over
from tests.accounts import Service
from tests.conftest import SECRET_KEY, new_database
from tests.doubles.django import DjangoDatabase
from tests.processes import free_port, movie_finder
from tests.takeover.awkward import INCEPTION, LONG_AGO

USER = "INSERT INTO users (id, email, account_tier_id) VALUES (500, 'other@example.com', 1)"


@pytest.fixture
async def ada(django: DjangoDatabase) -> DjangoDatabase:
    """The Django service, with a user, a movie and a collection."""
    await django.add("auth_app_user", id=1, email="ada@example.com", created_at=LONG_AGO)
    await django.add("socialaccount_socialaccount", id=1, user_id=1, uid="ada-at-google")
    await django.add("movie_movie", **INCEPTION)
    await django.add("collection_collection", id=50, owner_id=1, name="Dreams")
    return django


@pytest.mark.parametrize(
    ("here", "said"),
    [
        (USER.replace("500", "1"), "1 users here have an id of another there (such as 1)"),
        (USER.replace("other", "ada"), "1 users there are here under another id (such as 1 there)"),
        (
            USER.replace("email,", "google_subject, email,").replace("'other", "'ada-at-google', 'other"),
            "1 users there are here under another id",
        ),
        (
            "INSERT INTO movies (id, imdb_id, title, folded_title) VALUES (10, 'tt0000010', 'A', 'a')",
            "1 movies here have an id of another there (such as 10)",
        ),
        (
            "INSERT INTO movies (id, imdb_id, title, folded_title) VALUES (7, 'tt1375666', 'A', 'a')",
            "1 movies there are here under another id (such as 10 there)",
        ),
        (
            f"{USER}; INSERT INTO collections (id, owner_id, name, folded_name) VALUES (50, 500, 'A', 'a')",
            "1 collections here have an id of another there (such as 50)",
        ),
    ],
)
async def test_ids_that_are_taken_here_are_refused(ada: DjangoDatabase, service: Service, here: str, said: str) -> None:
    for statement in here.split(";"):
        await service.execute(statement)
    everything = "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM movies)"
    before = await service.value(everything)
    with pytest.raises(TakeoverRefused) as refused:
        await move_over(service.database, ada.dsn)
    assert said in str(refused.value)
    assert "Nothing was changed" in str(refused.value)
    assert await service.value(everything) == before


async def test_the_sample_catalogue_is_refused_in_one_line_and_with_status_1(
    ada: DjangoDatabase, sample_url: URL, tmp_path: Path
) -> None:
    url = sample_url.render_as_string(hide_password=False)
    environment = {"SECRET_KEY": SECRET_KEY, "DATABASE_URL": url, "DJANGO_DATABASE_URL": ada.dsn, "LOG_LEVEL": "ERROR"}
    refused = await asyncio.to_thread(movie_finder, tmp_path, "import-django", **environment)
    assert refused.returncode == 1
    assert refused.stderr.startswith("movie-finder: the ids collide: 1 movies here have an id of another there")
    assert refused.stderr.count("\n") == 1
    assert not refused.stdout


async def test_a_row_that_the_schema_refuses_leaves_nothing_behind(ada: DjangoDatabase, service: Service) -> None:
    await ada.add("auth_app_accounttier", id=2, code="less", name="Less", daily_ai_search_limit=-1)
    with pytest.raises(TakeoverRefused, match="ck_account_tiers_daily_ai_search_limit_positive"):
        await move_over(service.database, ada.dsn)
    assert await service.value("SELECT count(*) FROM users") == 0


@pytest.mark.parametrize(
    "dsn", ["", "django", "mysql://django:se-cret@127.0.0.1/django", "postgresql://django@127.0.0.1:se-cret/django"]
)
async def test_what_is_no_address_of_a_database_is_refused(service: Service, dsn: str) -> None:
    with pytest.raises(TakeoverRefused, match="this is no address of a PostgreSQL database") as refused:
        await move_over(service.database, dsn)
    assert "se-cret" not in str(refused.value)


async def test_a_source_that_is_away_is_said_without_its_password(service: Service) -> None:
    away = f"postgresql://django:se-cret@127.0.0.1:{free_port()}/django"
    with pytest.raises(TakeoverRefused, match="the Django service's database cannot be reached: ") as refused:
        await move_over(service.database, away)
    assert "se-cret" not in str(refused.value)


async def test_another_database_than_the_django_service_s_is_refused(service: Service) -> None:
    own = service.url.set(drivername="postgres").render_as_string(hide_password=False)
    with pytest.raises(TakeoverRefused, match='relation "auth_app_accounttier" does not exist'):
        await move_over(service.database, own)


async def test_a_database_that_is_not_migrated_is_refused(administrator: AsyncEngine, django: DjangoDatabase) -> None:
    async with new_database(administrator) as url:
        database = Database(url)
        with pytest.raises(TakeoverRefused, match="run `movie-finder migrate` first"):
            await move_over(database, django.dsn)
        await database.close()
