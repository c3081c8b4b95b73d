"""What is made of a title payload: every way in which upstream says that it does not know, and every oddity."""

import dataclasses
import json
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.upstream.titles import (
    IMDB_ID,
    MAX_NAME_LENGTH,
    MAX_NAMES_LENGTH,
    MAX_TITLE_LENGTH,
    GarbledTitleError,
    Rating,
    SearchPage,
    TitleFacts,
    imdb_ids,
    is_miss,
    parse_title,
    search_page,
)
from tests.upstream.payloads import NAMES_KEYS, TEXT_FACTS, payload

ABSENT = object()
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
UNKNOWN = ["N/A", "", "   ", " N/A ", "\n", "\x00", None, 7, 7.5, True, [], ["N/A"], {}, {"a": "b"}, ABSENT]


def parsed(**changes: Any) -> TitleFacts:
    return parse_title({key: value for key, value in payload(**changes).items() if value is not ABSENT})


def texts(facts: TitleFacts) -> Iterator[str]:
    """Every text in `facts`."""
    for value in dataclasses.asdict(facts).values():
        for member in value if isinstance(value, (list, tuple)) else [value]:
            parts = member.values() if isinstance(member, dict) else [member]
            yield from (part for part in parts if isinstance(part, str))


def test_every_fact_of_a_full_payload_is_taken() -> None:
    assert parsed() == TitleFacts(
        imdb_id="tt7654321",
        title="The Paper Lighthouse",
        year="2011–2014",  # noqa: RUF001
        type="series",
        released_date=date(2011, 3, 5),
        runtime="44 min",
        plot="A keeper writes letters to ships that never come.",
        awards="2 wins & 3 nominations.",
        poster="https://posters.example/paper-lighthouse.jpg",
        metascore="77",
        total_seasons="3",
        imdb_rating=Decimal("7.9"),
        imdb_votes=12345,
        ratings=(
            Rating(source="Internet Movie Database", value="7.9/10"),
            Rating(source="Rotten Tomatoes", value="91%"),
        ),
        genres=("Drama", "Mystery"),
        languages=("English", "Swedish"),
        countries=("Sweden", "United Kingdom"),
        directors=("Ada Lindqvist",),
        writers=("Ada Lindqvist", "Jon Marsh"),
        actors=("Mira Stone", "Paul Okafor", "Li Wen"),
    )


def test_an_id_and_a_title_are_enough() -> None:
    assert parse_title({"imdbID": "tt0602205", "Title": "#DUPE#"}) == TitleFacts(imdb_id="tt0602205", title="#DUPE#")


@pytest.mark.parametrize("value", UNKNOWN)
@pytest.mark.parametrize(("key", "fact"), TEXT_FACTS.items())
def test_an_unknown_text_is_none(key: str, fact: str, value: object) -> None:
    assert getattr(parsed(**{key: value}), fact) is None


@pytest.mark.parametrize("value", UNKNOWN)
@pytest.mark.parametrize(("key", "fact"), NAMES_KEYS.items())
def test_unknown_names_are_none_at_all(key: str, fact: str, value: object) -> None:
    assert getattr(parsed(**{key: value}), fact) == ()


@pytest.mark.parametrize("value", UNKNOWN)
def test_an_unknown_number_or_date_is_none(value: object) -> None:
    facts = parsed(imdbRating=value, imdbVotes=value, Released=value)
    assert (facts.imdb_rating, facts.imdb_votes, facts.released_date) == (None, None, None)


@pytest.mark.parametrize("value", [*UNKNOWN, "8.8/10", [None], ["8.8/10"], [[]], [{}], [{"Source": "IMDb"}]])
def test_unknown_ratings_are_none_at_all(value: object) -> None:
    assert parsed(Ratings=value).ratings == ()


@pytest.mark.parametrize("entry", [{"Source": "N/A", "Value": "5/10"}, {"Source": "IMDb", "Value": ""}, "IMDb", 5])
def test_a_rating_without_a_source_or_a_value_is_left_out_and_the_others_stay(entry: object) -> None:
    good = {"Source": "Metacritic", "Value": "77/100"}
    assert parsed(Ratings=[entry, good]).ratings == (Rating(source="Metacritic", value="77/100"),)


@pytest.mark.parametrize("key", ["imdbID", "Title"])
@pytest.mark.parametrize("value", UNKNOWN)
def test_a_payload_without_an_id_or_a_title_is_garbled(key: str, value: object) -> None:
    with pytest.raises(GarbledTitleError):
        parsed(**{key: value})


