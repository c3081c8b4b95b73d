"""Bad days on running processes: what clients see while PostgreSQL, Redis, an upstream or the service itself fails.

`python -m bench.bad_days FILE` writes the table that FILE holds. Every fault comes while readers read, writers write
and searchers search; afterwards each write that was acknowledged is looked for in the database.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
from sqlalchemy import make_url

from app.core.database import Database
from app.core.embedded_postgres import embedded_postgres
from app.core.postgres_cluster import Cluster, locate
from app.movies.sample import load_sample
from bench.report import write_section
from tests.accounts import claims, signed
from tests.conftest import SECRET_KEY, open_folder
from tests.doubles.omdb import KEY, OmdbDouble
from tests.doubles.server import Reply
from tests.processes import Service, free_port, movie_finder

READERS, WRITERS, SEARCHERS = 4, 4, 2
BEFORE_SECONDS, FAULT_SECONDS, AFTER_SECONDS = 2.0, 4.0, 6.0
# In which the clients themselves begin.
WARMING_SECONDS = 1.0
# Longer than any answer may take.
PATIENCE_SECONDS = 20.0
USERS = 50


@dataclass
class Seen:
    """What the clients saw of one kind of request: when each began, how long it took, and the status (0: none)."""

    answers: list[tuple[float, float, int]] = field(default_factory=list)

    def slowest(self) -> float:
        return max((seconds for _, seconds, _ in self.answers), default=0.0)

    def p99(self, begin: float, end: float) -> float:
        """Of those that began in between, in seconds."""
        times = sorted(seconds for at, seconds, _ in self.answers if begin <= at < end)
        return times[int(len(times) * 0.99)] if times else 0.0

    def refused(self) -> dict[int, int]:
        statuses = [status for _, _, status in self.answers if not 200 <= status < 300]
        return {status: statuses.count(status) for status in sorted(set(statuses))}

    def recovered_after(self, moment: float) -> float:
        """Seconds from a moment until the last failed request after it was over."""
        failed = [at + seconds for at, seconds, status in self.answers if at + seconds > moment and status >= 500]
        failed += [at + seconds for at, seconds, status in self.answers if at + seconds > moment and status == 0]
        return max((end - moment for end in failed), default=0.0)


@dataclass
class Town:
    """The service, what it stands on, and its clients."""

    cluster: Cluster
    folder: Path
    environment: dict[str, str]
    omdb: OmdbDouble
    redis: subprocess.Popen[bytes] | None
    service: Service
    acknowledged: set[tuple[int, int]] = field(default_factory=set)

    def start_service(self) -> None:
        self.service = Service("serve", self.folder, self.environment)

    def control(self, *arguments: str) -> None:
        """Run pg_ctl."""
        programs, data = self.cluster.programs, self.cluster.data
        command: list[str | Path] = [programs / "pg_ctl", *arguments, "-w", "-D", data, "-l", data / "log"]
        done = self.cluster.account.run(command)
        if done.returncode:
            raise RuntimeError(done.stdout)

    def signal_postgres(self, number: signal.Signals) -> None:
        postmaster = (self.cluster.data / "postmaster.pid").read_text().split()[0]
        children = subprocess.run(["pgrep", "-P", postmaster], capture_output=True, text=True, check=False).stdout
        for process in [postmaster, *children.split()]:
            os.kill(int(process), number)


Fault = Callable[[Town], Awaitable[None]]


async def read(town: Town, client: httpx.AsyncClient) -> int:
    return (await client.get(f"{town.service.url}/movies/?limit=5")).status_code


def writing(worker: int) -> Callable[[Town, httpx.AsyncClient], Awaitable[int]]:
    """Puts one movie after another on the lists of one user after another."""
    entries = ((user, movie) for movie in range(1, 400) for user in range(1 + worker, USERS + 1, WRITERS))

    async def write(town: Town, client: httpx.AsyncClient) -> int:
        user, movie = next(entries)
        headers = {"Authorization": f"Bearer {signed(claims(user, exp=int(time.time()) + 600))}"}
        answer = await client.post(f"{town.service.url}/watch_later/create/", json={"movie": movie}, headers=headers)
        if answer.is_success:
            town.acknowledged.add((user, movie))
        return answer.status_code

    return write


async def search(town: Town, client: httpx.AsyncClient) -> int:
    words = f"the film {time.monotonic_ns() % 1_000_003}"  # new each time, so that upstream is asked
    return (await client.post(f"{town.service.url}/movies/search/", json={"expression": words})).status_code


async def repeat(
    town: Town, seen: Seen, ask: Callable[[Town, httpx.AsyncClient], Awaitable[int]], until: float
) -> None:
    """Ask again and again, and note what came."""
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, headers={"user-agent": "bad-days"}) as client:
        while (began := time.monotonic()) < until:
            try:
                status = await ask(town, client)
            except httpx.HTTPError:
                status = 0
            seen.answers.append((began, time.monotonic() - began, status))
            await asyncio.sleep(0.05 if not 200 <= status < 300 else 0.005)


async def endure(town: Town, name: str, begin: Fault, end: Fault) -> list[str]:
    """One fault, and its row in the table."""
    reads, writes, searches = Seen(), Seen(), Seen()
    began = time.monotonic()
    until = began + BEFORE_SECONDS + FAULT_SECONDS + AFTER_SECONDS
    clients = [asyncio.create_task(repeat(town, reads, read, until)) for _ in range(READERS)]
    clients += [asyncio.create_task(repeat(town, writes, writing(number), until)) for number in range(WRITERS)]
    clients += [asyncio.create_task(repeat(town, searches, search, until)) for _ in range(SEARCHERS)]
    await asyncio.sleep(BEFORE_SECONDS)
    fault_began = time.monotonic()
    await begin(town)
    await asyncio.sleep(FAULT_SECONDS)
    await end(town)
    fault_ended = time.monotonic()
    await asyncio.gather(*clients)
    before, meanwhile = reads.p99(began + WARMING_SECONDS, fault_began), reads.p99(fault_began, fault_ended)
    everything = Seen(reads.answers + writes.answers + searches.answers)
    return [
        name,
        f"{len(everything.answers):,}",
        ", ".join(f"{count} × {status or 'broken off'}" for status, count in everything.refused().items()) or "none",  # noqa: RUF001
        f"{everything.slowest():.1f} s",
        f"{before * 1000:.0f} → {meanwhile * 1000:.0f} ms",
        f"{everything.recovered_after(fault_ended):.1f} s",
        str(await lost(town)),
    ]


async def lost(town: Town) -> int:
    """How many acknowledged writes the database does not have; the lists are emptied after."""
    connection = await asyncpg.connect(
        make_url(town.environment["DATABASE_URL"]).set(drivername="postgresql").render_as_string(hide_password=False)
    )
    try:
        rows = await connection.fetch("SELECT user_id, movie_id FROM watch_later")
        missing = town.acknowledged - {(row["user_id"], row["movie_id"]) for row in rows}
        wrong = await connection.fetchval(
            "SELECT count(*) FROM movie_counts WHERE watch_later_count <>"
            " (SELECT count(*) FROM watch_later WHERE watch_later.movie_id = movie_counts.movie_id)"
        )
        await connection.execute("DELETE FROM watch_later")
    finally:
        await connection.close()
    town.acknowledged.clear()
    return len(missing) + int(wrong)


async def nothing(_town: Town) -> None:
    """Leave it be."""


async def stop_postgres(town: Town) -> None:
    await asyncio.to_thread(town.control, "stop", "-m", "fast")


async def start_postgres(town: Town) -> None:
    await asyncio.to_thread(town.control, "restart")


async def freeze_postgres(town: Town) -> None:
    town.signal_postgres(signal.SIGSTOP)


async def thaw_postgres(town: Town) -> None:
    town.signal_postgres(signal.SIGCONT)


@asynccontextmanager
async def administrator(town: Town) -> AsyncIterator[asyncpg.Connection]:
    url = make_url(town.environment["DATABASE_URL"]).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    yield connection
    await connection.close()


async def kill_backends(town: Town) -> None:
    """Every connection of the service's, again and again for a second."""
    for _ in range(10):
        async with administrator(town) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )
        await asyncio.sleep(0.1)


