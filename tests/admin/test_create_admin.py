"""`movie-finder create-admin`, as a process."""

import asyncio
import os
import pty
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from app.admin.administration import Administration, Refused
from app.auth.passwords import Passwords
from tests.admin.conftest import ADA, PASSWORD, Site
from tests.conftest import CHEAP, ROOT, SECRET_KEY, new_database
from tests.processes import in_this_process, movie_finder


def create_admin(
    folder: Path, url: URL, *arguments: str, by: Callable[..., subprocess.CompletedProcess[str]] = movie_finder
) -> subprocess.CompletedProcess[str]:
    database = url.render_as_string(hide_password=False)
    return by(folder, "create-admin", *arguments, SECRET_KEY=SECRET_KEY, DATABASE_URL=database)


async def test_the_first_administrator_logs_in(
    site: Site, staffed_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECRET_KEY")
    # The key that `movie-finder run` has made.
    (tmp_path / ".data").mkdir()
    (tmp_path / ".data" / "secret_key").write_text(SECRET_KEY)
    database = staffed_url.render_as_string(hide_password=False)
    arguments = ("create-admin", "--email", "Root@Example.com", "--password", PASSWORD)
    made = await asyncio.to_thread(movie_finder, tmp_path, *arguments, DATABASE_URL=database)
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout == "root@example.com is an administrator now.\n"
    stored = await site.scalar("SELECT password FROM users WHERE email = 'root@example.com'")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    visitor = site.visitor()
    await visitor.log_in("root@example.com")
    assert await visitor.is_in()
    info = (await site.personal_info((await site.tokens("root@example.com"))["access"])).json()
    assert (info["account_tier"]["code"], info["email_verified"]) == ("admin", True)


async def test_an_account_that_exists_is_raised_and_its_sessions_end(
    site: Site, staffed_url: URL, tmp_path: Path
) -> None:
    access, new = (await site.tokens())["access"], "a short swim at noon"
    await site.execute("UPDATE users SET is_active = false WHERE id = 2")
    made = await asyncio.to_thread(create_admin, tmp_path, staffed_url, "--email", ADA.upper(), "--password", new)
    assert made.stdout == f"{ADA} is an administrator now, with a new password.\n"
    assert (await site.personal_info(access)).status_code == 401
    visitor = site.visitor()
    await visitor.log_in(ADA, new)
    assert await visitor.is_in()
    assert (await site.personal_info((await site.tokens(password=new))["access"])).json()["id"] == 2


async def test_the_password_is_asked_for_twice_and_not_shown(staffed_url: URL, tmp_path: Path) -> None:
    shown = await asyncio.to_thread(_type, tmp_path, staffed_url, [PASSWORD, "another one", PASSWORD, PASSWORD])
    assert "do not match" in shown
    assert "root@example.com is an administrator now." in shown
    assert PASSWORD not in shown


def _type(folder: Path, url: URL, lines: list[str]) -> str:
    """What a terminal shows to somebody who types these lines, each at its prompt."""
    ours, theirs = pty.openpty()
    environment = {"PYTHONPATH": str(ROOT), "SECRET_KEY": SECRET_KEY}
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "create-admin", "--email", "root@example.com"],
        cwd=folder,
        env={**os.environ, **environment, "DATABASE_URL": url.render_as_string(hide_password=False)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,  # so that getpass finds no other terminal
    )
    os.close(theirs)
    shown = ""
    late = threading.Timer(30, process.kill)
    late.start()
    with suppress(OSError):  # so Linux says that the other side is closed
        while chunk := os.read(ours, 4096).decode():
            shown += chunk
            if lines and shown.endswith(("Password: ", "The same once more: ")):
                os.write(ours, f"{lines.pop(0)}\n".encode())
    late.cancel()
    os.close(ours)
    assert process.wait(30) == 0, shown
    return shown


def test_the_rules_are_those_of_a_signup(staffed_url: URL, tmp_path: Path) -> None:
    refused = create_admin(tmp_path, staffed_url, "--email", "no address", "--password", "12345678", by=in_this_process)
    assert refused.returncode == 1
    assert refused.stderr.startswith("movie-finder: email: value is not a valid email address")
    assert "; password: A password of digits alone" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.fixture
async def bare_url(administrator: AsyncEngine) -> AsyncIterator[URL]:
    """A database that was never migrated."""
    async with new_database(administrator) as url:
        yield url


def test_a_database_that_is_not_ready_is_said_in_one_line(bare_url: URL, tmp_path: Path) -> None:
    arguments = ("--email", "root@example.com", "--password", PASSWORD)
    refused = create_admin(tmp_path, bare_url, *arguments, by=in_this_process)
    assert refused.stderr == "movie-finder: the database is not migrated: run `movie-finder migrate` first\n"


async def test_without_a_tier_for_administrators_none_is_made(site: Site) -> None:
    await site.execute("UPDATE account_tiers SET code = 'other' WHERE code = 'admin'")
    with pytest.raises(Refused, match="there is no tier with the code admin: add it first"):
        await Administration(site.database).make_administrator("root@example.com", PASSWORD, Passwords(CHEAP))
