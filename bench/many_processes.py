"""Four processes behind nginx: what is counted or used up once is so for all of them.

`python -m bench.many_processes FILE` writes the table that FILE holds, and fails where something does not hold.
"""

import asyncio
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from app.core.embedded_postgres import embedded_postgres
from bench.report import write_section
from tests.conftest import ROOT, SECRET_KEY, open_folder
from tests.metrics_text import Samples
from tests.processes import Service, free_port, movie_finder, running
from tests.redis_server import RedisServer, redis_server

PROCESSES = 4
AT_ONCE = 50
PASSWORD = "a long walk at night"
NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    include {folder}/site.conf;
}}
"""


@dataclass
class Town:
    """The processes and what stands between and before them."""

    url: str
    services: list[Service]
    redis: RedisServer

    async def ask(self, method: str, path: str, client: str = "192.0.2.1", **options: Any) -> httpx.Response:
        """One request of a client through nginx, on a connection of its own."""
        headers = {"X-Forwarded-For": client, "User-Agent": "bench", **options.pop("headers", {})}
        async with httpx.AsyncClient(base_url=self.url, timeout=60) as connection:
            return await connection.request(method, path, headers=headers, **options)

    async def at_once(self, times: int, method: str, path: str, **options: Any) -> list[httpx.Response]:
        """As many requests at the same time."""
        return await asyncio.gather(*(self.ask(method, path, **options) for _ in range(times)))

    async def sign_up(self, email: str, client: str) -> dict[str, str]:
        """A new account's tokens."""
        entry = {"email": email, "password": PASSWORD}
        (await self.ask("POST", "/signup/", client, json=entry)).raise_for_status()
        pair: dict[str, str] = (await self.ask("POST", "/token/", client, json=entry)).json()
        return pair


Row = tuple[str, str, str]  # what, what must be, what was


def said(answers: Sequence[httpx.Response]) -> str:
    """How often each answer came."""
    found = Counter(f"{a.status_code} {a.json().get('code', '')}".strip() for a in answers)
    return ", ".join(f"{times} x {name}" for name, times in sorted(found.items()))


async def logins_are_throttled(town: Town) -> Row:
    wrong = {"email": "nobody@example.com", "password": "not the one"}
    answers = await town.at_once(AT_ONCE, "POST", "/token/", json=wrong)
    return f"{AT_ONCE} logins at once, 10 a minute", "10 x 401 invalid_credentials, 40 x 429 throttled", said(answers)


async def signups_are_throttled(town: Town) -> Row:
    entries = [{"email": f"{number}@example.com", "password": PASSWORD} for number in range(AT_ONCE)]
    answers = await asyncio.gather(*(town.ask("POST", "/signup/", "192.0.2.2", json=entry) for entry in entries))
    return f"{AT_ONCE} signups at once, 20 an hour", "20 x 201, 30 x 429 throttled", said(answers)


async def a_refresh_token_is_used_once(town: Town) -> Row:
    pair = await town.sign_up("ada@example.com", "192.0.2.3")
    answers = await town.at_once(AT_ONCE, "POST", "/token/refresh/", json={"refresh": pair["refresh"]})
    return f"one refresh token {AT_ONCE} times at once", "1 x 200, 49 x 401 token_spent", said(answers)


async def a_stolen_token_ends_its_family_everywhere(town: Town) -> Row:
    first = await town.sign_up("grace@example.com", "192.0.2.4")
    second = (await town.ask("POST", "/token/refresh/", json={"refresh": first["refresh"]})).json()
    third = (await town.ask("POST", "/token/refresh/", json={"refresh": second["refresh"]})).json()
    stolen = await town.ask("POST", "/token/refresh/", json={"refresh": first["refresh"]})
    answers = await town.at_once(20, "POST", "/token/refresh/", json={"refresh": third["refresh"]})
    ended = "its successors are refused by all" if {a.status_code for a in answers} == {401} else said(answers)
    expected = "1 x 401 token_reused, its successors are refused by all"
    return "an old refresh token, after its successor was used", expected, f"{said([stolen])}, {ended}"


