"""The words of a title, as PostgreSQL's `title_words` has them (migrations/versions/0013_titles.py)."""

from collections.abc import Sequence

_BETWEEN = (
    '\t\n\r !"#$%&()*+,-./:;<=>?@[\\]^_{|}~'
    "\u2010\u2011\u2012\u2013\u2014\u2015\u00a1\u00ab\u00b7\u00bb\u00bf\u00d7\u2018\u201a\u201c\u201d\u201e\u2022"
    "\u2039\u203a\u3001\u3002\u300c\u300d\u300e\u300f\u3010\u3011\u30fb"
)
_WITHIN = "'`\u2019\u02bc\u2032"
SIGNS = _BETWEEN + _WITHIN
_WITHOUT_SIGNS = str.maketrans(_BETWEEN, " " * len(_BETWEEN), _WITHIN)
# The longest that typos are forgiven in, and two letters more.
LONGEST = 34


def words(folded_title: str) -> list[str]:
    """The words of a folded title in their order.

    >>> words("spider-man's l.a.")
    ['spider', 'mans', 'l', 'a']
    """
    return [word for word in folded_title.translate(_WITHOUT_SIGNS).split(" ") if word]


def joined(of: Sequence[str]) -> str | None:
    """All words as one, by which a title is found whatever becomes of its spaces; None where that is too long.

    >>> joined(["star", "wars"])
    'starwars'
    """
    whole = "".join(of)
    return whole if 0 < len(whole) <= LONGEST else None


def title_words(folded_title: str) -> list[str]:
    """What a title is found by: its words, and all of them as one; each once, sorted."""
    found = words(folded_title)
    whole = joined(found)
    return sorted({*found, whole} if whole else {*found})
