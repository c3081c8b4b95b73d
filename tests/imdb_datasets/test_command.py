"""`movie-finder import-imdb`, as somebody types it."""

import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from app.cli.progress import Lines
from app.imdb_datasets.files import BASICS
from app.imdb_datasets.problems import DatasetImportStopped
from tests.conftest import SECRET_KEY, new_database
from tests.imdb_datasets.conftest import Catalogue, Files, title
from tests.processes import in_this_process

REPORT = "Titles: 1 read, 1 taken\n  1 new, 0 updated, 0 as before\n"


def run(files: Files, url: URL, *options: str, **environment: str) -> tuple[int, str, str]:
    """The command's exit status, what it printed, and what it said beside that."""
    address = url.render_as_string(hide_password=False)
    done = in_this_process(
        files.folder,
        "import-imdb",
        str(files.folder),
        *options,
        SECRET_KEY=SECRET_KEY,
        DATABASE_URL=address,
        **environment,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_folder_is_loaded_with_lines_for_a_log(files: Files, empty_url: URL) -> None:
    files.write_inception()
    status, printed, said = run(files, empty_url)
    assert (status, printed) == (0, REPORT)
    assert '"step": "names"' in said
    assert '"step": "titles"' in said


def test_at_a_terminal_there_is_a_bar(files: Files, empty_url: URL) -> None:
    files.write_inception()
    status, printed, said = run(files, empty_url, LOG_LEVEL="ERROR", TTY_COMPATIBLE="1", COLUMNS="120")
    assert (status, printed) == (0, REPORT)
    assert "names" in said
    assert "100%" in said
    assert "1 titles, " in said


def test_options_choose(files: Files, empty_url: URL) -> None:
    files.write(BASICS, title("tt0000001", titleType="videoGame", isAdult="1"))
    status, printed, _ = run(files, empty_url, "--kinds", "game", "--adult", "--min-votes", "0", "--restart")
    assert (status, printed) == (0, REPORT)


def test_a_kind_that_there_is_not_is_refused(files: Files, empty_url: URL) -> None:
    status, _, said = run(files, empty_url, "--kinds", "opera")
    assert status == 2
    assert "must be some of movie, short, series, episode, game" in " ".join(said.replace("│", " ").split())


def test_what_stops_it_is_said_in_one_line(files: Files, empty_url: URL) -> None:
    (files.folder / BASICS.name).unlink()
    status, printed, said = run(files, empty_url)
    assert (status, printed) == (1, "")
    assert said == f"movie-finder: {files.folder / BASICS.name} cannot be read: No such file or directory\n"


async def test_a_database_that_is_not_migrated_is_refused(files: Files, administrator: AsyncEngine) -> None:
    async with new_database(administrator) as url:
        catalogue = Catalogue(url)
        with pytest.raises(DatasetImportStopped, match="run `movie-finder migrate` first"):
            await catalogue.load(files)
        await catalogue.database.close()


def test_the_lines_tell_how_long_it_will_take() -> None:
    lines = Lines(every=0)
    with capture_logs() as logged:
        lines.show("titles", 0, 100)
        lines.show("titles", 50, 100, 1000)
    assert [line["percent"] for line in logged] == [0, 50]
    assert {"titles", "titles_a_second", "seconds_left"} <= logged[1].keys()