class Hoard:
    """Holds every connection that PostgreSQL has left."""

    def __init__(self) -> None:
        self.held: list[asyncpg.Connection] = []

    async def begin(self, town: Town) -> None:
        await kill_backends(town)
        url = make_url(town.environment["DATABASE_URL"]).set(drivername="postgresql")
        try:
            while True:
                self.held.append(await asyncpg.connect(url.render_as_string(hide_password=False)))
        except asyncpg.TooManyConnectionsError:
            pass

    async def end(self, _town: Town) -> None:
        for connection in self.held:
            await connection.close()
        self.held.clear()


def upstream(reply: Reply | None, latency: float = 0.0) -> Fault:
    """OMDb answers everything so."""

    async def change(town: Town) -> None:
        town.omdb.always, town.omdb.latency = reply, latency

    return change


def signal_redis(number: signal.Signals) -> Fault:
    async def send(town: Town) -> None:
        assert town.redis is not None
        town.redis.send_signal(number)

    return send


async def kill_redis(town: Town) -> None:
    assert town.redis is not None
    town.redis.kill()
    town.redis.wait()


async def start_redis(town: Town) -> None:
    assert town.redis is not None
    town.redis = await asyncio.to_thread(subprocess.Popen, town.redis.args, stdout=subprocess.DEVNULL)


