"""What the operator sees: one line a request, the id that ties lines together, and failures with their traceback."""

import json
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.core.embedded_postgres import EmbeddedPostgresError
from app.core.observability import LastResort, RequestLog, configure_logging
from app.settings import Settings
from tests.conftest import SECRET_KEY, started
from tests.log_lines import log_lines
from tests.sample_application import sample_application


@pytest.fixture(scope="module")
async def client(administrator: AsyncEngine, filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with sample_application(administrator, filled) as (_, client):
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status", "route"),
    [
        ("GET", "/movies/1/", 200, "/movies/{id}/"),
        ("HEAD", "/movies/1/", 200, "/movies/{id}/"),
        ("GET", "/movies/?limit=0", 422, "/movies/"),
        ("GET", "/nowhere/", 404, None),
        ("POST", "/movies/search", 307, None),
        ("GET", "/health/live", 200, "/health/live"),
        ("GET", "/admin/login", 200, "/admin/login"),
    ],
)
async def test_every_request_is_one_line_without_its_query(
    client: httpx.AsyncClient, method: str, path: str, status: int, route: str | None
) -> None:
    with log_lines() as lines:
        response = await client.request(method, path)
    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["method"], line["path"], line["status"]) == (method, path.partition("?")[0], status)
    assert line["route"] == route
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert 0 <= line["milliseconds"] < 60_000


async def test_the_line_says_what_the_request_has_cost(client: httpx.AsyncClient) -> None:
    with log_lines() as lines:
        await client.get("/movies/?genres=drama")
        await client.get("/health/live")
    listed, live = (line for line in lines if line["event"] == "request")
    assert 1 <= listed["sql_count"] <= 3
    assert 0 < listed["sql_milliseconds"] <= listed["milliseconds"]
    assert (live["sql_count"], live["sql_milliseconds"]) == (0, 0)
    assert (listed["upstream_calls"], listed["user_id"]) == (0, None)


async def test_a_host_of_others_is_logged_too(client: httpx.AsyncClient) -> None:
    with log_lines() as lines:
        await client.get("/movies/", headers={"host": "evil.example"})
    assert [line["status"] for line in lines if line["event"] == "request"] == [400]


async def broken_stream(_scope: Scope, receive: Receive, send: Send) -> None:
    """Fails once half of the answer is sent."""

    async def halves() -> AsyncIterator[bytes]:
        yield b"half"
        raise ValueError("the other half")

    await StreamingResponse(halves())(_scope, receive, send)


async def test_an_answer_that_breaks_off_is_logged_and_breaks_off_for_the_client_too() -> None:
    transport = httpx.ASGITransport(RequestLog(LastResort(broken_stream)))
    with log_lines() as lines:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            with pytest.raises(ValueError, match="the other half"):
                await client.get("/")
    assert [line["event"] for line in lines if line["level"] == "ERROR"] == ["request failed"]


async def test_a_start_that_fails_is_not_hidden(tmp_path: Path) -> None:
    file = tmp_path / "no_folder"
    file.write_text("")
    settings = Settings(_env_file=None, secret_key=SECRET_KEY, data_dir=file)
    with pytest.raises(EmbeddedPostgresError):
        async with started(settings):
            pass


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    configure_logging("INFO")
    root.handlers = handlers


def written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], write: Callable[[], None], *, terminal: bool
) -> list[str]:
    """The lines on stderr that `write` gives, with a terminal there or without."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    configure_logging("INFO")
    write()
    return capsys.readouterr().err.splitlines()


def fail() -> None:
    try:
        int("why")
    except ValueError:
        structlog.stdlib.get_logger("ours").exception("it failed", movie=7)
        logging.getLogger("theirs").exception("it failed with %s", 8)


@pytest.mark.usefixtures("logging_as_it_was")
def test_lines_are_json_with_the_traceback_in_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = (json.loads(line) for line in written(monkeypatch, capsys, fail, terminal=False))
    assert (ours["event"], ours["movie"], ours["logger"], ours["level"]) == ("it failed", 7, "ours", "error")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("it failed with 8", "theirs", "error")
    for line in (ours, theirs):
        assert "ValueError: invalid literal" in line["exception"]
        assert line["timestamp"].endswith("Z")


@pytest.mark.usefixtures("logging_as_it_was")
def test_on_a_terminal_lines_are_for_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = written(monkeypatch, capsys, lambda: structlog.get_logger("ours").info("hello", movie=7), terminal=True)
    assert "hello" in lines[0]
    with pytest.raises(json.JSONDecodeError):
        json.loads(lines[0])


@pytest.mark.usefixtures("logging_as_it_was")
def test_lines_below_the_level_and_an_http_clients_urls_are_not_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write() -> None:
        structlog.stdlib.get_logger("ours").debug("detail")
        logging.getLogger("theirs").debug("detail")
        logging.getLogger("httpx").info("HTTP Request: GET https://example.com/?apikey=secret")
        logging.getLogger("aiohttp.client").info("https://example.com/?apikey=secret")

    assert written(monkeypatch, capsys, write, terminal=False) == []
