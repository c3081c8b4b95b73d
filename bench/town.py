"""Four processes behind nginx, workers behind them, and one PostgreSQL and one Redis between all of them."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from app.core.embedded_postgres import embedded_postgres
from tests.conftest import ROOT, SECRET_KEY, open_folder
from tests.doubles.claude_titles import KEY as CLAUDE_KEY
from tests.doubles.claude_titles import TitlesByClaude
from tests.doubles.omdb import KEY as OMDB_KEY
from tests.doubles.omdb import OmdbDouble
from tests.processes import WITH_THE_TESTS, Service, free_port, movie_finder, running
from tests.redis_server import RedisServer, redis_server

PROCESSES = 4
PASSWORD = "a long walk at night"
UNLIMITED = "10000/minute"
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
    """The processes, and what stands between, before and behind them.

    Attributes:
        settings: of all processes.
        workers: those that do the work behind the requests.
    """

    url: str
    services: list[Service]
    redis: RedisServer
    omdb: OmdbDouble
    claude: TitlesByClaude
    folder: Path
    settings: Mapping[str, str]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

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

    def start_worker(self) -> None:
        """One more."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **self.settings}
        with (self.folder / "worker.log").open("ab") as log:
            self.workers.append(
                subprocess.Popen(
                    [*WITH_THE_TESTS, sys.executable, "-m", "app.cli", "worker"],
                    cwd=self.folder,
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )

    def kill_worker(self) -> None:
        """The oldest, in the middle of whatever it does."""
        worker = self.workers.pop(0)
        worker.kill()
        worker.wait()


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
def town(omdb: OmdbDouble, claude: TitlesByClaude) -> Iterator[Town]:
    """All of it, with these upstream, until the block ends."""
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        redis = stack.enter_context(redis_server())
        settings = {
            "SECRET_KEY": SECRET_KEY,
            "DATABASE_URL": stack.enter_context(embedded_postgres(folder)),
            "REDIS_URL": redis.url,
            "RUN_JOBS": "false",
            "THROTTLE_LOGIN": "10/minute,10/minute",
            "THROTTLE_AI_UA": UNLIMITED,
            "THROTTLE_AI_IP": UNLIMITED,
            "OMDB_API_KEY": OMDB_KEY,
            "OMDB_API_URL": omdb.url,
            "ANTHROPIC_API_KEY": CLAUDE_KEY,
            "ANTHROPIC_BASE_URL": claude.url,
        }
        for command in ("migrate", "load-sample"):
            movie_finder(folder, command, **settings).check_returncode()
        services = [stack.enter_context(running("serve", folder, **settings)) for _ in range(PROCESSES)]
        here = Town(stack.enter_context(nginx(services)), services, redis, omdb, claude, folder, settings)
        try:
            yield here
        finally:
            while here.workers:
                here.kill_worker()
