"""A title's keys: what makes no difference, and what does."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.movies.title_keys import KEY_LENGTH, askable, beginnings, first_year, main_title, title_key, title_keys

SAME = [
    ("The Matrix", "Matrix, The", "the  matrix", "Matrix", "THE MATRIX (1999)"),
    ("Amélie", "Amelie", "AME\u0301LIE"),
    ("L'Avventura", "Avventura, L'", "L\u2019avventura", "Avventura"),
    ("Les Misérables", "Misérables, Les", "Miserables"),
    ("Der Untergang", "Untergang, Der", "untergang"),
    ("El laberinto del fauno", "Laberinto del fauno, El"),
    ("Fast & Furious", "Fast and Furious"),
    ("Romeo + Juliet", "Romeo & Juliet"),
    ("Rocky II", "Rocky 2", "Rocky Two"),
    ("Alien\u00b3", "Alien 3", "Alien III"),
    ("The Godfather: Part II", "The Godfather Part 2", "Godfather, The: Part II", "The Godfather, Pt. II"),
    ("Star Wars: Episode V - The Empire Strikes Back", "Star Wars Episode 5: The Empire Strikes Back"),
    ("Spider-Man: No Way Home", "Spiderman - No Way Home", "Spider Man: No Way Home"),
    ("WALL\u00b7E", "WALL-E", "Wall E", "Walle"),
    ("Schindler's List", "Schindlers List", "Schindler\u2019s List"),
    ("S.W.A.T.", "SWAT"),
    ("L.A. Confidential", "LA Confidential"),
    ("A.I. Artificial Intelligence", "AI: Artificial Intelligence"),
    ("Dr. No", "Doctor No"),
    ("Kill Bill: Vol. 1", "Kill Bill Volume 1"),
    ("Scott Pilgrim vs. the World", "Scott Pilgrim versus the World"),
    ("Smørrebrød", "Smorrebrod"),
    ("Laß die Köchin in Ruh!", "Lass die Kochin in Ruh"),
    ("12 Monkeys", "Twelve Monkeys"),
    ("Dr. Strangelove or", "Dr. Strangelove"),
    ("The Lord of the Rings: The Two Towers", "Lord of the Rings, The - The Two Towers"),
]
DIFFERENT = [
    ("Rocky II", "Rocky III"),
    ("V for Vendetta", "5 for Vendetta"),
    ("X-Men", "10 Men"),
    ("La La Land", "Land"),
    ("Alien", "Aliens"),
    ("???", "!!!"),
    ("कि", "का"),
]
HOSTILE = [
    "\x00",
    "a\x00b",
    "\ud800",
    "x\udfffy",
    "x" * 10_000,
    "(" * 10_000,
    "or " * 4_000,
    ", The" * 2_000,
    " - " * 3_000,
    "the " * 3_000,
    "???",
    "…",
    "'",
    "(",
    "(1999)",
    "The",
    "The The",
    "A",
    ", The",
    "L'",
    ":",
    " or ",
    "",
    "   ",
    "\u0301",
    "\u202e\u05d4\u05de\u05d8\u05e8\u05d9\u05e7\u05e1",
    "المصفوفة",
    "🎬🍿",
    "[a-z]+(.*)\\1$",
    "%_\\",
    "\ufdfa" * 500,
]


@pytest.mark.parametrize("titles", SAME, ids=lambda titles: titles[0])
def test_ways_to_write_one_title_have_one_key(titles: tuple[str, ...]) -> None:
    assert {title_key(title) for title in titles} == {title_key(titles[0])}


@pytest.mark.parametrize("titles", DIFFERENT, ids=lambda titles: titles[0])
def test_other_titles_have_other_keys(titles: tuple[str, str]) -> None:
    assert title_key(titles[0]) != title_key(titles[1])


def test_a_title_of_one_article_or_of_punctuation_alone_has_a_key() -> None:
    assert title_key("The") == title_key("the") == "the"
    assert title_key("???") == "???"
    assert title_key(" \x00 ") == title_key("\u0301") == ""


def test_keys_are_those_of_the_whole_title_and_of_what_a_cut_leaves() -> None:
    assert title_keys("Star Wars: Episode V - The Empire Strikes Back") == [
        "starwarsepisode5empirestrikesback",
        "starwars",
        "starwarsepisode5",
        "starwarsempirestrikesback",
        "episode5empirestrikesback",
        "empirestrikesback",
    ]
    assert title_keys("3:10 to Yuma") == ["310toyuma"]
    assert title_keys("Dr. Strangelove or: How I Learned to Stop Worrying")[1] == "drstrangelove"
    assert title_keys("Birdman or (The Unexpected Virtue of Ignorance)")[1] == "birdman"
    assert title_keys("") == [""]
    assert beginnings("Kill Bill: Vol. 1") == ["killbill"]
    assert beginnings("Inception") == []


def test_a_title_is_asked_for_with_its_article_in_front_and_no_year_behind() -> None:
    assert askable("Matrix, The (1999)") == "The Matrix"
    assert askable("Avventura,  L'") == "L'Avventura"
    assert askable("Lord of the Rings, The: The\u00a0Two\tTowers") == "The Lord of the Rings: The Two Towers"
    assert main_title("Lord of the Rings, The: The Two Towers") == "The Lord of the Rings"
    assert main_title("WALL\u00b7E") == "WALL\u00b7E"
    assert main_title("Wallace and Gromit: The Wrong Trousers") == "Wallace & Gromit"
    assert main_title("Escape from LA II") == "Escape from L.A. II"
    assert main_title("Oliver & Company") == "Oliver and Company"
    assert askable("a\x00\ud800b") == "a b"


def test_the_first_year_of_a_span_is_the_year() -> None:
    assert [first_year(year) for year in ("1997\u20132007", "2010", "N/A", None)] == [1997, 2010, None, None]


@pytest.mark.parametrize("title", HOSTILE, ids=lambda title: ascii(title)[:20])
def test_no_title_breaks_or_holds_up_the_keys(title: str) -> None:
    begin = time.perf_counter()
    for text in (*title_keys(title), *beginnings(title), title_key(askable(title)), title_key(main_title(title))):
        assert len(text) <= KEY_LENGTH
        text.encode()  # no lone surrogate
        assert "\x00" not in text
    assert time.perf_counter() - begin < 5


@given(st.text(st.characters(exclude_categories=()), max_size=80))
def test_case_accents_and_spaces_make_no_difference_in_any_title(title: str) -> None:
    key = title_key(title)
    assert title_keys(title)[0] == key
    assert title_key(f"  {title}  ") == key
    assert title_key(unicodedata.normalize("NFC", title)) == key
    key.encode()


@given(st.lists(st.from_regex(r"[A-Z][a-z]{3,9}", fullmatch=True), min_size=1, max_size=5))
def test_a_moved_article_and_punctuation_between_words_make_no_difference(words: list[str]) -> None:
    title = " ".join(words)
    key = title_key(f"The {title}")
    assert title_key(f"{title}, The") == title_key(title.lower()) == title_key("The " + "-".join(words)) == key