@pytest.mark.parametrize(
    "imdb_id",
    [
        "tt123456",
        "tt12345678901",
        "nm0000001",
        "TT1375666",
        "1375666",
        "tt1375666x",
        "tt13 75666",
        "tt\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
    ],
)
def test_an_id_that_is_no_imdb_id_is_garbled(imdb_id: str) -> None:
    with pytest.raises(GarbledTitleError):
        parsed(imdbID=imdb_id)


@pytest.mark.parametrize("imdb_id", ["tt0000417", "tt10986410", "tt1234567890"])
def test_ids_have_seven_to_ten_digits(imdb_id: str) -> None:
    assert parsed(imdbID=imdb_id).imdb_id == imdb_id


def test_a_title_longer_than_any_is_garbled() -> None:
    assert parsed(Title="x" * MAX_TITLE_LENGTH).title == "x" * MAX_TITLE_LENGTH
    with pytest.raises(GarbledTitleError):
        parsed(Title="x" * (MAX_TITLE_LENGTH + 1))


@pytest.mark.parametrize("year", ["1997–2007", "2023–", "2010", "2008-2013", "2023-"])  # noqa: RUF001
def test_a_year_is_kept_as_upstream_writes_it(year: str) -> None:
    assert parsed(Year=year).year == year


@pytest.mark.parametrize("year", ["20", "MMX", "2010–12", "soon", "\u0662\u0660\u0661\u0660", "2010 2011"])  # noqa: RUF001
def test_what_is_no_year_is_unknown(year: str) -> None:
    assert parsed(Year=year).year is None


@pytest.mark.parametrize("runtime", ["34S min", "2 h", "1 h 30 min", "44 min"])
def test_a_runtime_is_kept_as_upstream_writes_it(runtime: str) -> None:
    assert parsed(Runtime=runtime).runtime == runtime


def test_a_plot_of_thousands_of_characters_is_kept_whole() -> None:
    plot = "It rains, and nobody comes. " * 300
    assert parsed(Plot=plot).plot == plot.strip()


@pytest.mark.parametrize(
    ("text", "rating"),
    [("10.0", "10.0"), ("10", "10"), ("0.0", "0.0"), ("1", "1"), ("9.9", "9.9"), (" 8.8 ", "8.8"), ("8.75", "8.75")],
)
def test_a_rating_keeps_its_decimals(text: str, rating: str) -> None:
    assert str(parsed(imdbRating=text).imdb_rating) == rating


@pytest.mark.parametrize(
    "rating",
    [
        "10.1",
        "11",
        "100",
        "-1",
        "8.8/10",
        "8,8",
        "NaN",
        "Infinity",
        "1e1",
        ".5",
        "8.",
        "\u0668.\u0668",
        "8." + "8" * 20_000,
    ],
)
def test_what_is_no_rating_from_0_to_10_is_unknown(rating: str) -> None:
    assert parsed(imdbRating=rating).imdb_rating is None


@pytest.mark.parametrize(
    ("text", "votes"),
    [("0", 0), ("7", 7), ("259", 259), ("1,234,567", 1234567), ("2559562", 2559562), ("999,999,999,999", 999999999999)],
)
def test_votes_are_counted_whatever_their_size(text: str, votes: int) -> None:
    assert parsed(imdbVotes=text).imdb_votes == votes


@pytest.mark.parametrize("votes", [",", ",,,", "-5", "1.5", "1e5", "many", "\u0667", "9" * 30, "1,", ",1"])
def test_what_is_no_number_of_votes_is_unknown(votes: str) -> None:
    assert parsed(imdbVotes=votes).imdb_votes is None


@pytest.mark.parametrize(
    "released", ["2011-03-05", "31 Feb 2011", "05 Foo 2011", "2011", "00 Mar 2011", "05 Mar 99999"]
)
def test_what_is_no_date_is_unknown(released: str) -> None:
    assert parsed(Released=released).released_date is None


@pytest.mark.parametrize("poster", ["javascript:alert(1)", "/poster.jpg", "data:image/png;base64,AA", "http://a b"])
def test_what_is_no_address_is_no_poster(poster: str) -> None:
    assert parsed(Poster=poster).poster is None


@pytest.mark.parametrize("score", ["-", "77/100", "7.7", "1234", "\u0667\u0667"])
def test_what_is_no_score_is_unknown(score: str) -> None:
    assert parsed(Metascore=score).metascore is None


