"""The throttles, on a small application of their own: what one route counts, another must be able to as well."""

import asyncio
import logging
import math
import re
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from limits import parse
from pydantic import ValidationError

from app.core import problems, throttle_windows
from app.core.client_address import client_address
from app.core.redis_windows import RedisWindows
from app.core.throttle_windows import MemoryWindows, Window
from app.core.throttling import Throttle, Throttled, Throttles
from app.settings import Settings, load_settings
from tests.redis_server import RedisServer, redis_server

SECRET = b"0123456789abcdef-for-the-tests-only"
Route = Callable[[Request, Throttles], tuple[Throttle, ...]]


def by_address(limit: str) -> Route:
    return lambda request, _: (Throttle("by address", parse(limit), (client_address(request),)),)


def as_a_search(of_fingerprint: str, of_address: str) -> Route:
    """As the searches count: by fingerprint and by address."""

    def throttles(request: Request, _: Throttles) -> tuple[Throttle, ...]:
        address = client_address(request)
        return (
            Throttle("fingerprint", parse(of_fingerprint), (address, request.headers["user-agent"])),
            Throttle("address", parse(of_address), (address,)),
        )

    return throttles


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
async def limiter(request: pytest.FixtureRequest) -> AsyncIterator[Throttles]:
    """Throttles that have counted nothing yet: in a process of its own, and as processes share them."""
    shared = RedisWindows(request.getfixturevalue("redis").url) if request.param == "redis" else None
    limiter = Throttles(secrets.token_bytes(), shared)
    yield limiter
    await limiter.close()


def application(route: Route, limiter: Throttles) -> FastAPI:
    app = FastAPI()
    problems.install(app)

    @app.post("/")
    async def post(request: Request) -> str:
        await limiter.take(*route(request, limiter))
        return "done"

    return app


def client(app: FastAPI, address: str = "192.0.2.1", **options: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=options)


async def statuses(*requests: httpx.AsyncClient, path: str = "/") -> list[int]:
    return [answer.status_code for answer in await asyncio.gather(*(one.post(path) for one in requests))]


async def test_fifty_at_once_get_exactly_ten_through(limiter: Throttles) -> None:
    one = client(application(by_address("10/day"), limiter))
    found = await statuses(*[one] * 50)
    assert (found.count(200), found.count(429)) == (10, 40)


async def test_of_several_limits_all_or_none_are_counted(limiter: Throttles) -> None:
    app = application(as_a_search("10/day", "20/day"), limiter)
    first, second, third = (client(app, **{"User-Agent": name}) for name in ("first", "second", "third"))
    assert (await statuses(*[first] * 50)).count(200) == 10
    # Forty were refused by their fingerprint; had they counted for the address, it would be used up.
    assert (await statuses(*[second] * 50)).count(200) == 10
    assert (await statuses(*[third] * 50)).count(200) == 0
    assert (await statuses(*[client(app, "192.0.2.2", **{"User-Agent": "third"})] * 50)).count(200) == 10


async def test_mixed_fingerprints_at_once_get_exactly_what_both_limits_allow(limiter: Throttles) -> None:
    app = application(as_a_search("10/day", "20/day"), limiter)
    clients = [client(app, **{"User-Agent": name}) for name in ("first", "second", "third") for _ in range(50)]
    assert (await statuses(*clients)).count(200) == 20


async def test_a_refusal_is_a_problem_with_its_headers(limiter: Throttles) -> None:
    one = client(application(by_address("2/minute"), limiter))
    await statuses(one, one)
    before = time.time()
    refused = await one.post("/")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert [refused.headers.get_list(f"X-RateLimit-{name}") for name in ("Limit", "Remaining")] == [["2"], ["0"]]
    assert before + 58 < int(refused.headers["X-RateLimit-Reset"]) <= before + 61
    assert refused.headers.get_list("Retry-After") == ["60"]


async def test_the_refusal_names_the_limit_that_is_used_up_for_longest(limiter: Throttles) -> None:
    app = application(as_a_search("1/minute", "1/hour"), limiter)
    one = client(app, **{"User-Agent": "one"})
    await one.post("/")
    refused = await one.post("/")
    assert int(refused.headers["Retry-After"]) == 3600
    app = application(as_a_search("1/minute", "2/hour"), limiter)
    one = client(app, **{"User-Agent": "two"})
    await one.post("/")
    refused = await one.post("/")
    assert (refused.headers["X-RateLimit-Limit"], refused.headers["Retry-After"]) == ("1", "60")


