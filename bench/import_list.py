"""An import of 1,000 titles, looked up in an OMDb with failures, by a worker that is killed half-way.

`python -m bench.import_list` runs it against a PostgreSQL and an OMDb of its own, on loopback, and writes
docs/imports.md.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alembic import command
from sqlalchemy import make_url

from app.core.database import Database
from app.core.embedded_postgres import embedded_postgres
from app.movies.sample import load_sample
from tests.accounts import claims, opened, signed
from tests.conftest import ROOT, SECRET_KEY, alembic
from tests.doubles.omdb import KEY, OmdbDouble
from tests.doubles.server import Reply
from tests.imports.lists import begin, progress
from tests.movies.conftest import title
from tests.movies.people import Person

TABLE = ROOT / "docs" / "imports.md"
ROWS = 1_000
STORED = 100
# As long as OMDb takes on a good day.
LATENCY_SECONDS = 0.1
FAILURES = {
    "no JSON": (10, Reply(b"<html>busy</html>")),
    "503": (10, Reply(b"busy", 503)),
    "no answer": (5, Reply(hang=True)),
    "unknown": (20, None),
}


async def main() -> None:
    """Run it, and write the table."""
    with TemporaryDirectory(prefix="movie-finder-bench-") as name:
        os.chmod(name, 0o755)  # noqa: PTH101 - a root's server account must get in
        with embedded_postgres(Path(name), durable=True) as url:
            await asyncio.to_thread(alembic, make_url(url), command.upgrade, "head")
            database = Database(url)
            await load_sample(database)
            await database.close()
            async with opened(make_url(url)) as service, OmdbDouble() as omdb:
                user_id = await service.add_user("ada@example.com")
                access = signed(claims(user_id, exp=int(time.time()) + 3600))
                lines = await measured(Person(service, user_id, access), omdb, Path(name))
    heading = "# An import of 1,000 titles, by a worker that is killed half-way"
    text = "\n".join([heading, "", "`python -m bench.import_list` measures it.", *lines, ""])
    TABLE.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


async def measured(ada: Person, omdb: OmdbDouble, folder: Path) -> list[str]:
    """The lines of the table."""
    stored = await ada.service.value(f"SELECT array_agg(imdb_id) FROM (SELECT imdb_id FROM movies LIMIT {STORED}) AS m")
    new = [f"tt{number}" for number in range(8_000_001, 8_000_001 + ROWS - STORED)]
    omdb.titles = {imdb_id: title(imdb_id) for imdb_id in new}
    omdb.latency = LATENCY_SECONDS
    failing = iter(new[7::19])
    for count, reply in FAILURES.values():
        for imdb_id in (next(failing) for _ in range(count)):
            del omdb.titles[imdb_id]
            if reply is not None:
                omdb.replies[imdb_id] = reply
    file = "Const\n" + "".join(f"{imdb_id}\n" for imdb_id in [*stored, *new])
    began = time.perf_counter()
    import_id = await begin(ada, file)
    accepted = time.perf_counter() - began
    lines = [
        f"Accepted in {accepted * 1000:.0f} ms.",
        "",
        "| | seconds | upstream calls | added | not found | status |",
    ]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    async with worker(ada, omdb, folder) as process:
        while (await progress(ada, import_id))["added"] < ROWS // 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    lines.append(line("killed", await progress(ada, import_id), began, omdb))
    await ada.service.execute("UPDATE jobs SET heartbeat = now() - interval '1 hour'")  # else half a minute goes by
    began = time.perf_counter()
    async with worker(ada, omdb, folder):
        while (shown := await progress(ada, import_id))["status"] not in {"done", "failed"}:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    lines.append(line("begun again", shown, began, omdb))
    queued = [movie["imdb_id"] for movie in await ada.queued("limit=100")]
    found = [*stored, *(imdb_id for imdb_id in new if imdb_id in omdb.titles)]
    used = await ada.service.value("SELECT sum(used) FROM upstream_lookups")
    asked_twice = sum(omdb.looked_up.count(imdb_id) > 1 for imdb_id in found)
    lines += ["", f"- The list holds the file's {len(found)} titles in the file's order: {queued == found}."]
    lines += [f"- Titles that were asked for twice because of the kill: {asked_twice}."]
    lines += [f"- Of the day's budget {used} look-ups were used; a call that is tried again counts as one."]
    sorts = ", ".join(f"{count} {name}" for name, (count, _) in FAILURES.items())
    return [*lines, f"- {STORED} of the titles were stored; of the others OMDb failed at these: {sorts}."]


def line(name: str, shown: dict[str, Any], began: float, omdb: OmdbDouble) -> str:
    """A line of the table."""
    seconds = time.perf_counter() - began
    missed = len(shown["not_found"])
    return f"| {name} | {seconds:.1f} | {len(omdb.calls)} | {shown['added']} | {missed} | {shown['status']} |"


@asynccontextmanager
async def worker(ada: Person, omdb: OmdbDouble, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`movie-finder worker`, stopped at the end."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": ada.service.url.render_as_string(hide_password=False),
        "OMDB_API_KEY": KEY,
        "OMDB_API_URL": omdb.url,
        "IMPORT_DAILY_LOOKUPS": "5000",
    }
    with (folder / "worker.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.cli", "worker"), env={**os.environ, **environment}, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(main())
