"""Which titles a search finds, and which of them are the most relevant."""

import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, Text, and_, case, func, literal, or_
from sqlalchemy.dialects.postgresql import ARRAY

from app.core.text import fold, like_pattern
from app.movies.models import MovieTitle
from app.movies.spelling import Meant
from app.movies.title_words import SIGNS, joined, title_words, words

# A search for more words than these is no title with a typo in it.
MOST_FORGIVEN_WORDS = 16
# Where one word may be missing there must be so many.
FEWEST_TO_MISS_ONE = 3
ARTICLES = ("the", "a", "an")
# A title with more signs and spaces than twice its letters is not meant by them alone.
MOST_SIGNS = 3
# More than all edits that can be forgiven.
_FAR = 1_000


@dataclass(frozen=True, slots=True)
class Relevance:
    """What a search asks of titles.

    Attributes:
        condition: which titles it finds.
        place: how relevant one of them is; the least comes first.
        length: how long the best title would be.
        by_length: whether, of the same place, those nearest to that length come before those with the most votes.
    """

    condition: ColumnElement[bool]
    place: ColumnElement[int]
    length: int
    by_length: bool


def exactly(search: str) -> Relevance | None:
    """Titles that have every word in them, or are the same but for spaces and signs; None where there is no word.

    The title itself comes first; then one that differs in spaces, signs and an article alone, or is so called
    elsewhere; then those that begin so; then those of the same words in another order; then those with all words; then
    those with all of them as parts of words.
    """
    wanted = " ".join(fold(search).split())
    if not wanted:  # nothing but accents
        return None
    title = MovieTitle.folded_title
    given = words(wanted)
    condition = and_(*(title.like(f"%{like_pattern(piece)}%") for piece in dict.fromkeys(wanted.split(" "))))
    same = [wanted, *(f"{article} {wanted}" for article in ARTICLES)]
    article, _, bare = wanted.partition(" ")
    if article in ARTICLES and bare:
        same.append(bare)
        condition = or_(condition, title == bare)
    is_same: ColumnElement[bool] = title.in_(same)
    if whole := joined(given):
        is_spaced = and_(
            func.length(title) <= MOST_SIGNS * len(whole),  # which is seen at once of most
            MovieTitle.words.contains(_array([whole])),
            func.translate(title, SIGNS, "") == whole,
        )
        condition = or_(condition, is_spaced)
        is_same = or_(is_same, is_spaced)
    has_words = MovieTitle.words.contains(_array(sorted(set(given))))
    place = case(
        (and_(title == wanted, MovieTitle.is_main), 0),
        (is_same, 1),
        (title.like(f"{like_pattern(wanted)}%"), 2),
        (and_(has_words, func.cardinality(MovieTitle.words) == len(title_words(wanted))), 3),
        (has_words, 4),
        else_=5,
    )
    return Relevance(condition, place, len(wanted), by_length=False)


class Misspelt:
    """A search of which no title has every word.

    Attributes:
        words: what is to be looked up: its words, and all of them as one; nothing where nothing is forgiven.
    """

    def __init__(self, search: str) -> None:
        folded = fold(search)
        given = list(dict.fromkeys(words(folded)))
        self._length = len(" ".join(folded.split()))
        self._given = [word for word in given if word not in ARTICLES] or given
        self._whole = joined(words(folded))
        whole = [self._whole] if self._whole else []
        self.words = list(dict.fromkeys(self._given + whole)) if len(given) <= MOST_FORGIVEN_WORDS else []

    def nearly(self, meant: Mapping[str, Meant], *, one_missing: bool) -> Relevance | None:
        """Titles with a word near each word of the search, or with the whole near the whole; the nearest come first.

        Args:
            meant: for each of `words` what it may stand for.
            one_missing: whether one word of three or more need not be there.

        Returns:
            None where there can be no such title.
        """
        groups = [meant[word] for word in self._given]
        ways = [_way(groups)] if all(groups) else []
        if self._whole and meant[self._whole]:
            ways.append(_way([meant[self._whole]]))
        if one_missing and len(groups) >= FEWEST_TO_MISS_ONE:
            ways += _ways_but_one(groups)
        if not ways:
            return None
        place = func.least(*(case((condition, edits), else_=_FAR) for condition, edits in ways))
        return Relevance(or_(*(condition for condition, _ in ways)), place, self._length, by_length=True)


Way = tuple[ColumnElement[bool], ColumnElement[int]]


def _way(groups: Sequence[Meant]) -> Way:
    """That every group has a word in the title, and how many edits that takes."""
    edits = [edit for group in groups for edit in _edits(group)]
    return and_(*(_has_any(group) for group in groups)), _sum(edits)


def _ways_but_one(groups: Sequence[Meant]) -> list[Way]:
    """That every group but one has a word in the title; a word that is known stands for itself alone.

    With all that each might stand for, a great part of all titles would be looked at.
    """
    unlike = [group for group in groups if not group]
    sure = [{word: 0 for word, edits in group.items() if not edits} or group for group in groups if group]
    if unlike:
        return [_way(sure)] if len(unlike) == 1 else []
    # Of any two groups at least one has a word in it: indexes can tell that.
    neighbours = [_has_any({**one, **other}) for one, other in zip(sure, [*sure[1:], sure[0]], strict=True)]
    missing = [_lacks(group) for group in sure]
    edits = [edit for group in sure for edit in _edits(group)]
    return [(and_(*neighbours, _sum(missing) <= 1), _sum([*edits, *missing]))]


def _edits(group: Meant) -> list[ColumnElement[int]]:
    """One for each edit that it takes: there is no word that takes none, and none that takes but one."""
    return [_lacks({word for word, edits in group.items() if edits <= few}) for few in range(max(group.values()))]


def _lacks(words: Iterable[str]) -> ColumnElement[int]:
    return case((_has_any(words), 0), else_=1)


def _has_any(words: Iterable[str]) -> ColumnElement[bool]:
    overlap: ColumnElement[bool] = MovieTitle.words.overlap(_array(sorted(words)))
    return overlap


def _sum(numbers: Sequence[ColumnElement[int]]) -> ColumnElement[int]:
    return functools.reduce(operator.add, numbers, literal(0, Integer))


def _array(texts: Sequence[str]) -> ColumnElement[Any]:
    return literal(list(texts), ARRAY(Text))
