"""Sending files, and working at them as a worker does."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import URL

from app.core.database import Database
from app.core.jobs import Postponed
from app.imports.service import ImportPayload
from app.upstream.services import upstream_services
from app.work import import_work
from tests.conftest import make_settings
from tests.doubles.omdb import KEY, OmdbDouble
from tests.movies.people import Person

IMPORT, EXPORT = "/watch_later/import/", "/watch_later/export/"
Work = Callable[[int], Awaitable[timedelta | None]]


async def send(person: Person, content: bytes | str, path: str = IMPORT, name: str = "list.csv") -> httpx.Response:
    """Somebody sends a file."""
    headers = {"Authorization": f"Bearer {person.access}"}
    sent = content.encode() if isinstance(content, str) else content
    return await person.service.client.post(path, files={"file": (name, sent)}, headers=headers)


async def begin(person: Person, content: bytes | str, path: str = IMPORT) -> int:
    """The id of a new import."""
    answer = await send(person, content, path)
    assert answer.status_code == 202, answer.text
    import_id: int = answer.json()["id"]
    return import_id


async def progress(person: Person, import_id: int, path: str = IMPORT) -> dict[str, Any]:
    answer = await person.get(f"{path}{import_id}/")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


@asynccontextmanager
async def worker(url: URL, omdb: OmdbDouble | None = None, **settings: Any) -> AsyncIterator[Work]:
    """Works at an import until it has ended, or waits: then gives how long."""
    keys = {"omdb_api_key": KEY, "omdb_api_url": omdb.url} if omdb else {}
    configured = make_settings(url, **keys, **settings)
    database = Database(url, pool_size=4)
    async with upstream_services(configured) as upstream:
        work = import_work(configured, database, upstream)

        async def run(import_id: int) -> timedelta | None:
            try:
                await work.run(ImportPayload(import_id=import_id))
            except Postponed as postponed:
                return postponed.delay
            return None

        yield run
    await database.close()


async def imported(person: Person, content: bytes | str, path: str = IMPORT) -> dict[str, Any]:
    """What came of a file, where nobody can be asked for what is not stored."""
    import_id = await begin(person, content, path)
    async with worker(person.service.url) as work:
        assert await work(import_id) is None
    return await progress(person, import_id, path)


def csv_of(*titles: Any) -> str:
    """A file with IMDb ids, or with rows as they are to stand there."""
    return "Const,Title,Year\n" + "".join(f"{title}\n" for title in titles)