async def without_redis_requests_go_on(town: Town) -> Row:
    town.redis.freeze()
    answers = await town.at_once(
        40, "POST", "/token/", client="192.0.2.5", json={"email": "a@example.com", "password": "x" * 9}
    )
    town.redis.thaw()
    await asyncio.sleep(2)
    served = "each process counts for itself" if {a.status_code for a in answers} == {401} else said(answers)
    back = await town.at_once(
        AT_ONCE, "POST", "/token/", client="192.0.2.6", json={"email": "a@example.com", "password": "x" * 9}
    )
    expected = "each process counts for itself; then 10 x 401 invalid_credentials, 40 x 429 throttled"
    return "40 logins while Redis is frozen, 50 once it is back", expected, f"{served}; then {said(back)}"


async def a_process_that_is_stopped_costs_no_request(town: Town) -> Row:
    statuses: Counter[int] = Counter()
    stopping = asyncio.create_task(asyncio.to_thread(town.services[0].stop, signal.SIGTERM))
    while not stopping.done():
        statuses.update(answer.status_code for answer in await town.at_once(8, "GET", "/movies/"))
    failed = sum(times for status, times in statuses.items() if status != 200)
    print(f"{statuses.total()} requests while a process was stopped")
    return (
        "requests while one of four processes is stopped",
        "0 failed, exit 0",
        f"{failed} failed, exit {await stopping}",
    )


async def all_took_part(town: Town) -> Row:
    async with httpx.AsyncClient() as client:
        scrapes = [Samples((await client.get(f"{service.url}/metrics")).text) for service in town.services]
    counts = [int(scraped.total("request_seconds_count", route="/token/")) for scraped in scrapes]
    print(f"logins answered by each process: {counts}")
    return "processes that took part", "4", str(sum(count > 0 for count in counts))


# In this order: the last stops a process.
CHECKS: tuple[Callable[[Town], Awaitable[Row]], ...] = (
    logins_are_throttled,
    signups_are_throttled,
    a_refresh_token_is_used_once,
    a_stolen_token_ends_its_family_everywhere,
    all_took_part,
    without_redis_requests_go_on,
    a_process_that_is_stopped_costs_no_request,
)


@contextmanager
def nginx(services: Sequence[Service]) -> Iterator[str]:
    """The configuration of `deploy/`, on a port of its own, before these processes."""
    port = free_port()
    site = (ROOT / "deploy" / "nginx.conf").read_text().replace("listen 80;", f"listen 127.0.0.1:{port};")
    for number, service in enumerate(services, 1):
        site = site.replace(f"127.0.0.1:800{number};", f"127.0.0.1:{service.port};")
    with TemporaryDirectory(prefix="movie-finder-nginx-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # its workers are another user's
        (folder / "site.conf").write_text(site)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        process = subprocess.Popen([program, "-c", folder / "nginx.conf", "-e", folder / "error.log"])
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


@contextmanager
def town() -> Iterator[Town]:
    """All of it, until the block ends."""
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        redis = stack.enter_context(redis_server())
        settings = {
            "SECRET_KEY": SECRET_KEY,
            "DATABASE_URL": stack.enter_context(embedded_postgres(folder)),
            "REDIS_URL": redis.url,
            "RUN_JOBS": "false",
            "THROTTLE_LOGIN": "10/minute,10/minute",
        }
        for command in ("migrate", "load-sample"):
            movie_finder(folder, command, **settings).check_returncode()
        services = [stack.enter_context(running("serve", folder, **settings)) for _ in range(PROCESSES)]
        yield Town(stack.enter_context(nginx(services)), services, redis)


async def check_all(town: Town) -> list[Row]:
    """Every row."""
    return [await check(town) for check in CHECKS]


def main() -> None:
    """Measure, and write the table."""
    with town() as here:
        rows = asyncio.run(check_all(here))
    write_section(Path(sys.argv[1]), "many-processes", ("what", "must be", "was"), rows)
    wrong = [row for row in rows if row[1] != row[2]]
    for row in wrong:
        print("does not hold:", *row, sep="\n  ")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
