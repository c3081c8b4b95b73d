"""Searches that go upstream: ten titles each, none of them stored, from an OMDb that takes 100 ms."""

import asyncio
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from statistics import median

import httpx
from alembic import command
from sqlalchemy import URL

from tests.conftest import SECRET_KEY, alembic
from tests.doubles.omdb import KEY, OmdbDouble
from tests.movies.conftest import title
from tests.processes import running

LATENCY_SECONDS = 0.1
TITLES, ALONE, CLIENTS, EACH = 10, 30, 32, 10
UNTHROTTLED = "10000/day"


async def measure(url: URL, folder: Path) -> list[list[str]]:
    """The rows of the table, from an empty database."""
    await asyncio.to_thread(alembic, url, command.upgrade, "head")
    async with OmdbDouble() as omdb:
        omdb.latency = LATENCY_SECONDS
        environment = {
            "DATABASE_URL": url.render_as_string(hide_password=False),
            "SECRET_KEY": SECRET_KEY,
            "RUN_JOBS": "false",
            "MOVIE_SEARCH_PROVIDER": "omdb",
            "OMDB_API_KEY": KEY,
            "OMDB_API_URL": omdb.url,
            "THROTTLE_SEARCH_UA": UNTHROTTLED,
            "THROTTLE_SEARCH_IP": UNTHROTTLED,
        }
        with running("serve", folder, **environment) as service:
            limits = httpx.Limits(max_connections=CLIENTS)
            async with httpx.AsyncClient(base_url=service.url, limits=limits, timeout=30) as client:
                return await _rows(client, omdb)


async def _rows(client: httpx.AsyncClient, omdb: OmdbDouble) -> list[list[str]]:
    numbers = count(8_000_001)

    def new(searches: int) -> list[str]:
        """Expressions that nobody has searched for."""
        expressions = []
        for _ in range(searches):
            ids = [f"tt{next(numbers)}" for _ in range(TITLES)]
            omdb.titles.update({imdb_id: title(imdb_id) for imdb_id in ids})
            omdb.found[ids[0]] = ids
            expressions.append(ids[0])
        return expressions

    await _searched(client, new(3))
    alone = new(ALONE)
    cold, repeated = await _searched(client, alone), await _searched(client, alone)
    began = time.perf_counter()
    many = await asyncio.gather(*(_searched(client, new(EACH)) for _ in range(CLIENTS)))
    rate = CLIENTS * EACH / (time.perf_counter() - began)
    each = [seconds for searches in many for seconds in searches]
    return [
        ["one client, never searched for", f"{1000 * median(cold):.0f} ms", "230 ms"],
        ["one client, again", f"{1000 * median(repeated):.1f} ms", "10 ms"],
        [
            f"{CLIENTS} clients, never searched for",
            f"{rate:.0f} a second, p50 {1000 * median(each):.0f} ms",
            "60 a second",
        ],
    ]


async def _searched(client: httpx.AsyncClient, expressions: Sequence[str]) -> list[float]:
    """Seconds that each search took; every answer is complete."""
    seconds = []
    for expression in expressions:
        began = time.perf_counter()
        answer = await client.post("/movies/search/", json={"expression": expression})
        seconds.append(time.perf_counter() - began)
        assert len(answer.raise_for_status().json()) == TITLES, answer.text
    return seconds