async def test_waiting_as_long_as_retry_after_says_helps(limiter: Throttles) -> None:
    one = client(application(by_address("2/second"), limiter))
    assert sorted(await statuses(one, one, one)) == [200, 200, 429]
    refused = await one.post("/")
    await asyncio.sleep(int(refused.headers["Retry-After"]))
    assert sorted(await statuses(one, one, one)) == [200, 200, 429]


async def test_the_window_moves(limiter: Throttles) -> None:
    one = client(application(by_address("2/second"), limiter))
    # Just before a whole second, where a fixed window would begin anew.
    await asyncio.sleep((math.ceil(time.time()) - time.time() - 0.1) % 1)
    assert await statuses(one) == [200]
    await asyncio.sleep(0.6)
    assert sorted(await statuses(one, one)) == [200, 429]
    await asyncio.sleep(0.5)  # the first has left the window, the second has not
    assert sorted(await statuses(one, one)) == [200, 429]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1:2:3", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("testclient", "testclient", True),
        ("testclient", "192.0.2.1", False),
    ],
)
async def test_an_address_is_one_client_and_so_is_an_ipv6_site(
    one: str, other: str, limiter: Throttles, *, same: bool
) -> None:
    app = application(by_address("1/day"), limiter)
    assert await statuses(client(app, one)) == [200]
    assert await statuses(client(app, other)) == [429 if same else 200]


def test_a_peer_on_a_unix_socket_is_this_machine() -> None:
    assert client_address(Request({"type": "http", "client": None})) == "local"


async def test_a_failure_counts_and_a_success_does_not(limiter: Throttles) -> None:
    attempts = Throttle("attempts", parse("9/day"), ("one",))
    failures = Throttle("failures", parse("2/day"), ("one",))

    async def attempt(error: Exception | None = None) -> None:
        async with limiter.attempt(attempts, failures=failures, failure=ValueError):
            if error:
                raise error

    for _ in range(3):
        await attempt()
    with pytest.raises(ValueError, match="wrong"):
        await attempt(ValueError("wrong"))
    await attempt()
    with pytest.raises(OSError, match="ours"):
        await attempt(OSError("ours"))
    with pytest.raises(ValueError, match="wrong"):
        await attempt(ValueError("wrong"))
    with pytest.raises(Throttled):  # the successes in between have not wiped out the first
        await attempt()
    await limiter.take(attempts)
    await limiter.take(attempts)
    with pytest.raises(Throttled):  # seven came in, and all seven were counted as attempts
        await limiter.take(attempts)


async def test_of_many_at_once_no_more_come_in_than_may_fail(limiter: Throttles) -> None:
    attempts, failures = (Throttle(name, parse("10/day"), ("one",)) for name in ("attempts", "failures"))
    inside = 0

    async def attempt() -> None:
        nonlocal inside
        async with limiter.attempt(attempts, failures=failures, failure=ValueError):
            inside += 1
            await asyncio.sleep(0.05)
            raise ValueError

    found = await asyncio.gather(*(attempt() for _ in range(50)), return_exceptions=True)
    assert inside == 10
    assert [type(error) for error in found].count(Throttled) == 40


async def test_who_goes_away_in_the_middle_has_failed(limiter: Throttles) -> None:
    attempts, failures = (Throttle(name, parse("1/day"), ("one",)) for name in ("attempts", "failures"))

    async def attempt() -> None:
        async with limiter.attempt(attempts, failures=failures, failure=ValueError):
            await asyncio.sleep(60)

    task = asyncio.create_task(attempt())
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    with pytest.raises(Throttled):
        await limiter.take(failures)


async def test_without_a_throttle_nothing_is_refused(limiter: Throttles) -> None:
    assert await limiter.take() == []


async def test_neither_keys_nor_logs_say_whose_they_are(caplog: pytest.LogCaptureFixture) -> None:
    limiter = Throttles(SECRET)
    throttle = Throttle("login", parse("1/day"), ("192.0.2.1", "ada@example.com", "x" * 10_000))
    with caplog.at_level(logging.DEBUG):
        await limiter.take(throttle)
        with pytest.raises(Throttled):
            await limiter.take(throttle)
    (key,) = limiter._windows.events
    assert len(key) < 60
    assert not any(part in text for part in ("ada", "192.0.2.1") for text in (key, caplog.text))
    other = Throttles(b"another secret")
    await other.take(throttle)
    assert list(other._windows.events) != [key]


async def test_what_is_counted_for_one_is_not_taken_for_another(limiter: Throttles) -> None:
    limit = parse("1/day")
    for name, of in [("a", ("b", "c")), ("a", ("b,c",)), ("a", ("bc",)), ("ab", ("c",)), ("a", (1,)), ("a", ("1",))]:
        await limiter.take(Throttle(name, limit, of))


