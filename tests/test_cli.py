"""The command line, as processes: what a new user types, and what ends it."""

import asyncio
import signal
import socket
import stat
import subprocess
from pathlib import Path

import httpx
import pytest
from sqlalchemy import URL

from tests.conftest import SECRET_KEY
from tests.doubles.claude_titles import KEY as CLAUDE_KEY
from tests.doubles.claude_titles import TitlesByClaude
from tests.doubles.omdb import KEY, OmdbDouble
from tests.processes import free_port, in_this_process, movie_finder, running

pytestmark = pytest.mark.usefixtures("unset_secret_key")


@pytest.fixture
def unset_secret_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where nothing is configured."""
    monkeypatch.delenv("SECRET_KEY")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout in a path with a space."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    return folder


def servers(folder: Path) -> str:
    """The database servers that run for `folder`, as the process table shows them."""
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    cluster = (folder / ".data" / "postgres" / "data").resolve()
    return "\n".join(line for line in listing.splitlines() if str(cluster) in line)


def test_run_makes_all_that_is_missing_ctrl_c_stops_all_of_it_and_kill_9_spoils_nothing(folder: Path) -> None:
    with running("run", folder) as service:
        printed = service.log.read_text()
        assert "Loaded the sample catalogue: " in printed
        assert f"{service.url}/api/swagger/" in printed
        found = httpx.post(f"{service.url}/movies/search/", json={"expression": "seven samurai"})
        assert found.headers["X-Search-Source"] == "catalogue"
        assert [movie["imdb_id"] for movie in found.json()] == ["tt0047478"]
        assert service.stop(signal.SIGINT) == 0
    key = folder / ".data" / "secret_key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "Traceback" not in service.log.read_text()
    assert not servers(folder)

    kept = key.read_text()
    with running("run", folder) as killed:
        killed.stop(signal.SIGKILL)

    with running("run", folder) as again:
        assert "Loaded the sample catalogue" not in killed.log.read_text() + again.log.read_text()
        assert httpx.get(f"{again.url}/movies/").json()["count"] > 250
        assert again.stop(signal.SIGTERM) == 0
    assert key.read_text() == kept
    assert not servers(folder)


def test_two_checkouts_run_side_by_side_and_a_configured_key_is_used_and_none_is_made(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    (other / ".env").write_text(f"SECRET_KEY={SECRET_KEY}\n")
    with running("run", one) as first, running("run", other) as second:
        assert httpx.get(f"{first.url}/movies/").status_code == 200
        first.stop()
        assert httpx.get(f"{second.url}/movies/").status_code == 200
    assert (one / ".data" / "secret_key").exists()
    assert not (other / ".data" / "secret_key").exists()


def test_a_taken_port_is_said_in_one_line_before_anything_starts(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = in_this_process(folder, "run", "--port", str(port))
    assert refused.returncode == 1
    assert refused.stderr == (
        f"movie-finder: cannot listen on 127.0.0.1:{port}: Address already in use; choose another with PORT=\n"
    )
    assert not (folder / ".data" / "postgres").exists()


def test_serve_refuses_to_start_without_a_key(folder: Path) -> None:
    refused = in_this_process(folder, "serve", "--port", str(free_port()))
    assert refused.returncode == 1
    assert refused.stderr.startswith("movie-finder: SECRET_KEY is not set")
    assert refused.stderr.count("\n") == 1


def test_a_database_that_is_away_ends_a_command_with_one_line(folder: Path) -> None:
    away = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    refused = in_this_process(folder, "load-sample", SECRET_KEY=SECRET_KEY, DATABASE_URL=away)
    assert refused.returncode == 1
    assert refused.stderr == "movie-finder: The database cannot be reached at the moment. Try again shortly.\n"
    refused = in_this_process(folder, "migrate", SECRET_KEY=SECRET_KEY, DATABASE_URL=away, LOG_LEVEL="WARNING")
    assert refused.returncode == 1
    assert refused.stderr == "movie-finder: The database cannot be reached at the moment. Try again shortly.\n"


def test_load_sample_may_be_run_again_and_again(folder: Path, empty_url: URL) -> None:
    url = empty_url.render_as_string(hide_password=False)
    for _ in range(2):
        done = in_this_process(folder, "load-sample", SECRET_KEY=SECRET_KEY, DATABASE_URL=url)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("Loaded the sample catalogue: ")
    with running("serve", folder, SECRET_KEY=SECRET_KEY, DATABASE_URL=url) as service:
        assert f"catalogue: {httpx.get(f'{service.url}/movies/').json()['count']} titles." in done.stdout


async def test_refresh_titles_keeps_to_its_budget_of_calls(folder: Path, sample_url: URL, omdb: OmdbDouble) -> None:
    environment = {
        "SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": sample_url.render_as_string(hide_password=False),
        "OMDB_API_URL": omdb.url,
        "OMDB_API_KEY": KEY,
    }
    done = await asyncio.to_thread(movie_finder, folder, "refresh-titles", "--calls", "7", **environment)
    assert done.stdout == "Refreshed 7 titles.\n", done.stderr
    assert len(omdb.looked_up) == len(set(omdb.looked_up)) == 7


def test_refresh_titles_asks_for_a_key(folder: Path, empty_url: URL) -> None:
    url = empty_url.render_as_string(hide_password=False)
    refused = in_this_process(folder, "refresh-titles", SECRET_KEY=SECRET_KEY, DATABASE_URL=url)
    assert refused.returncode == 2
    assert "OMDB_API_KEY or IMDB_API_KEY must be set" in refused.stderr


async def test_an_upstream_that_refuses_the_key_ends_the_refresh_with_one_line(
    folder: Path, sample_url: URL, omdb: OmdbDouble
) -> None:
    environment = {
        "SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": sample_url.render_as_string(hide_password=False),
        "OMDB_API_URL": omdb.url,
        "OMDB_API_KEY": "another-key",
    }
    refused = await asyncio.to_thread(movie_finder, folder, "refresh-titles", **environment)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == "movie-finder: omdb: refused"
    assert "another-key" not in refused.stderr


async def test_refresh_top_has_claude_choose_the_top_movies(folder: Path, sample_url: URL) -> None:
    environment = {
        "SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": sample_url.render_as_string(hide_password=False),
        "ANTHROPIC_API_KEY": CLAUDE_KEY,
    }
    async with TitlesByClaude("Seven Samurai", "Casablanca", "No such film") as claude:
        environment["ANTHROPIC_BASE_URL"] = claude.url
        done = await asyncio.to_thread(movie_finder, folder, "refresh-top", **environment)
    assert done.stdout == "Refreshed the top movies: 2.\n", done.stderr


def test_refresh_top_says_why_nothing_has_come_of_it(folder: Path, empty_url: URL) -> None:
    url = empty_url.render_as_string(hide_password=False)
    refused = in_this_process(folder, "refresh-top", SECRET_KEY=SECRET_KEY, DATABASE_URL=url)
    assert refused.returncode == 1
    assert refused.stderr == "movie-finder: ANTHROPIC_API_KEY is not set: the most liked movies are shown.\n"


def test_no_command_lists_the_commands(folder: Path) -> None:
    shown = in_this_process(folder)
    for command in ("run", "serve", "migrate", "load-sample", "refresh-titles", "refresh-top"):
        assert command in shown.stdout + shown.stderr
