"""The words of stored titles that may be meant by a misspelt one."""

from collections.abc import Iterator, Mapping, Sequence

from rapidfuzz import process
from rapidfuzz.distance import OSA
from sqlalchemy import ARRAY, SmallInteger, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

# In a shorter word nearly everything is one typo away; a longer one is no word.
SHORTEST_FORGIVEN, LONGEST_FORGIVEN = 3, 32
# In a shorter word nearly everything is two typos away.
SHORTEST_FORGIVEN_TWICE = 6
# Words of some lengths that begin, or end, with some letters; as one text, and not as thousands of rows.
CANDIDATES = text("""
SELECT string_agg(word, ' ') FROM (
    SELECT word FROM unnest(:lengths, :beginnings) AS wanted (length, beginning)
        JOIN vocabulary USING (length)
    WHERE word >= beginning AND word < beginning || U&'\\+10FFFF'
    UNION
    SELECT word FROM unnest(:lengths, :endings) AS wanted (length, ending)
        JOIN vocabulary USING (length)
    WHERE backwards >= ending AND backwards < ending || U&'\\+10FFFF'
) AS candidates
""").bindparams(
    bindparam("lengths", type_=ARRAY(SmallInteger)),
    bindparam("beginnings", type_=ARRAY(Text)),
    bindparam("endings", type_=ARRAY(Text)),
)

Meant = Mapping[str, int]


async def meant_by(session: AsyncSession, words: Sequence[str], *, twice: bool) -> dict[str, Meant]:
    """For each word those of the vocabulary that are near it, and how many edits away; if it is there itself, none.

    An edit is a letter wrong, missing or too many, or two neighbours swapped (the optimal string alignment distance).
    One is always found; two, with `twice`, in words of six letters or more of which a quarter is untouched at the
    beginning or at the end. A word in which nothing is forgiven stands for itself, wherever it may be.
    """
    looked_for = {word: _most_edits(word, twice=twice) for word in words}
    parts = list({part for word, edits in looked_for.items() if edits for part in _untouched(word, edits)})
    candidates: Sequence[str] = []
    if parts:
        lengths, beginnings, endings = zip(*parts, strict=True)
        values = {"lengths": lengths, "beginnings": beginnings, "endings": endings}
        candidates = ((await session.execute(CANDIDATES, values)).scalar_one() or "").split(" ")
    return {word: _near(word, candidates, edits) for word, edits in looked_for.items()}


def _most_edits(word: str, *, twice: bool) -> int:
    if not SHORTEST_FORGIVEN <= len(word) <= LONGEST_FORGIVEN:
        return 0
    return 2 if twice and len(word) >= SHORTEST_FORGIVEN_TWICE else 1


def _untouched(word: str, edits: int) -> Iterator[tuple[int, str, str]]:
    """Lengths of words so many edits away, each with what they begin with or, read backwards, end with."""
    kept = (len(word) - 1) // 2 if edits == 1 else max(2, len(word) // 4)
    for length in range(len(word) - edits, len(word) + edits + 1):
        yield length, word[:kept], word[: -kept - 1 : -1]


def _near(word: str, candidates: Sequence[str], edits: int) -> Meant:
    if not edits:
        return {word: 0}
    found = process.extract(word, candidates, scorer=OSA.distance, score_cutoff=edits, limit=None)
    return {candidate: int(distance) for candidate, distance, _ in found}
