"""An import into a catalogue that knows some of the titles."""

from decimal import Decimal

from app.imdb_datasets.files import BASICS, RATINGS
from tests.imdb_datasets.conftest import Catalogue, Files, title

KEPT = """
INSERT INTO movies (imdb_id, title, folded_title, title_keys, plot, year, actors, imdb_rating, imdb_votes, refreshed_at)
VALUES ('tt1375666', 'Inception!', 'inception!', '{inception}', 'A thief.', '2009', '{Leo}', 8.7, 2300000, now())
"""


async def test_the_same_files_change_nothing(files: Files, catalogue: Catalogue) -> None:
    files.write_inception()
    await catalogue.load(files)
    versions = "SELECT xmin::text, ctid::text FROM movies UNION ALL SELECT xmin::text, ctid::text FROM titles"
    before = await catalogue.rows(versions)
    report = await catalogue.load(files)
    assert "0 new, 0 updated, 1 as before" in str(report)
    assert await catalogue.rows(versions) == before


async def test_newer_files_change_what_has_changed_and_take_nothing_away(files: Files, catalogue: Catalogue) -> None:
    files.write_inception()
    await catalogue.load(files)
    await catalogue.execute("UPDATE movies SET plot = 'A thief.'")
    files.write_inception(votes="2500000")
    files.write(BASICS, title("tt1375666", "Inception 2", genres="Drama"), title("tt1375667", "New"))
    report = await catalogue.load(files)
    assert "1 new, 1 updated, 0 as before" in str(report)
    movie = await catalogue.movie("tt1375666")
    assert (movie["title"], movie["title_keys"]) == ("Inception 2", ["inception2"])
    assert (movie["imdb_votes"], movie["runtime"], movie["plot"]) == (2_500_000, "148 min", "A thief.")
    genres = "SELECT name FROM genres JOIN movie_genres ON genre_id = id"
    assert await catalogue.rows(genres) == [("Drama",)]


async def test_what_omdb_gave_is_kept_and_what_it_lacks_filled(files: Files, catalogue: Catalogue) -> None:
    await catalogue.execute(KEPT)
    files.write_inception()
    assert "0 new, 1 updated" in str(await catalogue.load(files))
    movie = await catalogue.movie("tt1375666")
    assert (movie["title"], movie["plot"], movie["year"], movie["actors"]) == (
        "Inception!",
        "A thief.",
        "2009",
        ["Leo"],
    )
    assert (movie["runtime"], movie["directors"]) == ("148 min", ["Christopher Nolan"])
    assert movie["genres"] == ["Action", "Sci-Fi"]
    assert (movie["imdb_rating"], movie["imdb_votes"]) == (Decimal("8.8"), 2_400_000)
    assert movie["refreshed_at"] is not None
    assert "0 new, 0 updated, 1 as before" in str(await catalogue.load(files))


async def test_fewer_votes_are_older_ones(files: Files, catalogue: Catalogue) -> None:
    await catalogue.execute(KEPT)
    files.write_inception(votes="5")
    await catalogue.load(files)
    movie = await catalogue.movie("tt1375666")
    assert (movie["imdb_rating"], movie["imdb_votes"]) == (Decimal("8.7"), 2_300_000)


async def test_a_title_that_lost_its_rating_keeps_it(files: Files, catalogue: Catalogue) -> None:
    files.write_inception()
    await catalogue.load(files)
    files.write(RATINGS)
    assert "0 new, 0 updated, 1 as before" in str(await catalogue.load(files))
    assert (await catalogue.movie("tt1375666"))["imdb_votes"] == 2_400_000
