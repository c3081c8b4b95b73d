"""What is understood of a question without Claude."""

import pytest

from app.ai.wording import FIRST_YEAR, LAST_YEAR, MOST_CONCEPTS, understand

YEARS = {
    "space movies from the 90s": (1990, 1999),
    "nineties": (1990, 1999),
    "the '90s": (1990, 1999),
    "90's rom-coms": (1990, 1999),
    "the best of the 2010s": (2010, 2019),
    "00s": (2000, 2009),
    "10s": (2010, 2019),
    "noughties comedies": (2000, 2009),
    "two thousands": (2000, 2009),
    "20s": (1920, 1929),
    "early 80s": (1980, 1983),
    "mid-1970s": (1974, 1976),
    "late sixties": (1966, 1969),
    "before 1980": (FIRST_YEAR, 1979),
    "pre-1940": (FIRST_YEAR, 1939),
    "before the 60s": (FIRST_YEAR, 1959),
    "older than 1950": (FIRST_YEAR, 1949),
    "until 1950": (FIRST_YEAR, 1950),
    "up to the fifties": (FIRST_YEAR, 1959),
    "after 2005": (2006, LAST_YEAR),
    "after the 80s": (1990, LAST_YEAR),
    "since 2010": (2010, LAST_YEAR),
    "from the 1950s onwards": (1950, LAST_YEAR),
    "from 1999 to 2003": (1999, 2003),
    "between 1999 and 2003": (1999, 2003),
    "1999-2003": (1999, 2003),
    "1999 – 2003": (1999, 2003),  # noqa: RUF001
    "80s and 90s": (1980, 1999),
    "60s or 70s": (1960, 1979),
    "in 1994": (1994, 1994),
    "released in 1994": (1994, 1994),
    "after 1990 and before 1995": (1991, 1994),
    "２０００s": (2000, 2009),  # noqa: RUF001 - full width, as Japanese keyboards write it
}


@pytest.mark.parametrize("words", YEARS)
def test_years_and_decades_are_understood(words: str) -> None:
    assert understand(words).years == YEARS[words]


@pytest.mark.parametrize(
    "words",
    [
        "2001 a space odyssey",
        "blade runner 2049",
        "1917",
        "7 samurai",
        "after 90 and before 10",
        "se7en",
        "before 1950 and after 1990",
        "12345s",
        "x90s",
        "",
    ],
)
def test_a_number_is_no_year_by_itself(words: str) -> None:
    assert understand(words).years is None


def test_what_says_nothing_of_films_is_no_part_of_the_wish() -> None:
    assert understand("Please show me something really good, like a movie about the thing!").concepts == ()


@pytest.mark.parametrize(
    ("words", "concepts"),
    [
        ("Sci-Fi", ["'Sci-Fi':C"]),
        ("science fiction", ["'Sci-Fi':C"]),
        ("romantic comedies", ["'Romance':C", "'Comedy':C"]),
        ("film noir", ["'Film-Noir':C"]),
        ("Korean thriller", ["'South Korea':C | korean:D", "'Thriller':C"]),
        ("Amélie", ["amelie"]),
        ("dog's life", ["dog | puppy", "life"]),
        ("a & b | !(c) <-> 'd' \\ :*", ["b", "c"]),
        ("war war WAR", ["war"]),
    ],
)
def test_words_are_looked_for_as_the_catalogue_has_them(words: str, concepts: list[str]) -> None:
    assert list(understand(words).concepts) == concepts


def test_words_side_by_side_may_be_a_name() -> None:
    assert understand("a comedy with Tom Hanks and Meg Ryan").pairs == ("tom <-> hanks", "meg <-> ryan")


@pytest.mark.parametrize(
    ("words", "series"),
    [("a tv series", True), ("sitcoms", True), ("television shows", True), ("a series of murders", False)],
)
def test_a_series_may_be_asked_for(words: str, series: bool) -> None:  # noqa: FBT001
    assert understand(words).series is series


def test_a_long_question_has_its_bounds() -> None:
    wish = understand(" ".join(f"w{n}" for n in range(60)))
    assert (len(wish.concepts), len(wish.pairs)) == (MOST_CONCEPTS, MOST_CONCEPTS)
