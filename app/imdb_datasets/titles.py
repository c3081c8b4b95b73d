"""From the lines of the files to titles as this service keeps them, batch by batch."""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import count, islice
from typing import NamedTuple

from app.core.text import fold
from app.imdb_datasets.choice import Choice
from app.imdb_datasets.files import AKAS, BASICS, CREW, PRINCIPALS, RATINGS, Dataset, DatasetFile, clean_text
from app.imdb_datasets.findings import Findings
from app.imdb_datasets.joining import Joined, Order, Row
from app.imdb_datasets.people import People
from app.movies.repository import FOLDED_TITLE_LENGTH
from app.movies.title_keys import title_keys
from app.upstream.titles import MAX_TITLE_LENGTH

# So few that their rows are not locked for long, and so many that what a transaction costs is not felt.
BATCH = 5_000
# Of directors, of writers and of actors; OMDb gives three or four, and a talk show has thousands.
MOST_NAMES = 10
# The best known films have a hundred, and most of those are one title spelt in a few ways.
MOST_OTHER_TITLES = 30
ACTING = {b"actor", b"actress", b"self"}
_YEAR = re.compile(b"[0-9]{4}")
_RATING = re.compile(rb"[0-9](\.[0-9])?|10(\.0)?")
_NUMBER = re.compile(b"[0-9]{1,9}")


class Title(NamedTuple):
    """A title as it is staged; None and [] stand for what IMDb does not know."""

    imdb_id: str
    title: str
    folded_title: str
    title_keys: list[str]
    year: str | None
    type: str
    runtime: str | None
    imdb_rating: Decimal | None
    imdb_votes: int | None
    genres: list[str]
    directors: list[str]
    writers: list[str]
    actors: list[str]
    folded_other_titles: list[str]


@dataclass(frozen=True)
class Batch:
    """Titles that are written together; its number is the same whenever the same files are read with one choice."""

    number: int
    titles: list[Title]


@dataclass(frozen=True)
class _Candidate:
    key: bytes
    fields: Row
    rating: Row | None


