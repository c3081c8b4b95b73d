"""Titles that Claude suggests: the schema that its answer must have, and what is made of an answer."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.upstream.titles import MAX_TITLE_LENGTH, known_text

MAX_REASON_LENGTH = 500
# The oldest film with a title is of 1874; nobody knows one that is made more than a few years from now.
FIRST_YEAR, LAST_YEAR = 1874, 2100
HIGHEST_SCORE = 100
# For a score that cannot be read: neither the best nor the worst.
MIDDLE_SCORE = 50

_NULLABLE_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}]}
# As structured outputs have it: an object at the top, nothing optional, nothing beside, no bounds on numbers and lists
# (https://platform.claude.com/docs/en/build-with-claude/structured-outputs).
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "movies": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "title": {"type": "string", "description": "The English title, exactly as IMDb has it"},
                    "original_title": {**_NULLABLE_TEXT, "description": "In its own language, where that differs"},
                    "year": {
                        "anyOf": [{"type": "integer"}, {"type": "null"}],
                        "description": "Of the first release; of a series, its first year",
                    },
                    "kind": {"type": "string", "enum": ["movie", "series"]},
                    "match_score": {"type": "integer", "description": "0 to 100: how well it fits"},
                    "reason": {"type": "string", "description": "One sentence: why it fits"},
                },
                "required": ["title", "original_title", "year", "kind", "match_score", "reason"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["movies"],
    "additionalProperties": False,
}


class GarbledAnswerError(ValueError):
    """An answer that is no list of titles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A title that Claude suggests; it may not exist.

    Attributes:
        title: in English.
        original_title: in its own language, where that differs.
        year: of the first release.
        score: 0 to 100, how well it fits.
        reason: why it fits, in one sentence.
    """

    title: str
    original_title: str | None = None
    year: int | None = None
    kind: Literal["movie", "series"] | None = None
    score: int = MIDDLE_SCORE
    reason: str | None = None


def parse_suggestions(text: str, most: int) -> list[Suggestion]:
    """The titles in an answer, best first, each once, `most` of them at the most.

    Forgiven: words around the JSON, members of another type, and what is no title among those that are.

    Raises:
        GarbledAnswerError: there is no such list, or nothing in it is a title.
    """
    movies = _movies(text)
    suggestions = [s for s in map(_suggestion, movies) if s is not None]
    if movies and not suggestions:
        raise GarbledAnswerError
    best_first = sorted(suggestions, key=lambda suggestion: -suggestion.score)
    by_title: dict[tuple[str, int | None], Suggestion] = {}
    for suggestion in best_first:
        by_title.setdefault((suggestion.title.casefold(), suggestion.year), suggestion)
    return list(by_title.values())[:most]


def _movies(text: str) -> list[object]:
    try:
        answer, _ = json.JSONDecoder(strict=False).raw_decode(text, text.index("{"))
    except (ValueError, RecursionError):
        raise GarbledAnswerError from None
    movies = answer.get("movies")
    if not isinstance(movies, list):
        raise GarbledAnswerError
    return movies


def _suggestion(item: object) -> Suggestion | None:
    members: Mapping[str, object] = item if isinstance(item, Mapping) else {}
    title = known_text(members, "title")
    if title is None or len(title) > MAX_TITLE_LENGTH:
        return None
    original = known_text(members, "original_title")
    kind = members.get("kind")
    return Suggestion(
        title=title,
        original_title=original if original and len(original) <= MAX_TITLE_LENGTH else None,
        year=_year(members.get("year")),
        kind="series" if kind == "series" else "movie" if kind == "movie" else None,
        score=_score(members.get("match_score")),
        reason=(known_text(members, "reason") or "")[:MAX_REASON_LENGTH] or None,
    )


def _year(value: object) -> int | None:
    """A year, which may come as text, or with another after it."""
    match = re.search("[0-9]{4}", str(value)) if isinstance(value, int | float | str) else None
    return int(match[0]) if match and FIRST_YEAR <= int(match[0]) <= LAST_YEAR else None


def _score(value: object) -> int:
    try:
        score = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        score = math.nan
    return MIDDLE_SCORE if math.isnan(score) else round(min(max(score, 0), HIGHEST_SCORE))
