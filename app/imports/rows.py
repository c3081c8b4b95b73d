"""One row of a file: which of its columns say what, in the words of those who export them.

IMDb: https://help.imdb.com/article/imdb/track-movies-tv/exporting-your-lists/GCCFU6EM4NMXVB72 (`Const`, `Created`);
Letterboxd: https://letterboxd.com/about/importing-data/ (`Name`, `Year`, `Date`); Trakt: `imdb_id`, `listed_at`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from app.upstream.titles import MAX_TITLE_LENGTH

# Names without case, and with a space for `_` and `-`; where a file has several, the first of them counts.
IMDB_ID_COLUMNS = ("const", "imdb id", "imdbid", "imdb", "tconst")
TITLE_COLUMNS = ("title", "name", "original title")
YEAR_COLUMNS = ("year", "release year")
DATE_COLUMNS = (
    *("added at", "date added", "created", "listed at", "watchlisted at", "collected at", "last collected at"),
    *("watched at", "last watched at", "watched date", "date", "date rated", "rated at"),
)
COLUMNS = frozenset((*IMDB_ID_COLUMNS, *TITLE_COLUMNS, *YEAR_COLUMNS, *DATE_COLUMNS))
# The services that export such files are no older.
FIRST_YEAR = 1990
_IMDB_ID = re.compile(r"(?<![a-z0-9])tt[0-9]{7,10}(?![0-9])")
_YEAR = re.compile(r"(?<![0-9])(1[89]|20|21)[0-9]{2}(?![0-9])")
# What is no text, or none that PostgreSQL keeps: controls, halves of a character, and the mark of a broken one.
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ufffd\ud800-\udfff]+")
_LONGEST_CELL = 2_000


@dataclass(frozen=True, slots=True)
class FileRow:
    """A title as a file names it; None stands for what it does not say.

    Attributes:
        added_at: when it came onto the list from which the file was made.
    """

    imdb_id: str | None = None
    title: str | None = None
    year: int | None = None
    added_at: datetime | None = None

    @property
    def names_a_title(self) -> bool:
        """Whether there is anything to look for."""
        return self.imdb_id is not None or self.title is not None


def column_name(name: str) -> str:
    """`name` without what tells one service's way of writing it from another's."""
    return re.sub(r"[\s_-]+", " ", name.strip().strip("\ufeff\"'")).strip().casefold()


def row_of(cells: Mapping[str, str], now: datetime) -> FileRow:
    """The row in `cells`, by their column's name; a date that is still to come is none."""
    known = {name: _NO_TEXT.sub(" ", cell[:_LONGEST_CELL]).strip() for name, cell in cells.items()}
    const = _first(known, IMDB_ID_COLUMNS)
    imdb_id = _IMDB_ID.search(const.lower())
    title = " ".join(_first(known, TITLE_COLUMNS).split())[:MAX_TITLE_LENGTH]
    if const.startswith("nm"):  # a person: IMDb has lists of those too
        title = ""
    year = _YEAR.search(_first(known, YEAR_COLUMNS))
    return FileRow(
        imdb_id=imdb_id[0] if imdb_id else None,
        title=title or None,
        year=int(year[0]) if year else None,
        added_at=next(filter(None, (_time(known.get(name, ""), now) for name in DATE_COLUMNS)), None),
    )


def in_order(rows: Iterable[FileRow]) -> list[FileRow]:
    """The rows; of those with one date, each is a microsecond older than the one before it.

    Most files have days, not times, and what was added last is shown first: so they are shown in the file's order.
    """
    ordered = list(rows)
    latest: dict[datetime, int] = {}
    for index in reversed(range(len(ordered))):
        date = ordered[index].added_at
        if date is not None:
            later = latest[date] = latest.get(date, -1) + 1
            ordered[index] = replace(ordered[index], added_at=date + timedelta(microseconds=later))
    return ordered


def _first(cells: Mapping[str, str], names: Iterable[str]) -> str:
    return next(filter(None, (cells.get(name) for name in names)), "")


def _time(cell: str, now: datetime) -> datetime | None:
    try:
        time = datetime.fromisoformat(cell)
    except ValueError:
        return None
    if not FIRST_YEAR <= time.year <= now.year:  # and near the ends of the calendar no zone can be changed
        return None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time if time <= now else None