async def test_no_thread_is_started_by_a_hit() -> None:
    limiter = Throttles(SECRET)
    await asyncio.sleep(0.05)
    before = threading.active_count()
    for number in range(100):
        await limiter.take(Throttle("a", parse("1/day"), (number,)))
    assert threading.active_count() == before


def test_a_window_that_has_ended_is_forgotten() -> None:
    windows = MemoryWindows()
    for number in range(1000):
        windows.acquire_all([Window(f"short {number}", 5, 1), Window("long", 2000, 60)])
    windows.acquire_all([Window("used again", 5, 1)])
    time.sleep(0.6)
    windows.acquire_all([Window("used again", 5, 1)])
    time.sleep(0.5)
    for _ in range(200):
        windows.acquire_all([Window("long", 2000, 60)])
    assert set(windows.events) == {"long", "used again"}
    assert len(windows._ends) == 2
    time.sleep(0.6)
    windows.acquire_all([Window("long", 2000, 60)])
    assert set(windows.events) == {"long"}


def test_a_window_keeps_no_more_than_its_limit() -> None:
    windows = MemoryWindows()
    for _ in range(3):
        for _ in range(5):
            assert windows.acquire_all([Window("one", 5, 60)])
        for entry in windows.events["one"]:
            entry.atime -= 61
    assert len(windows.events["one"]) == 5


def test_what_is_given_back_leaves_nothing_behind() -> None:
    windows = MemoryWindows()
    held = windows.acquire_all([Window("one", 1, 1)])
    assert held
    windows.give_back(held[0])
    windows.give_back(held[0])
    assert windows.acquire_all([Window("one", 1, 1)])
    windows.reset()
    windows.give_back(held[0])
    held = windows.acquire_all([Window("two", 1, 1)])
    assert held
    windows.give_back(held[0])
    windows._forget(time.time() + 2)
    assert not windows.events


def test_too_many_keys_push_out_those_that_end_soonest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle_windows, "MOST_KEYS", 10)
    windows = MemoryWindows()
    for number in range(100):
        windows.acquire_all([Window(f"short {number}", 1, 60), Window("long", 1000, 3600)])
    assert len(windows.events) == 10
    assert "long" in windows.events


@pytest.mark.parametrize("name", ["THROTTLE_LOGIN", "THROTTLE_SIGNUP", "THROTTLE_RESET"])
@pytest.mark.parametrize(
    "value",
    [
        "10",
        "ten/minute",
        "0/minute",
        "-1/minute",
        "10/fortnight",
        "10/minute,",
        "10001/day",
        "1/2 month",
        "9" * 5000 + "/day",
        "1/minute,2/minute,3/minute",
        "10/minute junk",
    ],
)
def test_a_bad_limit_stops_the_start_and_names_the_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        load_settings()
    assert re.fullmatch(f"movie-finder: {name}: .{{1,100}}", str(stopped.value))


def test_limits_are_read_as_they_are_written() -> None:
    settings = Settings(
        _env_file=None, secret_key=SECRET.decode(), throttle_login="10/minute", throttle_reset="10 per 2 hours, 3/day"
    )
    assert settings.throttle_login == [parse("10/minute")]
    assert settings.throttle_signup == [parse("20/hour")]
    assert settings.throttle_reset == [parse("10/2hours"), parse("3/day")]


PARTS = "0 1 10 -1 / per , ; s month year \u0661 e9 . second minute hour day "
UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
RATES = st.text(max_size=20) | st.lists(st.sampled_from(PARTS.split(" ")), max_size=8).map(" ".join)


@hypothesis_settings(deadline=None)
@given(RATES)
def test_whatever_is_set_is_a_limit_that_can_be_kept_or_stops_the_start(value: str) -> None:
    try:
        (limit,) = Settings(_env_file=None, secret_key=SECRET.decode(), throttle_signup=value).throttle_signup
    except ValidationError:
        return
    assert 1 <= limit.amount <= 10_000
    assert 1 <= limit.get_expiry() <= 31 * 86_400


@hypothesis_settings(deadline=None)
@given(
    amount=st.integers(1, 10_000),
    multiples=st.integers(1, 31),
    unit=st.sampled_from([*UNITS]),
    plural=st.sampled_from(["", "s"]),
    in_words=st.booleans(),
)
def test_a_limit_is_as_much_in_as_long_as_it_says(
    amount: int, multiples: int, unit: str, plural: str, *, in_words: bool
) -> None:
    text = f"{amount} per {multiples} {unit}{plural}" if in_words else f"{amount}/{multiples}{unit}{plural}"
    (limit,) = Settings(_env_file=None, secret_key=SECRET.decode(), throttle_signup=text).throttle_signup
    assert (limit.amount, limit.get_expiry()) == (amount, multiples * UNITS[unit])
