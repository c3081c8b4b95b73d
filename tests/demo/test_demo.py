"""The demo data: people whose passwords only this run knows, with lists and collections."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from app.auth.passwords import Passwords
from app.demo.people import demo_people
from app.demo.service import DemoAccount, load_demo
from tests.accounts import Service, opened
from tests.conftest import CHEAP, SECRET_KEY, new_database, sample_payloads
from tests.processes import movie_finder

CONTENTS = """
    SELECT json_build_array(
        (SELECT count(*) FROM users), (SELECT count(*) FROM likes), (SELECT count(*) FROM watch_later),
        (SELECT count(*) FROM collections), (SELECT count(*) FROM collection_movies),
        (SELECT count(*) FROM collection_subscriptions), (SELECT string_agg(password, ' ' ORDER BY id) FROM users)
    )
"""


@pytest.fixture
async def service(administrator: AsyncEngine, filled: str) -> AsyncIterator[Service]:
    """A service with the sample catalogue."""
    async with new_database(administrator, filled) as url, opened(url) as service:
        yield service


async def load(service: Service) -> list[DemoAccount]:
    return await load_demo(service.database, Passwords(CHEAP))


def test_ten_collections_of_films_that_the_sample_has() -> None:
    sample = {payload["imdbID"] for payload in sample_payloads()}
    people = demo_people()
    collections = [group for person in people for group in person.collections]
    assert (len(people), len(collections)) == (3, 10)
    assert len({group.name for group in collections}) == 10
    for group in collections:
        assert 6 <= len(group.films) == len(set(group.films)) <= 15, group.name
        assert len(group.description) <= 1000
    for person in people:
        assert person.films() <= sample, person.films() - sample
        own = {group.name for group in person.collections}
        assert set(person.subscriptions) <= {group.name for group in collections} - own
        assert person.email.endswith("@example.com")


async def test_everybody_logs_in_with_the_password_given_and_finds_their_lists(service: Service) -> None:
    accounts = await load(service)
    assert len({account.password for account in accounts}) == 3
    for account, person in zip(accounts, demo_people(), strict=True):
        assert account.password is not None
        pair = await service.log_in(account.email, account.password)
        queued = (await service.ask("GET", "/watch_later/list/", pair["access"])).json()
        assert {movie["imdb_id"] for movie in queued["results"]} == set(person.watch_later)
        liked = (
            "SELECT array_agg(imdb_id) FROM likes JOIN movies ON movies.id = movie_id JOIN users ON users.id = user_id"
        )
        assert set(await service.value(f"{liked} WHERE email = :email", email=person.email)) == set(person.likes)


async def test_collections_are_public_in_their_order_and_followed_by_others(service: Service) -> None:
    await load(service)
    films = """
        SELECT array_agg(imdb_id ORDER BY position) FROM collections
        JOIN collection_movies ON collections.id = collection_id JOIN movies ON movies.id = movie_id
        WHERE name = :name AND is_public
    """
    followers = """
        SELECT count(*) FROM collection_subscriptions JOIN collections ON collections.id = collection_id
        WHERE name = :name AND user_id <> owner_id
    """
    people = demo_people()
    for group in (group for person in people for group in person.collections):
        assert await service.value(films, name=group.name) == group.films
        wanted = sum(group.name in person.subscriptions for person in people)
        assert await service.value(followers, name=group.name) == wanted


async def test_a_second_load_changes_nothing_and_knows_no_password(service: Service) -> None:
    await load(service)
    before = await service.value(CONTENTS)
    assert [account.password for account in await load(service)] == [None, None, None]
    assert await service.value(CONTENTS) == before


async def test_two_loads_at_once_make_everything_once(service: Service) -> None:
    both = await asyncio.gather(load(service), load(service))
    made = [account.email for accounts in both for account in accounts if account.password]
    assert sorted(made) == sorted(person.email for person in demo_people())
    assert await service.value("SELECT count(*) FROM collections") == 10
    assert await service.value("SELECT count(*) FROM collection_subscriptions") == 10


async def test_who_was_deleted_comes_back_and_is_followed_again(service: Service) -> None:
    await load(service)
    before = await service.value(CONTENTS)
    await service.execute("DELETE FROM users WHERE email = 'ines@example.com'")
    assert [account.password is not None for account in await load(service)] == [True, False, False]
    assert (await service.value(CONTENTS))[:-1] == before[:-1]


def test_the_command_prints_each_password_once(tmp_path: Path, empty_url: URL) -> None:
    environment = {"SECRET_KEY": SECRET_KEY, "DATABASE_URL": empty_url.render_as_string(hide_password=False)}
    first, second = (movie_finder(tmp_path, "load-sample", "--demo", **environment).stdout for _ in range(2))
    assert first.count(": with the password ") == 3
    assert second.splitlines()[1:] == [f"{person.email}: there already, left as it is" for person in demo_people()]