@pytest.mark.parametrize(
    ("writers", "names"),
    [
        ("Mick Garris (creator), Sean Hood", ("Mick Garris", "Sean Hood")),
        ('Paul Kane (short story "Dead Time"), Jo Li', ("Paul Kane", "Jo Li")),
        ("Ann Lee (story, characters, and screenplay), Bo Ek", ("Ann Lee", "Bo Ek")),
        ("Ann Lee (story) (uncredited), Bo Ek", ("Ann Lee", "Bo Ek")),
        ('Ann Lee (play "One (or Two, or Three)", act 1), Bo Ek', ("Ann Lee", "Bo Ek")),
        ("Jo Li (story), Ann Lee, Jo Li (screenplay), Ann Lee", ("Jo Li", "Ann Lee")),
        ("Jo Li,Ann Lee ,  Bo Ek,", ("Jo Li", "Ann Lee", "Bo Ek")),
        ("(uncredited), Jo Li", ("Jo Li",)),
        ("N/A, Jo Li", ("Jo Li",)),
        ("Jo Li (story, Ann Lee", ("Jo Li (story", "Ann Lee")),
        ("Jo Li) , Ann Lee", ("Jo Li)", "Ann Lee")),
        (" , ,, ", ()),
        ("English, American Sign ", ("English", "American Sign")),
    ],
)
def test_names_come_in_order_once_and_without_credits(writers: str, names: tuple[str, ...]) -> None:
    assert parsed(Writer=writers).writers == names


def test_a_name_longer_than_any_is_left_out() -> None:
    long = "x" * MAX_NAME_LENGTH
    assert parsed(Actors=f"Jo Li, {long}y, {long}").actors == ("Jo Li", long)


@pytest.mark.parametrize("filler", [",", " ", "(", ")", "()", "(,", "a,", "( ", "((x))"])
def test_a_list_of_names_larger_than_any_is_unknown_and_takes_no_time(filler: str) -> None:
    names = ("a" + filler * 250_000)[:250_000] + "b"
    began = time.perf_counter()
    facts = parsed(**dict.fromkeys(NAMES_KEYS, names))
    assert time.perf_counter() - began < 5
    assert facts.genres == facts.actors == ()


@pytest.mark.parametrize("filler", [",", " ", "(", "()", "(,", "( "])
def test_the_longest_list_of_names_that_is_read_takes_little_time(filler: str) -> None:
    names = ("a" + filler * MAX_NAMES_LENGTH)[: MAX_NAMES_LENGTH - 1] + "b"
    began = time.perf_counter()
    parsed(Writer=names)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("inner\x1ffirst", "innerfirst"),
        ("the \x1ffirst", "the first"),
        ("a\x00b", "ab"),
        ("a\x0bb\x08c\x1dd\x1ae\x7ff", "abcdef"),
        ("one\ntwo\r\nthree\tfour", "one two three four"),
        ("lone \ud83d surrogate", "lone  surrogate"),
        ("\udc00", None),
        ("a pair \U0001f600", "a pair \U0001f600"),
        ("Miliardi\\Millions", "Miliardi\\Millions"),
    ],
)
def test_what_is_no_text_is_taken_out_and_lines_become_spaces(sent: str, stored: str | None) -> None:
    assert parsed(Plot=sent).plot == stored


def test_names_titles_and_ratings_are_cleaned_like_any_text() -> None:
    facts = parsed(
        Title="The\x00 Lighthouse",
        Genre="Dra\x00ma, Mys\ud800tery",
        Ratings=[{"Source": "IM\x00Db", "Value": "5\x00/10"}],
    )
    assert (facts.title, facts.genres) == ("The Lighthouse", ("Drama", "Mystery"))
    assert facts.ratings == (Rating(source="IMDb", value="5/10"),)


def test_ids_of_hits_come_in_order_and_once() -> None:
    hits = [{"imdbID": "tt0000002"}, {"imdbID": "tt0000001"}, {"imdbID": "tt0000002"}]
    assert imdb_ids(hits) == ["tt0000002", "tt0000001"]


@pytest.mark.parametrize(
    "hit", [None, "tt0000001", 1, [], {}, {"imdbID": None}, {"imdbID": []}, {"imdbID": "nm0000001"}]
)
def test_a_hit_without_an_id_is_passed_over(hit: object) -> None:
    assert imdb_ids([hit, {"imdbID": "tt0000001"}]) == ["tt0000001"]


# What means something to a parser here, and what no database takes: faster found than among all of Unicode.
CHARACTERS = 'a Zé,.:/()[]"\\-–0179\t\n\x00\x1f\x7f\x85\u0667\ufffd\ud800\udfff\U0001f600'  # noqa: RUF001
TEXTS = st.text(CHARACTERS, max_size=30)
TYPICAL = ("N/A", "1,234", ",", "8.8", "10.0", "tt7654321", "05 Mar 2011", "2011", "https://x.y/z", "A (b, c), D")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.sampled_from(TYPICAL),
    lambda members: st.lists(members, max_size=3) | st.dictionaries(st.sampled_from(["Source", "a"]), members),
    max_leaves=6,
)


