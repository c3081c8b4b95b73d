"""One service for each module: a database and an application for every test would take minutes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.accounts import Service, opened
from tests.conftest import Start, make_settings, new_database, started


@pytest.fixture(scope="module")
async def accounts_url(administrator: AsyncEngine, migrated: str) -> AsyncIterator[URL]:
    async with new_database(administrator, migrated) as url:
        yield url


@pytest.fixture(scope="module")
async def shared_service(accounts_url: URL) -> AsyncIterator[Service]:
    async with opened(accounts_url) as service:
        yield service


@pytest.fixture
def start(accounts_url: URL, service: Service) -> Start:  # noqa: ARG001 - what forgets the accounts afterwards
    """Starts applications with settings of their own, without an account."""

    @asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        async with started(make_settings(accounts_url, **settings)) as (_, client):
            yield client

    return start


@pytest.fixture
async def service(shared_service: Service) -> AsyncIterator[Service]:
    """A service without an account."""
    yield shared_service
    await shared_service.execute("TRUNCATE users CASCADE")
    await shared_service.execute("DELETE FROM jobs")
