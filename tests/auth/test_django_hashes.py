"""Passwords as the Django service left them."""

import asyncio

import pytest

from app.auth.passwords import DjangoHasher
from tests.accounts import ADA, OTHER, PASSWORD, Service, django_hash
from tests.problem_documents import problem


async def test_a_django_password_logs_in_and_is_kept_as_argon2id_from_then_on(service: Service) -> None:
    await service.add_user(password=django_hash(PASSWORD))
    pair = await service.log_in()
    stored = await service.value("SELECT password FROM users")
    assert stored.startswith("$argon2id$")
    await service.log_in()
    assert await service.value("SELECT password FROM users") == stored
    assert not await service.has_ended(pair)


async def test_a_wrong_password_leaves_a_django_hash_as_it_is(service: Service) -> None:
    stored = django_hash(PASSWORD, 1000)
    await service.add_user(password=stored)
    problem(await service.post("/token/", email=ADA, password=OTHER), 401, "invalid_credentials")
    assert await service.value("SELECT password FROM users") == stored


async def test_a_deactivated_account_s_django_hash_is_not_replaced(service: Service) -> None:
    stored = django_hash(PASSWORD, 1000)
    await service.add_user(password=stored, is_active=False)
    problem(await service.post("/token/", email=ADA, password=PASSWORD), 401, "invalid_credentials")
    assert await service.value("SELECT password FROM users") == stored


async def test_two_first_logins_at_once_do_not_stand_in_each_other_s_way(service: Service) -> None:
    await service.add_user(password=django_hash(PASSWORD))
    await asyncio.gather(service.log_in(), service.log_in())


async def test_a_hash_that_django_itself_made_logs_in(service: Service) -> None:
    # Django 5.2.19, make_password("a long walk at night")
    made = "pbkdf2_sha256$1000000$fUmXvX6evJAv5vvxLrnXKC$7SSLzEt4TFFpgeyG1Cqk0e8ooBY3NvXumT0jSHDKon8="
    await service.add_user(password=made)
    answer = await service.post("/token/", email=ADA, password="a long walk at night")
    assert answer.status_code == 200
    assert (await service.value("SELECT password FROM users")).startswith("$argon2id$")


@pytest.mark.parametrize(
    "stored",
    [
        "!",
        "!" + "a" * 40,
        "!" + django_hash(PASSWORD, 1000),
        django_hash(PASSWORD, 1000).replace("pbkdf2_sha256", "pbkdf2_sha1"),
        django_hash(PASSWORD, 1000).replace("$1000$", "$1001$"),
        django_hash(PASSWORD, 1000)[:-4],
        django_hash(PASSWORD, 1000)[:-1],
        "pbkdf2_sha256$1000$salt",
        "pbkdf2_sha256$1000$salt$",
        "pbkdf2_sha256$many$salt$AAAA",
        "argon2$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA",
        "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
        PASSWORD,
    ],
)
async def test_what_is_no_usable_hash_lets_nobody_in(service: Service, stored: str) -> None:
    await service.add_user(password=stored)
    for password in (PASSWORD, stored):
        problem(await service.post("/token/", email=ADA, password=password), 401, "invalid_credentials")
    assert await service.value("SELECT password FROM users") == stored


def test_the_hasher_itself_only_verifies() -> None:
    hasher = DjangoHasher()
    stored = django_hash(PASSWORD, 1000)
    assert hasher.identify(stored)
    assert not hasher.identify(stored.encode())
    assert hasher.verify(PASSWORD, stored)
    assert hasher.verify(PASSWORD.encode(), stored)
    assert not hasher.verify(PASSWORD, "!")
    assert hasher.check_needs_rehash(stored)
    with pytest.raises(NotImplementedError, match="verified only"):
        hasher.hash(PASSWORD)