@settings(database=None, deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(payload())), JSON, max_size=22), st.booleans())
def test_any_object_gives_facts_that_postgresql_can_store_or_is_garbled(sent: dict[str, Any], full: bool) -> None:  # noqa: FBT001
    try:
        facts = parse_title({**payload(), **sent} if full else sent)
    except GarbledTitleError:
        return
    for text in texts(facts):
        assert "\x00" not in text
        text.encode()  # a lone surrogate raises
        assert text.strip() not in {"", "N/A"}
    assert facts.imdb_rating is None or 0 <= facts.imdb_rating <= 10
    assert facts.imdb_votes is None or 0 <= facts.imdb_votes < 2**63


@settings(database=None, deadline=None)
@given(st.dictionaries(st.sampled_from(["Response", "Error", "Search", "totalResults", "a"]), JSON))
def test_any_object_is_a_page_of_hits_a_miss_or_garbled(sent: dict[str, Any]) -> None:
    for read in (is_miss, search_page):
        try:
            found = read(sent)
        except GarbledTitleError:
            continue
        if isinstance(found, SearchPage):
            ids = [hit.imdb_id for hit in found.hits]
            assert len(set(ids)) == len(ids)
            assert all(IMDB_ID.fullmatch(i) for i in ids)


@settings(database=None, deadline=None)
@given(JSON | st.lists(st.dictionaries(st.just("imdbID"), st.sampled_from(TYPICAL) | JSON), max_size=5))
def test_any_list_of_hits_gives_ids_each_once(sent: object) -> None:
    try:
        found = imdb_ids(sent)
    except GarbledTitleError:
        assert not isinstance(sent, list)
        return
    assert len(set(found)) == len(found)
    assert all(IMDB_ID.fullmatch(i) for i in found)


NAMES = st.from_regex(r"[A-Z][a-zé]{1,8}( [A-Z][a-z'.-]{1,8})?", fullmatch=True)


@settings(database=None, deadline=None)
@given(
    names=st.lists(NAMES, unique=True, max_size=5),
    votes=st.none() | st.integers(0, 10**9),
    rating=st.none() | st.integers(0, 100),
    released=st.none() | st.dates(),
)
def test_what_omdb_writes_is_what_was_meant(
    names: list[str], votes: int | None, rating: int | None, released: date | None
) -> None:
    known = {
        "Actors": ", ".join(names),
        "imdbVotes": votes if votes is None else f"{votes:,}",
        "imdbRating": rating if rating is None else f"{rating / 10:.1f}",
        "Released": released and f"{released:%d} {MONTHS[released.month - 1]} {released.year:04}",
    }
    facts = parse_title({**payload(), **{name: value or "N/A" for name, value in known.items()}})
    assert facts.actors == tuple(names)
    assert facts.imdb_votes == votes
    assert facts.imdb_rating == (rating if rating is None else Decimal(rating) / 10)
    assert facts.released_date == released


@pytest.fixture(scope="module")
def real(real_data: Path) -> list[dict[str, Any]]:
    """The recorded payloads."""
    return [json.loads(line) for line in (real_data / "omdb.jsonl").read_text(encoding="utf-8").splitlines()]


def test_every_recorded_payload_is_a_title_without_an_unknown_in_words(real: list[dict[str, Any]]) -> None:
    assert len(real) > 1000
    for facts in map(parse_title, real):
        assert not {"", "N/A"} & set(texts(facts))


def test_the_oddities_of_recorded_payloads_are_taken_as_those_of_ours(real: list[dict[str, Any]]) -> None:
    facts = {sent["imdbID"]: (sent, parse_title(sent)) for sent in real}
    pairs = list(facts.values())
    without_ratings = [got for sent, got in pairs if not sent.get("Ratings")]
    assert without_ratings
    assert all(got.ratings == () for got in without_ratings)
    dashed = [(sent, got) for sent, got in pairs if "–" in sent["Year"]]  # noqa: RUF001
    assert dashed
    assert all(got.year == sent["Year"] for sent, got in dashed)
    seasons = [got for sent, got in pairs if sent.get("totalSeasons") == "N/A"]
    assert seasons
    assert all(got.total_seasons is None for got in seasons)
    assert any(len(imdb_id) == 10 for imdb_id in facts)
    assert any(got.title == "#DUPE#" for _, got in pairs)
    assert any((got.imdb_votes or 0) > 2_000_000 for _, got in pairs)
    credited = [(sent, got) for sent, got in pairs if "(" in sent["Writer"]]
    assert credited
    assert not [name for _, got in credited for name in got.writers if "(" in name or ")" in name]
    repeated = facts["tt1117563"][1].writers
    assert repeated[:2] == ("Bob Kane", "Jordan Goldberg")
    assert len(set(repeated)) == len(repeated)
