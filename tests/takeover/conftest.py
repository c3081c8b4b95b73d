"""A database of the Django service, and an empty one of ours."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.accounts import Service, opened
from tests.conftest import new_database
from tests.doubles.django import DjangoDatabase, django_database


@pytest.fixture
async def django(administrator: AsyncEngine) -> AsyncIterator[DjangoDatabase]:
    """The Django service's database, with its tier and no other row."""
    async with new_database(administrator) as url, django_database(url) as database:
        await database.add("auth_app_accounttier", id=1, code="free", name="Free", daily_ai_search_limit=3)
        yield database


@pytest.fixture
async def service(administrator: AsyncEngine, migrated: str) -> AsyncIterator[Service]:
    """A service whose database has only been migrated."""
    async with new_database(administrator, migrated) as url, opened(url) as service:
        yield service
