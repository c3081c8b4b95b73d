"""An import and a worker that is killed in the middle of it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.conftest import ROOT, SECRET_KEY
from tests.doubles.omdb import KEY, OmdbDouble
from tests.doubles.server import Reply
from tests.imports.lists import begin, csv_of, progress
from tests.movies.conftest import title
from tests.movies.people import People


@asynccontextmanager
async def worker_process(people: People, omdb: OmdbDouble, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`movie-finder worker`, killed at the end if it still runs."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": people.service.url.render_as_string(hide_password=False),
        "OMDB_API_KEY": KEY,
        "OMDB_API_URL": omdb.url,
    }
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "app.cli", "worker"),
            cwd=folder,
            env={**os.environ, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_an_import_whose_worker_is_killed_goes_on_and_adds_nothing_twice(people: People, tmp_path: Path) -> None:
    wanted = [f"tt{number}" for number in range(8_000_001, 8_000_081)]
    async with OmdbDouble(title(imdb_id) for imdb_id in wanted) as omdb:
        omdb.latency = 0.02
        omdb.replies = {wanted[3]: Reply(b"<html>"), wanted[24]: Reply(b"busy", 503), wanted[70]: Reply(b"{}")}
        import_id = await begin(people.ada, csv_of("tt0113277", *wanted))
        async with worker_process(people, omdb, tmp_path) as process:
            await omdb.asked(50)
            process.send_signal(signal.SIGKILL)
            await process.wait()
        half = await progress(people.ada, import_id)
        assert (half["status"], half["finished_at"]) == ("running", None)
        assert 1 <= half["added"] < 60
        assert len(await people.ada.queued("limit=100")) == half["added"]
        # What would take half a minute: the worker is known to be dead.
        await people.service.execute("UPDATE jobs SET heartbeat = now() - interval '1 hour'")
        async with worker_process(people, omdb, tmp_path):
            while (done := await progress(people.ada, import_id))["status"] != "done":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    assert (done["total"], done["added"], done["already_there"]) == (81, 78, 0)
    assert [row["row"] for row in done["not_found"]] == [5, 26, 72]
    found = ["tt0113277", *(imdb_id for imdb_id in wanted if imdb_id not in omdb.replies)]
    assert [movie["imdb_id"] for movie in await people.ada.queued("limit=100")] == found
    count = "SELECT sum(watch_later_count) FROM movie_counts"
    assert await people.service.value(count) == len(found)
    # At most those that were under way were asked for twice.
    assert len(set(omdb.looked_up)) == len(wanted)
    assert sum(omdb.looked_up.count(imdb_id) - 1 for imdb_id in found[1:]) <= 20
    used = await people.service.value("SELECT sum(used) FROM upstream_lookups")
    assert len(wanted) <= used <= len(wanted) + 20 + 2
