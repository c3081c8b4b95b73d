"""What becomes of IMDb's titles."""

from decimal import Decimal

import pytest

from app.imdb_datasets.choice import Choice, parse_kinds
from app.imdb_datasets.files import AKAS, BASICS, CREW, NAMES, PRINCIPALS, RATINGS
from app.imdb_datasets.titles import MOST_NAMES, MOST_OTHER_TITLES
from app.movies.repository import title_columns
from tests.imdb_datasets.conftest import EVERYTHING, Catalogue, Files, N, title


async def test_a_title_is_stored_whole(files: Files, catalogue: Catalogue) -> None:
    files.write_inception()
    report = await catalogue.load(files)
    assert str(report) == "Titles: 1 read, 1 taken\n  1 new, 0 updated, 0 as before"
    movie = await catalogue.movie("tt1375666")
    assert {
        "title": "Inception",
        **title_columns("Inception"),
        "year": "2010",
        "type": "movie",
        "runtime": "148 min",
        "imdb_rating": Decimal("8.8"),
        "imdb_votes": 2_400_000,
        "genres": ["Action", "Sci-Fi"],
        "directors": ["Christopher Nolan"],
        "writers": ["Christopher Nolan"],
        "actors": ["Leonardo DiCaprio", "Joseph Gordon-Levitt"],
        "refreshed_at": None,
    }.items() <= movie.items()
    assert await catalogue.rows("SELECT folded_title, votes FROM titles WHERE NOT is_main") == [("poczatek", 2_400_000)]
    genres = "SELECT name FROM genres JOIN movie_genres ON genre_id = id ORDER BY name"
    assert await catalogue.rows(genres) == [("Action",), ("Sci-Fi",)]
    assert await catalogue.value("SELECT count(*) FROM movie_counts") == 1
    assert await catalogue.value("SELECT count(*) FROM imdb_import_batches") == 0


@pytest.mark.parametrize(
    ("kind", "start", "end", "year", "ours"),
    [
        ("movie", "2010", N, "2010", "movie"),
        ("video", "2010", "2012", "2010", "movie"),
        ("tvSeries", "2008", "2013", "2008–2013", "series"),  # noqa: RUF001
        ("tvSeries", "2023", N, "2023–", "series"),  # noqa: RUF001
        ("tvMiniSeries", "2019", "2019", "2019", "series"),
        ("tvMovie", N, N, None, "movie"),
    ],
)
async def test_years_and_types_are_written_as_omdb_writes_them(
    files: Files, catalogue: Catalogue, kind: str, start: str, end: str, year: str | None, ours: str
) -> None:
    files.write(BASICS, title("tt0000001", titleType=kind, startYear=start, endYear=end))
    await catalogue.load(files)
    assert await catalogue.rows("SELECT year, type FROM movies") == [(year, ours)]


async def test_what_is_chosen_is_taken_and_the_rest_counted(files: Files, catalogue: Catalogue) -> None:
    kinds = ["movie", "short", "tvSeries", "tvEpisode", "videoGame", "movie", "movie"]
    files.write(
        BASICS,
        *(title(f"tt000000{n}", str(n), titleType=kind) for n, kind in enumerate(kinds, 1)),
        title("tt0000008", "8", isAdult="1"),
    )
    files.write(RATINGS, *([f"tt000000{n}", "5.5", "7"] for n in (1, 2, 3, 4, 5, 8)), ["tt0000009", "5.5", "7"])
    files.write(RATINGS, *([f"tt000000{n}", "5.5", "4" if n == 7 else "7"] for n in (1, 2, 3, 4, 5, 7, 8)))
    report = await catalogue.load(files, Choice())
    assert await catalogue.rows("SELECT title FROM movies ORDER BY id") == [("1",), ("3",)]
    assert str(report) == (
        "Titles: 8 read, 2 taken\n  2 new, 0 updated, 0 as before\nLeft out:\n  3 of another kind\n"
        "  1 without a rating\n  1 with fewer than 5 votes\n  1 for adults"
    )
    await catalogue.load(files, Choice(kinds=parse_kinds(" game,short "), adult=True, min_votes=0))
    assert await catalogue.rows("SELECT title, type FROM movies WHERE id > 2 ORDER BY imdb_id") == [
        ("2", "movie"),
        ("5", "game"),
    ]
    await catalogue.load(files, Choice(adult=True, min_votes=0))
    assert await catalogue.value("SELECT count(*) FROM movies") == 7


