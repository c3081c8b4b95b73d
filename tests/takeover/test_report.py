"""What the person who moves over is told."""

import asyncio
from pathlib import Path

from app.takeover.findings import Finding
from app.takeover.report import Line, Report
from tests.accounts import Service
from tests.conftest import SECRET_KEY
from tests.doubles.django import DjangoDatabase
from tests.processes import movie_finder
from tests.takeover.awkward import INCEPTION


async def test_the_command_prints_both_sides_numbers_and_what_it_could_not_take(
    django: DjangoDatabase, service: Service, tmp_path: Path
) -> None:
    await django.add("auth_app_user", id=1, email="Ada@example.com")
    await django.add("auth_app_user", id=2, email="ada@example.com")
    await django.add("movie_movie", **INCEPTION)
    url = service.url.render_as_string(hide_password=False)
    environment = {"SECRET_KEY": SECRET_KEY, "DATABASE_URL": url, "LOG_LEVEL": "ERROR"}
    done = await asyncio.to_thread(movie_finder, tmp_path, "import-django", django.dsn, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    table, left_out, not_moved = done.stdout.split("\n\n")
    shown = [line.split() for line in table.splitlines()]
    assert shown[0] == ["there", "new", "updated", "as", "before", "left", "out", "here"]
    assert ["users", "2", "1", "0", "0", "1", "1"] in shown
    assert ["movies", "1", "1", "0", "0", "0", "1"] in shown
    assert left_out == "Left out:\n  users: 1, the address of user 1 in other capitals (id 2)"
    assert not_moved.startswith("Not moved: ")


def test_many_reasons_are_summed_up_and_examples_end_with_dots() -> None:
    reasons = {f"user {number} was left out": Finding(7, [1, 2, 3, 4, 5]) for number in range(12)}
    line = Line("likes", there=1234, left_out=84, here=2000, new=1000, updated=50)
    text = str(Report([line], {"likes": reasons}, {("users", "a change"): Finding(1, [3])}))
    assert "likes  1,234  1,000       50        100        84  2,000" in text
    assert text.count("was left out (id 1, 2, 3, 4, 5, …)") == 10
    assert "  likes: 14 more, for 2 more reasons\n" in text
    assert "Taken with a change:\n  users: 1, a change (id 3)" in text
