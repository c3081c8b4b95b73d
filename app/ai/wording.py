"""What somebody asks for in their own words, as far as it can be understood without Claude."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from app.ai.vocabulary import LONGEST_PHRASE, MEANINGS, NOISE
from app.core.text import fold

# Each is looked for in every movie that has any of them.
MOST_CONCEPTS = 16
FIRST_YEAR, LAST_YEAR = 1800, 2200

DECADES = {
    "twenties": 1920,
    "thirties": 1930,
    "forties": 1940,
    "fifties": 1950,
    "sixties": 1960,
    "seventies": 1970,
    "eighties": 1980,
    "nineties": 1990,
    "noughties": 2000,
    "two thousands": 2000,
}
PARTS = {"early": (0, 3), "mid": (4, 6), "late": (6, 9)}
# With two digits, "00s" and "10s" are of this century, the others of the last.
FIRST_OF_THE_LAST_CENTURY, LAST_OF_TWO_DIGITS = 20, 99
_DECADE = rf"(?:(?:{'|'.join(PARTS)})[ -])?(?:'?(?:1[89]|20)?[0-9]0'?s|{'|'.join(DECADES)})"
# A decade ("1990s", "the '90s", "late nineties"), or a year.
_MOMENT = rf"(?:the )?({_DECADE}|(?:1[89]|20)[0-9]{{2}})\b"
_SERIES = re.compile(r"\b(?:(?:tv|television) (?:mini ?)?(?:series|shows?)|(?:mini ?)?series(?! of)|sitcoms?)\b")


class Years(NamedTuple):
    """From one year to another, both of them included."""

    first: int
    last: int


# How people speak of time, and which years they mean by the moments that they name. What an earlier form has understood
# no later one sees. A year by itself may be a part of a title: "Blade Runner 2049".
_FORMS: tuple[tuple[str, Callable[[Years], Years]], ...] = (
    (rf"\b(?:between |from )?{_MOMENT} ?(?:-|to|and|or|through|until|till) ?{_MOMENT}", lambda told: told),
    (rf"\b(?:before|pre|prior to|(?:earli|old)er than)[ -]{_MOMENT}", lambda told: Years(FIRST_YEAR, told.first - 1)),
    (rf"\b(?:until|till|up to) {_MOMENT}", lambda told: Years(FIRST_YEAR, told.last)),
    (rf"\b(?:after|post|later than|newer than)[ -]{_MOMENT}", lambda told: Years(told.last + 1, LAST_YEAR)),
    (rf"\bsince {_MOMENT}|\bfrom {_MOMENT} on(?:wards?)?\b", lambda told: Years(told.first, LAST_YEAR)),
    (rf"\b(?:in|from|during|of) {_MOMENT}|(?<!\w)(?:the )?({_DECADE})\b", lambda told: told),
)
_TIMES = [(re.compile(form), meaning) for form, meaning in _FORMS]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted.

    Attributes:
        years: when the film was first shown; None for any time.
        series: whether it is to be a series.
        concepts: what the film should have to do with, each as a query of `to_tsquery`; the more of them the better.
        matter: those of them that are no genre and no country, which tell more of a film.
        pairs: the same for words that stand side by side, such as a name.
    """

    years: Years | None
    series: bool
    concepts: tuple[str, ...]
    matter: tuple[str, ...]
    pairs: tuple[str, ...]


def understand(expression: str) -> Wish:
    """What `expression` asks for.

    >>> understand("Korean thrillers from the 90s").years
    Years(first=1990, last=1999)
    """
    text = re.sub("[‘’`]", "'", re.sub("[‐-―]", "-", fold(expression)))  # noqa: RUF001 - what people type
    years, text = _take_years(" ".join(text.split()))
    series, text = _take_series(text)
    words = re.findall(r"[^\W_]+", text)
    phrases = list(_phrases(words))
    concepts = dict.fromkeys(meaning or phrase for phrase, meaning in phrases if meaning or phrase not in NOISE)
    wanted = tuple(concepts)[:MOST_CONCEPTS]
    plain = [None if meaning or phrase in NOISE else phrase for phrase, meaning in phrases]
    pairs = [f"{first} <-> {second}" for first, second in pairwise(plain) if first and second]
    matter = tuple(concept for concept in wanted if not concept.startswith("'"))
    return Wish(years, series, wanted, matter, tuple(pairs)[:MOST_CONCEPTS])


def _phrases(words: list[str]) -> Iterator[tuple[str, str | None]]:
    """The words, those together that mean something together, each with its meaning."""
    position = 0
    while position < len(words):
        for length in range(min(LONGEST_PHRASE, len(words) - position), 0, -1):
            phrase = " ".join(words[position : position + length])
            if length == 1 or phrase in MEANINGS:
                yield phrase, MEANINGS.get(phrase)
                position += length
                break


def _take_series(text: str) -> tuple[bool, str]:
    rest = _SERIES.sub(" ", text)
    return rest != text, rest


def _take_years(text: str) -> tuple[Years | None, str]:
    """The years that are spoken of, and the text without them."""
    first, last = FIRST_YEAR, LAST_YEAR
    for form, meaning in _TIMES:
        for match in form.finditer(text):
            moments = [_years(moment) for moment in match.groups() if moment]
            years = meaning(Years(moments[0].first, moments[-1].last))
            first, last = max(first, years.first), min(last, years.last)
        text = form.sub(" ", text)
    is_told = (first, last) != (FIRST_YEAR, LAST_YEAR) and first <= last
    return (Years(first, last) if is_told else None), text


def _years(moment: str) -> Years:
    """The years of a decade, of a part of one, or a year's own."""
    *part, name = moment.replace("-", " ").split(" ", 1) if moment.startswith(tuple(PARTS)) else [moment]
    digits = name.strip("'s").replace("'", "")
    if not digits.isdecimal():
        decade = DECADES[name]
    elif name.endswith("s"):
        short = int(digits)
        decade = short if short > LAST_OF_TWO_DIGITS else short + (1900 if short >= FIRST_OF_THE_LAST_CENTURY else 2000)
    else:
        return Years(int(digits), int(digits))
    first, last = PARTS[part[0]] if part else (0, 9)
    return Years(decade + first, decade + last)
