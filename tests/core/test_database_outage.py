"""PostgreSQL away, restarted and frozen, under a running application."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from alembic import command
from sqlalchemy import make_url

from app.core.embedded_postgres import embedded_postgres
from app.core.postgres_cluster import Cluster, locate
from tests.conftest import alembic, make_settings, open_folder, started

TOLD_WITHIN_SECONDS = 5.0


@dataclass
class Server:
    """A PostgreSQL that can be stopped, started and frozen, and a client of the application on it."""

    cluster: Cluster
    client: httpx.AsyncClient

    async def control(self, *arguments: str) -> None:
        """Run pg_ctl."""
        done = await asyncio.to_thread(
            self.cluster.account.run,
            [
                self.cluster.programs / "pg_ctl",
                *arguments,
                "-w",
                "-D",
                self.cluster.data,
                "-l",
                self.cluster.data / "log",
            ],
        )
        assert done.returncode == 0, done.stdout

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its children."""
        postmaster = (self.cluster.data / "postmaster.pid").read_text().split()[0]
        children = subprocess.run(["pgrep", "-P", postmaster], capture_output=True, text=True, check=True).stdout
        for process in [postmaster, *children.split()]:
            os.kill(int(process), number)

    async def fill_the_pool(self) -> None:
        """Use every connection that the application may hold."""
        answers = await asyncio.gather(*(self.client.get("/movies/") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}

    async def told_that_it_is_away(self, method: str, path: str, **body: object) -> None:
        """Assert a 503 in time."""
        began = time.monotonic()
        answer = await self.client.request(method, path, **body)  # type: ignore[arg-type]
        assert time.monotonic() - began < TOLD_WITHIN_SECONDS
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert int(answer.headers["Retry-After"]) > 0


@asynccontextmanager
async def own_server(folder: Path) -> AsyncIterator[Server]:
    """A server for one test alone."""
    with embedded_postgres(folder, durable=False) as url:
        await asyncio.to_thread(alembic, make_url(url), command.upgrade, "head")
        async with started(make_settings(make_url(url), omdb_api_key="k", omdb_api_url="http://127.0.0.1:9")) as (_, c):
            yield Server(locate(folder), c)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server for one test alone."""
    with open_folder() as folder:
        async with own_server(folder) as server:
            yield server


async def test_away_is_told_in_time_and_the_first_request_after_it_is_back_succeeds(server: Server) -> None:
    await server.fill_the_pool()
    await server.control("stop", "-m", "fast")
    try:
        await server.told_that_it_is_away("GET", "/movies/")
        await server.told_that_it_is_away("GET", "/movies/1/")
        await server.told_that_it_is_away("GET", "/structures/")
        await server.told_that_it_is_away("POST", "/movies/search/", json={"expression": "alien"})
        await server.told_that_it_is_away("GET", "/health/ready")
        assert (await server.client.get("/health/live")).status_code == 200
    finally:
        await server.control("restart")
    try:
        assert (await server.client.get("/movies/")).status_code == 200
    finally:
        await server.control("stop", "-m", "immediate")


async def test_a_restart_between_two_requests_is_not_noticed(server: Server) -> None:
    await server.fill_the_pool()
    await server.control("restart", "-m", "fast")
    try:
        await server.fill_the_pool()
    finally:
        await server.control("stop", "-m", "immediate")


async def test_frozen_is_told_in_time_and_thawed_is_back_at_once(server: Server) -> None:
    await server.fill_the_pool()
    server.signal(signal.SIGSTOP)
    try:
        requests = (server.told_that_it_is_away("GET", ("/movies/", "/collections/")[n % 2]) for n in range(20))
        await asyncio.gather(*requests)
    finally:
        server.signal(signal.SIGCONT)
    await server.fill_the_pool()