class Titles:
    """The chosen titles of the files.

    Args:
        files: open, and nothing read of them but the headings.
        order: that of the titles in them.
        people: the names.
        choice: which titles.
        findings: where is noted what is not taken.
    """

    def __init__(
        self,
        files: dict[Dataset, DatasetFile],
        order: Order,
        people: People,
        choice: Choice,
        findings: Findings,
    ) -> None:
        self._people, self._choice, self._findings = people, choice, findings
        self._types = choice.types()
        self._titles = Joined.groups(files[BASICS], order, findings)
        self._joined = {
            dataset: Joined(files[dataset], order, findings)
            for dataset in (RATINGS, CREW, PRINCIPALS, AKAS)
            if dataset in files
        }

    def batches(self, done: Container[int]) -> Iterator[Batch]:
        """The titles, batch by batch, but for the batches that are done.

        Raises:
            DatasetImportStopped: a file is damaged, or not sorted.
        """
        candidates = self._candidates()
        for number in count():
            chosen = list(islice(candidates, BATCH))
            if not chosen:
                return
            if number not in done:
                yield Batch(number, [title for candidate in chosen if (title := self._title(candidate))])

    def _candidates(self) -> Iterator[_Candidate]:
        types, left_out = self._types, self._findings.left_out
        for key, rows in self._titles:
            fields = next(rows)
            self._findings.read += 1
            if not self._is_whole(BASICS, fields):
                continue
            if fields[1] not in types:
                left_out["of another kind"] += 1
            elif fields[4] != b"0" and not self._choice.adult:
                left_out["for adults"] += 1
            elif (rating := self._rating(key)) is None and self._choice.min_votes:
                left_out["without a rating"] += 1
            elif rating is not None and int(rating[2]) < self._choice.min_votes:
                left_out[f"with fewer than {self._choice.min_votes} votes"] += 1
            else:
                yield _Candidate(key, fields, rating)

    def _rating(self, key: bytes) -> Row | None:
        for fields in self._rows(RATINGS, key):
            if _RATING.fullmatch(fields[1]) and _NUMBER.fullmatch(fields[2]):
                return fields
            self._findings.broken_line(RATINGS.name, fields[0], "no rating")
        return None

    def _title(self, candidate: _Candidate) -> Title | None:
        """The title of a candidate; None, and noted, where it cannot be kept."""
        fields = candidate.fields
        try:
            title, original, genres = clean_text(fields[2]), clean_text(fields[3]), clean_text(fields[8])
        except UnicodeDecodeError:
            self._findings.broken_line(BASICS.name, fields[0], "no UTF-8")
            return None
        if not title or len(title) > MAX_TITLE_LENGTH:
            self._findings.left_out["without a title that can be kept"] += 1
            return None
        ours = self._types[fields[1]]
        others = self._others(candidate.key, title, original)
        directors, writers = self._crew(candidate.key)
        rating = candidate.rating
        return Title(
            imdb_id=fields[0].decode(),
            title=title,
            folded_title=_folded(title),
            title_keys=title_keys(title),
            year=_years(fields[5], fields[6], is_series=ours == "series"),
            type=ours,
            runtime=f"{int(fields[7])} min" if _NUMBER.fullmatch(fields[7]) else None,
            imdb_rating=_decimal(rating[1]) if rating else None,
            imdb_votes=int(rating[2]) if rating else None,
            genres=genres.split(",") if genres else [],
            directors=directors,
            writers=writers,
            actors=self._actors(candidate.key),
            folded_other_titles=others,
        )

    def _crew(self, key: bytes) -> tuple[list[str], list[str]]:
        """The directors and the writers."""
        for fields in self._rows(CREW, key):
            directors, writers = (self._people.names(people.split(b","), MOST_NAMES) for people in fields[1:])
            return directors, writers
        return [], []

    def _actors(self, key: bytes) -> list[str]:
        """The first of those who act or appear, in IMDb's order."""
        billed = [
            (int(fields[1]), fields[2])
            for fields in self._rows(PRINCIPALS, key)
            if fields[3] in ACTING and fields[1].isdigit()
        ]
        return self._people.names((person for _, person in sorted(billed)), MOST_NAMES)

    def _others(self, key: bytes, title: str, original: str) -> list[str]:
        """What a title is called elsewhere, folded; the original title first."""
        others: dict[str, None] = {}
        for other in (original, *self._elsewhere(key)):
            # Most are the title itself, which need not be folded once more.
            if other and other != title and len(other) <= MAX_TITLE_LENGTH and len(others) < MOST_OTHER_TITLES:
                others[_folded(other)] = None
        if others:
            others.pop(_folded(title), None)
        return list(others)

    def _elsewhere(self, key: bytes) -> Iterator[str]:
        for row in self._rows(AKAS, key):
            try:
                yield clean_text(row[2])
            except UnicodeDecodeError:
                self._findings.broken_line(AKAS.name, row[0], "no UTF-8")

    def _rows(self, dataset: Dataset, key: bytes) -> list[Row]:
        """The values of a title's lines in a file."""
        if dataset not in self._joined:
            return []
        columns, rows = len(dataset.columns), list(self._joined[dataset].of(key))
        whole = [row for row in rows if len(row) == columns]
        for row in rows if len(whole) < len(rows) else ():
            self._is_whole(dataset, row)
        return whole

    def _is_whole(self, dataset: Dataset, row: Row) -> bool:
        if len(row) == len(dataset.columns):
            return True
        self._findings.broken_line(dataset.name, row[0], f"{len(row)} columns")
        return False


def _folded(title: str) -> str:
    return fold(title)[:FOLDED_TITLE_LENGTH]


def _years(start: bytes, end: bytes, *, is_series: bool) -> str | None:
    """The years as OMDb writes them: "2010"; of a series "2008–2013", and "2023–" where it goes on."""  # noqa: RUF002
    if not _YEAR.fullmatch(start):
        return None
    if not is_series or end == start:
        return start.decode()
    return f"{start.decode()}–{end.decode() if _YEAR.fullmatch(end) else ''}"  # noqa: RUF001 - an en dash


@lru_cache
def _decimal(rating: bytes) -> Decimal:
    return Decimal(rating.decode())
