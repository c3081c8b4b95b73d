"""Which film a title stands for: the rules, without any database or network.

Two titles are equal where their keys are: case, accents, articles, punctuation, "&" for "and" and the way in which a
number is written make no difference. A title that lacks a subtitle, or has a typo, is taken for another one only in
that one's very year, and only where no second title could be meant as well.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, Protocol, TypeVar

from app.core.text import fold
from app.movies.title_keys import beginnings, first_year, title_key, title_keys

Kind = Literal["movie", "series", "episode", "game"]
NO_FILMS = ("episode", "game")
# In a shorter title nearly everything is one typo away.
SHORTEST_WITH_TYPO = 8
MOST_YEARS_OFF = 1
LAST_YEAR = 9999


@dataclass(frozen=True, slots=True)
class WantedTitle:
    """A title that somebody names.

    Attributes:
        original_title: as it is called where it was made; looked for as well.
        year: of the first release; without it the best known title of exactly this name is meant.
        kind: what it must be; None for a film, or else a series.
    """

    title: str
    original_title: str | None = None
    year: int | None = None
    kind: Kind | None = None

    @property
    def names(self) -> list[str]:
        """What it is called, each name once and none without a letter."""
        by_key = {title_key(self.original_title or ""): self.original_title or "", title_key(self.title): self.title}
        return [name for key, name in reversed(by_key.items()) if key]

    @property
    def is_possible(self) -> bool:
        """Whether anything can be called so, and be of that year."""
        return bool(title_key(self.title)) and (self.year is None or 0 < self.year <= LAST_YEAR)

    @property
    def meaning(self) -> tuple[str, int | None, Kind | None]:
        """The same for two that ask for the same."""
        return title_key(self.title), self.year, self.kind


class Candidate(Protocol):
    """A title that may be meant, whoever told of it."""

    @property
    def title(self) -> str: ...
    @property
    def year(self) -> str | None: ...
    @property
    def type(self) -> str | None: ...


C = TypeVar("C", bound=Candidate)


class Closeness(IntEnum):
    """How much of a title had to be forgiven."""

    SAME = 0  # but for case and accents
    EQUAL = 1  # by its key
    SHORTENED = 2  # one of the two lacks a subtitle
    MISSPELT = 3


# What two candidates of one kind are compared by: a liberty taken, the years between, the closeness; less is better.
Rank = tuple[bool, int, Closeness, bool]


def best_match(wanted: WantedTitle, candidates: Iterable[C]) -> C | None:
    """The candidate that is meant, or None where none is or it cannot be told which.

    An exact year comes before one that is off by one, then the closer title, then a film before a series; of equals,
    the first is taken.
    """
    ranked = [(rank, candidate) for candidate in candidates if (rank := _rank(wanted, candidate)) is not None]
    if not ranked:
        return None
    best, match = min(ranked, key=lambda entry: entry[0])
    liberty, _, _, is_second_kind = best
    rivals = [rank for rank, _ in ranked if rank[0] == liberty and rank[3] == is_second_kind]
    return None if liberty and len(rivals) > 1 else match


def _rank(wanted: WantedTitle, candidate: Candidate) -> Rank | None:
    """None where it is not meant."""
    is_kind = candidate.type in {wanted.kind, None} if wanted.kind else candidate.type not in NO_FILMS
    off = 0
    if wanted.year is not None:
        year = first_year(candidate.year)
        off = MOST_YEARS_OFF + 1 if year is None else abs(year - wanted.year)
    closeness = min((c for name in wanted.names if (c := _closeness(name, candidate.title)) is not None), default=None)
    if not is_kind or off > MOST_YEARS_OFF or closeness is None:
        return None
    liberty = closeness >= Closeness.SHORTENED
    if liberty and (off or wanted.year is None):
        return None
    return liberty, off, closeness, not wanted.kind and candidate.type == "series"


def _closeness(name: str, title: str) -> Closeness | None:
    key, (whole, *shorter) = title_key(name), title_keys(title)
    if not key or not whole:
        return None
    if key == whole:
        return Closeness.SAME if fold(name) == fold(title) else Closeness.EQUAL
    if key in shorter or whole in beginnings(name):
        return Closeness.SHORTENED
    return Closeness.MISSPELT if is_one_typo(key, whole) else None


def untouched_by_typos(key: str) -> str:
    """The first letters of a key, which a typo leaves alone; "" where it is too short for one to be forgiven."""
    return key[: max(SHORTEST_WITH_TYPO // 2, len(key) // 4)] if len(key) >= SHORTEST_WITH_TYPO else ""


def is_one_typo(key: str, other: str) -> bool:
    """Whether two keys are one edit apart: a letter wrong, missing or too many, or two neighbours swapped.

    Not at the beginning and not the last letter ("The Intruder" is not "The Intruders"), and no digit.
    """
    start = untouched_by_typos(key)
    if not start or not other.startswith(start) or key[-1] != other[-1] or _digits(key) != _digits(other):
        return False
    before = len(start)
    while before < min(len(key), len(other)) and key[before] == other[before]:
        before += 1
    left, right = key[before:], other[before:]
    return (
        left[1:] == right[1:]
        or left[1:] == right
        or left == right[1:]
        or (left[:2] == right[1::-1] and left[2:] == right[2:])
    )


def _digits(key: str) -> list[str]:
    return [character for character in key if character.isdigit()]
