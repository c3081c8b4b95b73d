"""Four processes behind nginx: what is counted or used up once is so for all of them.

`python -m bench.many_processes FILE` writes the table that FILE holds, and fails where something does not hold.
"""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import httpx

from bench.report import write_section
from bench.town import PASSWORD, Town, town
from tests.doubles.claude_titles import TitlesByClaude
from tests.doubles.omdb import OmdbDouble
from tests.metrics_text import Samples
from tests.movies.conftest import title

AT_ONCE = 50
# Of the sample catalogue, and others that only OMDb knows.
STORED = ("tt1375666", "tt0133093")
LOOKED_UP = [f"tt{number}" for number in range(8_000_001, 8_000_101)]

Row = tuple[str, str, str]  # what, what must be, what was


def said(answers: Sequence[httpx.Response]) -> str:
    """How often each answer came."""
    found = Counter(f"{a.status_code} {_word(a)}".strip() for a in answers)
    return ", ".join(f"{times} x {name}" for name, times in sorted(found.items()))


def _word(answer: httpx.Response) -> str:
    """What an answer says of itself: a refusal's code, or a search's source."""
    code: str = answer.json()["code"] if answer.is_error else answer.headers.get("X-Search-Source", "")
    return code


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


async def an_ai_quota_is_used_up_once(town: Town) -> Row:
    pair = await town.sign_up("lin@example.com", "192.0.2.7")
    town.claude.latency = 0.5
    answers = await town.at_once(
        AT_ONCE, "POST", "/movies/ai/search/", json={"expression": "a heist in dreams"}, headers=bearer(pair)
    )
    town.claude.latency = 0.0
    expected = "3 x 200 claude, 47 x 429 ai_search_limit_reached; Claude asked 3 times"
    was = f"{said(answers)}; Claude asked {town.claude.generations} times"
    return f"{AT_ONCE} AI searches at once, 3 left today", expected, was


async def an_import_outlives_its_worker(town: Town) -> Row:
    headers = bearer(await town.sign_up("jo@example.com", "192.0.2.8"))
    file = {"file": ("list.csv", "Const\n" + "\n".join([*STORED, *town.omdb.titles]))}
    town.start_worker()
    town.omdb.latency = 0.5  # so that the worker is in the middle of it
    answers = await town.at_once(4, "POST", "/watch_later/import/", files=file, headers=headers)
    place = next(f"/watch_later/import/{answer.json()['id']}/" for answer in answers if answer.is_success)
    await town.omdb.asked(len(town.omdb.titles) // 2)
    town.start_worker()
    town.kill_worker()
    while (job := (await town.ask("GET", place, headers=headers)).json())["status"] != "done":  # noqa: ASYNC110
        await asyncio.sleep(1)
    town.omdb.latency = 0.0
    queued = (await town.ask("GET", "/watch_later/list/", headers=headers)).json()["count"]
    print(f"asked for by both workers: {len(town.omdb.looked_up) - len(town.omdb.titles)} titles")
    total = len(STORED) + len(town.omdb.titles)
    return (
        "one import sent four times at once; its worker is killed halfway, another is there",
        f"1 x 202, 3 x 409 import_running; then {total} added, {total} on the list",
        f"{said(answers)}; then {job['added']} added, {queued} on the list",
    )


async def the_weekly_choice_is_made_once(town: Town) -> Row:
    town.start_worker()
    town.claude.forget()
    answers = await town.at_once(100, "GET", "/movies/top/")
    await town.claude.asked(1)
    answers += await town.at_once(100, "GET", "/movies/top/")
    await asyncio.sleep(3)  # in which another choice would be made
    chosen = (await town.ask("GET", "/movies/top/")).json()[0]["title"]
    expected = f"200 x 200; Claude asked 1 times, and {town.claude.titles[0]} is first"
    was = f"{said(answers)}; Claude asked {town.claude.generations} times, and {chosen} is first"
    return "200 ask for the top movies of a new week; two workers", expected, was


# In this order: the last stops a process.
CHECKS: tuple[Callable[[Town], Awaitable[Row]], ...] = (
    logins_are_throttled,
    signups_are_throttled,
    a_refresh_token_is_used_once,
    a_stolen_token_ends_its_family_everywhere,
    all_took_part,
    an_ai_quota_is_used_up_once,
    an_import_outlives_its_worker,
    the_weekly_choice_is_made_once,
    without_redis_requests_go_on,
    a_process_that_is_stopped_costs_no_request,
)


def bearer(pair: Mapping[str, str]) -> dict[str, str]:
    """The header of who is logged in."""
    return {"Authorization": f"Bearer {pair['access']}"}


async def check_all() -> list[Row]:
    """Every row."""
    async with OmdbDouble(map(title, LOOKED_UP)) as omdb, TitlesByClaude("Inception", "The Matrix") as claude:
        with town(omdb, claude) as here:
            return [await check(here) for check in CHECKS]


def main() -> None:
    """Measure, and write the table."""
    rows = asyncio.run(check_all())
    write_section(Path(sys.argv[1]), "many-processes", ("what", "must be", "was"), rows)
    wrong = [row for row in rows if row[1] != row[2]]
    for row in wrong:
        print("does not hold:", *row, sep="\n  ")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