async def test_actors_are_those_billed_first_and_people_without_a_name_are_passed_over(
    files: Files, catalogue: Catalogue
) -> None:
    files.write(BASICS, title("tt0000001"))
    files.write(CREW, ["tt0000001", N, "nm0000099,nm0000003,nm0000003,nm123456789,nm"])
    cast = [["tt0000001", str(n), f"nm{n:07}", "self" if n % 2 else "actress", N, N] for n in range(14, 0, -1)]
    cast[5][3] = "archive_footage"
    files.write(PRINCIPALS, *cast)
    names = [[f"nm{n:07}", "\\N" if n == 2 else f'Person "{n}"\x00', N, N, "actor", N] for n in range(14, 0, -1)]
    files.write(NAMES, *names, ["nm0000020", "x" * 251, N, N, N, N])
    await catalogue.load(files)
    movie = await catalogue.movie("tt0000001")
    assert movie["actors"] == [f'Person "{n}"' for n in (1, 3, 4, 5, 6, 7, 8, 10, 11, 12)]
    assert len(movie["actors"]) == MOST_NAMES
    assert (movie["directors"], movie["writers"]) == ([], ['Person "3"'])


async def test_other_titles_are_kept_once_each_without_the_title_itself(files: Files, catalogue: Catalogue) -> None:
    files.write(BASICS, title("tt0000001", 'Le  "Fabuleux" \\ Destin', originalTitle="Amélie"))
    elsewhere = ["AMELIE", 'le "fabuleux" \\ destin', N, "x" * 501, *(f"Title {n}" for n in range(40))]
    files.write(AKAS, *(["tt0000001", str(n), name, "DE", N, N, N, "0"] for n, name in enumerate(elsewhere, 1)))
    await catalogue.load(files)
    assert (await catalogue.movie("tt0000001"))["title"] == 'Le "Fabuleux" \\ Destin'
    others = [row[0] for row in await catalogue.rows("SELECT folded_title FROM titles WHERE NOT is_main")]
    assert others.count("amelie") == 1
    assert MOST_OTHER_TITLES - 1 <= len(others) <= MOST_OTHER_TITLES
    assert "title 0" in others
    assert 'le "fabuleux" \\ destin' not in others


@pytest.mark.parametrize("order", [str, int])
async def test_either_order_of_ids_is_followed(files: Files, catalogue: Catalogue, order: type) -> None:
    numbers = sorted([999_999, 1_000_000, 1_000_001, 9_999_999, 10_000_000, 10_000_001], key=order)
    ids = sorted((f"tt{number:07}" for number in numbers), key=lambda tconst: order(tconst[2:]))
    files.write(BASICS, *(title(tconst, tconst) for tconst in ids))
    files.write(RATINGS, *([tconst, "7.5", tconst[-2:]] for tconst in ids))
    files.write(CREW, *([tconst, "nm0000001", N] for tconst in ids))
    files.write(NAMES, ["nm0000001", "Ida", N, N, N, N])
    await catalogue.load(files)
    found = await catalogue.rows("SELECT imdb_id, imdb_votes, directors FROM movies ORDER BY id")
    assert found == [(tconst, int(tconst[-2:]), ["Ida"]) for tconst in sorted(ids)]


async def test_a_whole_of_cinema_made_up_is_taken_as_it_is_counted(files: Files, catalogue: Catalogue) -> None:
    from bench.imdb_files import write_datasets  # noqa: PLC0415

    write_datasets(files.folder, titles=400, people=200, cast=5, mix="imdb", akas=2)
    report = await catalogue.load(files, Choice(kinds=parse_kinds("movie,short,series,episode,game"), min_votes=0))
    assert report.findings.read == 400
    assert report.taken == report.added == 400 - report.findings.left_out.total()
    assert not report.findings.broken
    wrong = [
        row
        for row in await catalogue.rows("SELECT title, folded_title, title_keys FROM movies")
        if title_columns(row[0]) != {"title": row[0], "folded_title": row[1], "title_keys": row[2]}
    ]
    assert wrong == []
    assert await catalogue.value("SELECT count(DISTINCT movie_id) FROM titles WHERE NOT is_main") == report.taken


def test_kinds_that_there_are_not_are_refused() -> None:
    assert EVERYTHING.types()[b"tvMiniSeries"] == "series"
    for text in ("", "movie,opera", ","):
        with pytest.raises(ValueError, match="must be some of movie, short, series, episode, game"):
            parse_kinds(text)
