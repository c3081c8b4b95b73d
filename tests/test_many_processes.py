"""Several workers behind one port: they count together, and end in order."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.responses import PlainTextResponse

from app.cli.server import Worker
from tests.conftest import ROOT, SECRET_KEY, new_database
from tests.doubles.omdb import KEY, OmdbDouble
from tests.metrics_text import Samples
from tests.processes import Service, running
from tests.redis_server import redis_server

WORKERS = 4


@pytest.fixture(scope="module")
async def url(administrator: AsyncEngine, filled: str) -> AsyncIterator[URL]:
    async with new_database(administrator, filled) as url:
        yield url


def environment(url: URL) -> dict[str, str]:
    return {"DATABASE_URL": url.render_as_string(hide_password=False), "RUN_JOBS": "false", "DB_POOL_SIZE": "3"}


@pytest.fixture(scope="module")
def service(url: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Four workers with one Redis."""
    folder = tmp_path_factory.mktemp("workers")
    settings = {**environment(url), "THROTTLE_LOGIN": "10/day,1000/day"}
    with (
        redis_server() as redis,
        running("serve", folder, "--workers", str(WORKERS), REDIS_URL=redis.url, **settings) as service,
    ):
        wait_for_workers(service)
        yield service


def workers(service: Service) -> set[int]:
    """The processes that have a pool of connections: those that serve."""
    listing = subprocess.run(["ps", "-ww", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()]
    return {int(pid) for pid, ppid, args in rows if ppid == str(service.process.pid) and "spawn_main" in args}


def samples(service: Service) -> Samples:
    """A scrape, on a connection of its own: whichever worker takes it."""
    answer = httpx.get(f"{service.url}/metrics")
    assert answer.status_code == 200
    return Samples(answer.text)


def wait_for_workers(service: Service) -> None:
    deadline = time.monotonic() + 60
    while samples(service).value("database_connections", pool="requests") != WORKERS * 3:
        assert time.monotonic() < deadline, service.log.read_text()
        time.sleep(0.1)


async def statuses(service: Service, method: str, path: str, times: int, **options: object) -> Counter[int]:
    """The answers to as many requests at once, each on a connection of its own."""

    async def ask() -> int:
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
            return (await client.request(method, path, **options)).status_code  # type: ignore[arg-type]

    return Counter(await asyncio.gather(*(ask() for _ in range(times))))


async def test_fifty_at_once_get_exactly_ten_through(service: Service) -> None:
    wrong = {"email": "ada@example.com", "password": "not hers at all"}
    assert await statuses(service, "POST", "/token/", 50, json=wrong) == {401: 10, 429: 40}
    found = samples(service)
    assert found.value("throttles_total", throttle="login", outcome="taken") == 10
    assert found.value("throttles_total", throttle="login", outcome="refused") == 40
    assert found.total("throttle_fallbacks_total") == 0


async def test_whichever_worker_is_asked_knows_what_all_have_counted(service: Service) -> None:
    assert await statuses(service, "GET", "/structures/", 100) == {200: 100}
    for _ in range(10):
        found = samples(service)
        assert found.value("request_seconds_count", route="/structures/", method="GET", status="200") == 100
        assert found.value("database_connections", pool="requests") == WORKERS * 3
        assert found.value("database_up") == 1


async def test_a_worker_that_is_killed_is_replaced_and_what_it_counted_stays(service: Service) -> None:
    await statuses(service, "GET", "/health/ready", 40)
    counted = samples(service).total("request_seconds_count", route="/health/ready")
    before = workers(service)
    assert len(before) == WORKERS
    os.kill(min(before), signal.SIGKILL)
    deadline = time.monotonic() + 60
    while len(workers(service) - before) != 1:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    await asyncio.to_thread(wait_for_workers, service)
    assert samples(service).total("request_seconds_count", route="/health/ready") >= counted


@pytest.mark.parametrize("count", [1, 2])
async def test_told_to_stop_it_finishes_what_it_has_begun_and_begins_nothing_new(
    count: int, url: URL, omdb: OmdbDouble, tmp_path: Path
) -> None:
    settings = {**environment(url), "OMDB_API_KEY": KEY, "OMDB_API_URL": omdb.url}
    omdb.latency = 1.5
    with running("serve", tmp_path, "--workers", str(count), SECRET_KEY=SECRET_KEY, **settings) as service:
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
            search = asyncio.create_task(client.post("/movies/search/", json={"expression": f"stop {count}"}))
            await omdb.asked(1)
            service.process.send_signal(signal.SIGTERM)
            while await takes_connections(service):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            assert not search.done()
            assert (await search).status_code == 200
        assert await asyncio.to_thread(service.process.wait, 20) == 0
    assert "Traceback" not in service.log.read_text()


async def takes_connections(service: Service) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


SMALL = """
import os
from pathlib import Path
from app.cli import server

async def app(scope, receive, send):
    await receive()
    Path(f"worker-{os.getpid()}").touch()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

if __name__ == "__main__":
    server.APPLICATION = "small:app"
    server.serve("127.0.0.1", 0, 2)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGHUP])
def test_workers_end_with_a_parent_that_is_killed_or_loses_its_terminal(end: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(SMALL)
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    parent = subprocess.Popen([sys.executable, "small.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path})
    deadline = time.monotonic() + 60
    while len(started := list(tmp_path.glob("worker-*"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    parent.send_signal(end)
    parent.wait(60)
    pids = [int(file.name.removeprefix("worker-")) for file in started]
    try:
        while any(is_running(pid) for pid in pids):
            assert time.monotonic() < deadline, "they serve on"
            time.sleep(0.02)
    finally:
        for pid in filter(is_running, pids):
            os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def test_a_worker_may_be_silent_for_a_while_and_no_longer() -> None:
    config = uvicorn.Config(PlainTextResponse("here"), lifespan="off", log_config=None)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        worker = Worker(config, [listening])
    assert worker.pid is not None
    try:
        assert worker.ping(60)
        assert worker.is_alive(timeout=60)
        os.kill(worker.pid, signal.SIGSTOP)
        while worker.ping(0.1):  # which stops it a moment later
            pass
        assert worker.is_alive(timeout=60)
        assert not worker.is_alive(timeout=0.1)
        os.kill(worker.pid, signal.SIGCONT)
        assert worker.is_alive(timeout=60)
    finally:
        worker.kill()
        worker.join()
    assert not worker.is_alive(timeout=60)


BROKEN = """
from app.cli import server

async def app(scope, receive, send):
    raise RuntimeError("the lifespan fails")

if __name__ == "__main__":
    server.APPLICATION = "broken:app"
    server.serve("127.0.0.1", 0, {count})
"""


@pytest.mark.parametrize("count", [1, 2])
def test_a_service_that_cannot_start_says_so_by_its_status(count: int, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN.format(count=count))
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    ended = subprocess.run(
        [sys.executable, "broken.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, check=False
    )
    assert ended.returncode == 3