async def kill_service(town: Town) -> None:
    """SIGKILL in the middle of writes, and a new start at once, as a supervisor does it."""
    town.service.process.kill()
    town.service.process.wait()
    town.start_service()


def faults(*, with_redis: bool) -> Iterator[tuple[str, Fault, Fault]]:
    """What goes wrong, how it begins and how it ends."""
    hoard = Hoard()
    yield "nothing (to compare with)", nothing, nothing
    yield "PostgreSQL stopped and started", stop_postgres, start_postgres
    yield "PostgreSQL frozen (SIGSTOP)", freeze_postgres, thaw_postgres
    yield "every backend killed, ten times", kill_backends, nothing
    yield "PostgreSQL's connections used up", hoard.begin, hoard.end
    yield "OMDb slow (3 s an answer)", upstream(None, 3.0), upstream(None)
    yield "OMDb hangs", upstream(Reply(hang=True)), upstream(None)
    yield "OMDb fails (503)", upstream(Reply(b"<html>", 503, "text/html")), upstream(None)
    if with_redis:
        yield "Redis frozen (SIGSTOP)", signal_redis(signal.SIGSTOP), signal_redis(signal.SIGCONT)
        yield "Redis killed and started", kill_redis, start_redis
    yield "the service killed (SIGKILL) and started", kill_service, nothing


@contextmanager
def redis_server(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes] | None, str]]:
    """A Redis of our own, where the machine has one."""
    program = shutil.which("redis-server")
    if program is None:
        yield None, ""
        return
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield process, f"redis://127.0.0.1:{port}/0"
    finally:
        subprocess.run(["pkill", "-KILL", "-f", f"redis-server .*:{port}"], check=False)


async def prepare(url: str) -> None:
    """A migrated database with the sample catalogue and some users."""
    database = Database(make_url(url))
    await load_sample(database)
    await database.close()
    connection = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))
    await connection.execute(
        "INSERT INTO users (email, account_tier_id) SELECT 'reader' || n || '@example.com',"
        f" (SELECT id FROM account_tiers WHERE is_default) FROM generate_series(1, {USERS}) AS n"
    )
    await connection.close()


async def run(file: Path) -> None:
    """Go through all of them, and write the table."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(open_folder())
        url = stack.enter_context(embedded_postgres(folder / "postgres"))
        redis, redis_url = stack.enter_context(redis_server(folder))
        omdb = await stack.enter_async_context(OmdbDouble())
        environment = {
            "DATABASE_URL": url,
            "SECRET_KEY": SECRET_KEY,
            "OMDB_API_KEY": KEY,
            "OMDB_API_URL": omdb.url,
            "LOG_LEVEL": "ERROR",
            "THROTTLE_SEARCH_UA": "10000/minute",
            "THROTTLE_SEARCH_IP": "10000/minute",
            **({"REDIS_URL": redis_url} if redis_url else {}),
        }
        done = movie_finder(folder, "migrate", **environment)
        if done.returncode:
            raise RuntimeError(done.stderr)
        await prepare(url)
        town = Town(
            locate(folder / "postgres"), folder, environment, omdb, redis, Service("serve", folder, environment)
        )
        stack.callback(lambda: town.service.stop())  # noqa: PLW0108 - whichever runs by then
        await asyncio.to_thread(town.service.wait_until_ready)
        rows = []
        for name, begin, end in faults(with_redis=redis is not None):
            rows.append(await endure(town, name, begin, end))
            sys.stdout.write(" | ".join(rows[-1]) + "\n")
            sys.stdout.flush()
    headings = [
        "fault, for 4 seconds",
        "requests",
        "not served",
        "slowest answer",
        "p99 of `GET /movies/` before → meanwhile",
        "last failure after its end",
        "acknowledged writes lost",
    ]
    write_section(file, "bad days", headings, rows)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
