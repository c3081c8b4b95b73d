"""A worker's memory over 100,000 mixed requests: `python -m bench.memory FILE` writes the table that FILE holds."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

from app.core.embedded_postgres import embedded_postgres
from bench.loads import answered, get
from bench.overload import fill
from bench.report import write_section
from tests.accounts import PASSWORD, claims, signed
from tests.conftest import SECRET_KEY, open_folder
from tests.processes import Service, movie_finder, running

REQUESTS, STEPS, CLIENTS = 100_000, 10, 16
GENEROUS = dict.fromkeys(
    ("THROTTLE_LOGIN", "THROTTLE_SIGNUP", "THROTTLE_SEARCH_UA", "THROTTLE_SEARCH_IP"), "10000/second"
)
READS = (
    "/movies/",
    "/movies/?limit=100",
    "/movies/?genres=crime&ordering=-imdb_rating",
    "/movies/?search=godfahter",
    "/movies/1/",
    "/movies/999999/",
    "/movies/?ordering=nonsense",
    "/structures/",
    "/collections/?sort=trending",
    "/movies/top/",
    "/api/schema/",
    "/health/ready",
    "/nowhere/",
)
MINE = ("/movies/?ordering=-year", "/watch_later/list/", "/watch_later/statistics/", "/users/personal-info/")


def requests(url: str, user_id: int) -> list[bytes]:
    """What a day's clients ask, in turn."""
    token = signed(claims(user_id, exp=int(time.time()) + 24 * 3600))
    bearer = f"Authorization: Bearer {token}\r\n".encode()

    def mine(request: bytes) -> bytes:
        return request.replace(b"\r\n\r\n", b"\r\n" + bearer + b"\r\n")

    def post(path: str, **body: object) -> bytes:
        content = json.dumps(body).encode()
        head = get(f"{url}{path}").replace(b"GET", b"POST").removesuffix(b"\r\n")
        return head + f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content

    kept = [mine(post("/watch_later/create/", movie=number)) for number in range(1, 8)]
    kept += [mine(post(f"/movies/{number}/like/")) for number in range(1, 8)]
    kept += [mine(get(f"{url}/watch_later/{number}/destroy/").replace(b"GET", b"DELETE")) for number in range(1, 4)]
    searches = [post("/movies/search/", expression=words) for words in ("alien", "seven samuri", "no such film")]
    logins = [post("/token/", email="user@example.com", password="wrong")]
    return [*(get(url + path) for path in READS), *(mine(get(url + path)) for path in MINE), *kept, *searches, *logins]


def megabytes(process: int) -> float:
    """The resident memory of a process."""
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True, check=True)
    return int(told.stdout) / 1024


async def measure(service: Service) -> list[list[str]]:
    """The rows of the table: the worker's memory as the requests go by."""
    worker = service.process.pid
    asked = requests(service.url, 1)
    await answered(service.url, asked, CLIENTS, 2_000)  # what is made once is made
    rows = [["2,000", f"{megabytes(worker):.0f} MB", "–"]]  # noqa: RUF001
    for step in range(1, STEPS + 1):
        load = await answered(service.url, asked, CLIENTS, REQUESTS // STEPS)
        number, memory = 2_000 + step * REQUESTS // STEPS, megabytes(worker)
        rows.append([f"{number:,}", f"{memory:.0f} MB", f"{REQUESTS / STEPS / load.seconds:,.0f}"])
        sys.stdout.write(" | ".join(rows[-1]) + "\n")
        sys.stdout.flush()
        broken = {status: count for status, count in load.refused.items() if status >= 500}
        if broken:
            raise RuntimeError(f"answers that may not be: {broken}")
    return rows


def main(file: Path) -> None:
    """Measure, and write down."""
    with open_folder() as folder, embedded_postgres(folder / "postgres") as database_url:
        environment = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET_KEY, **GENEROUS}
        movie_finder(folder, "migrate", **environment)
        asyncio.run(fill(database_url))
        movie_finder(folder, "create-admin", "--email", "user@example.com", "--password", PASSWORD, **environment)
        with running("serve", folder, **environment) as service:
            rows = asyncio.run(measure(service))
    write_section(file, "memory", ["requests so far", "resident memory", "answered a second"], rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
