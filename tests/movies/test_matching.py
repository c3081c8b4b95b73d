"""Which of several candidates a title stands for."""

from dataclasses import dataclass

import pytest

from app.movies.matching import Kind, WantedTitle, best_match, is_one_typo


@dataclass(frozen=True)
class Film:
    title: str
    year: str | None = None
    type: str | None = "movie"


def match(wanted: WantedTitle, *candidates: Film) -> Film | None:
    return best_match(wanted, candidates)


OLD, NEW = Film("Sabrina", "1954"), Film("Sabrina", "1995")
NEW_HOPE = Film("Star Wars: Episode IV - A New Hope", "1977")
EMPIRE = Film("Star Wars: Episode V - The Empire Strikes Back", "1980")


def test_a_remake_is_another_film() -> None:
    for candidates in ((OLD, NEW), (NEW, OLD)):
        assert match(WantedTitle("Sabrina", year=1995), *candidates) == NEW
        assert match(WantedTitle("Sabrina", year=1953), *candidates) == OLD
        assert match(WantedTitle("Sabrina", year=1997), *candidates) is None


def test_an_exact_year_comes_before_one_that_is_off_by_one() -> None:
    before, exact, after = (Film("The Thing", str(year)) for year in (1981, 1982, 1983))
    assert match(WantedTitle("the thing", year=1982), before, after, exact) == exact
    assert match(WantedTitle("the thing", year=1984), before, after, exact) == after


def test_with_the_same_year_the_closer_title_is_taken_and_of_equals_the_first() -> None:
    plain, moved, other = Film("Thing", "1982"), Film("The Thing", "1982"), Film("THE THING", "1982")
    assert match(WantedTitle("The Thing", year=1982), plain, moved, other) == moved
    assert match(WantedTitle("The Thing", year=1982), plain, other, moved) == other


def test_a_candidate_without_a_year_is_not_the_film_of_a_year() -> None:
    assert match(WantedTitle("Sabrina", year=1995), Film("Sabrina")) is None


def test_without_a_year_only_the_whole_title_counts_and_the_first_is_taken() -> None:
    assert match(WantedTitle("Sabrina"), NEW, OLD) == NEW
    assert match(WantedTitle("Star Wars"), NEW_HOPE) is None
    assert match(WantedTitle("Inglorious Basterds"), Film("Inglourious Basterds", "2009")) is None


@pytest.mark.parametrize(
    ("wanted", "title"),
    [
        ("Star Wars", "Star Wars: Episode IV - A New Hope"),
        ("A New Hope", "Star Wars: Episode IV - A New Hope"),
        ("Star Wars: A New Hope", "Star Wars: Episode IV - A New Hope"),
        ("Star Wars: Episode IV", "Star Wars: Episode IV - A New Hope"),
        ("Star Wars: Episode IV - A New Hope", "Star Wars"),
        ("Inglorious Basterds", "Inglourious Basterds"),
    ],
)
def test_a_subtitle_or_a_letter_may_lack_in_the_very_year_alone(wanted: str, title: str) -> None:
    film = Film(title, "1977")
    assert match(WantedTitle(wanted, year=1977), film) == film
    assert match(WantedTitle(wanted, year=1978), film) is None


def test_a_cut_title_becomes_no_other_sequel() -> None:
    assert match(WantedTitle("Star Wars", year=1979), NEW_HOPE, EMPIRE) is None
    assert match(WantedTitle("Star Wars", year=1980), NEW_HOPE, EMPIRE) == EMPIRE
    whole = Film("Star Wars", "1981")
    assert match(WantedTitle("Star Wars", year=1980), EMPIRE, whole) == whole


def test_of_two_that_lack_a_subtitle_none_is_taken_unless_one_alone_is_a_film() -> None:
    first, second = Film("Wallace & Gromit: A Close Shave", "1995"), Film("Wallace & Gromit: The Best", "1995")
    wanted = WantedTitle("Wallace and Gromit", year=1995)
    assert match(wanted, first, second) is None
    assert match(wanted, first, Film("Wallace & Gromit: The Best", "1995", "series")) == first
    # The same title misspelt and cut is as uncertain as two that are cut.
    assert match(wanted, first, Film("Wallace & Grommit", "1995")) is None


def test_a_series_is_no_film_of_the_name_and_episodes_and_games_are_neither() -> None:
    film, series = Film("Chernobyl", "2019"), Film("Chernobyl", "2019–2020", "series")  # noqa: RUF001
    assert match(WantedTitle("Chernobyl", year=2019), series, film) == film
    assert match(WantedTitle("Chernobyl", year=2019), series) == series
    for kind in ("episode", "game"):
        assert match(WantedTitle("Chernobyl", year=2019), Film("Chernobyl", "2019", kind)) is None


@pytest.mark.parametrize("kind", ["movie", "series", "episode", "game"])
def test_a_kind_that_is_asked_for_is_the_only_one_taken(kind: Kind) -> None:
    kinds = {name: Film("Chernobyl", "2019", name) for name in ("movie", "series", "episode", "game")}
    assert match(WantedTitle("Chernobyl", year=2019, kind=kind), *kinds.values()) == kinds[kind]
    del kinds[kind]
    assert match(WantedTitle("Chernobyl", year=2019, kind=kind), *kinds.values()) is None
    unknown = Film("Chernobyl", "2019", None)
    assert match(WantedTitle("Chernobyl", year=2019, kind=kind), unknown) == unknown


def test_the_original_title_counts_as_well() -> None:
    wanted = WantedTitle("Spirited Away", original_title="Sen to Chihiro no kamikakushi", year=2001)
    for title in ("Spirited Away", "Sen to Chihiro no Kamikakushi"):
        assert match(wanted, Film(title, "2001")) is not None
    assert WantedTitle("Heat", original_title="HEAT").names == ["Heat"]


@pytest.mark.parametrize(
    ("wanted", "title", "one_typo"),
    [
        ("schindlerslist", "schindleralost", False),  # two letters wrong
        ("schindlerslist", "schindelrlist", False),
        ("schindlerslist", "schinlderslist", True),  # swapped
        ("schindlerslist", "schindllerslist", True),  # too many
        ("schindlerslist", "schinderslist", True),  # missing
        ("schindlerslist", "schindlezslist", True),  # wrong
        ("schindlerslist", "schindlerslists", False),  # the last letter
        ("schindlerslist", "zchindlerslist", False),  # the first
        ("blackhat", "blackcat", True),
        ("matrix", "matrlx", False),  # too short
        ("rockybalboa2", "rockybalboa3", False),  # another number
        ("apollo13moon", "apollo1moon", False),
        ("schindlerslist", "schindlerslist", True),
    ],
)
def test_one_typo_is_one_edit_within_a_longer_title(wanted: str, title: str, one_typo: bool) -> None:  # noqa: FBT001
    assert is_one_typo(wanted, title) is one_typo


@pytest.mark.parametrize("title", ["", "\x00", "\u0301"])
def test_nothing_matches_a_title_of_nothing(title: str) -> None:
    assert match(WantedTitle(title, year=1995), NEW, Film(title, "1995")) is None
    assert match(WantedTitle("Sabrina", year=1995), Film(title, "1995")) is None
