"""A file that somebody exported elsewhere, as rows: CSV in whatever dialect, or JSON."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, dropwhile, islice

from app.imports.formulas import restored
from app.imports.problems import UnreadableFile
from app.imports.rows import COLUMNS, IMDB_ID_COLUMNS, TITLE_COLUMNS, FileRow, column_name, in_order, row_of

MOST_ROWS = 5_000
# What stands above the header, such as the title of a list, is not longer.
_HEADER_WITHIN = 20
_DELIMITERS = (",", ";", "\t")
# "PK" begins a zip archive, and what is one inside, such as an .xlsx; the last ones are gzip and the old .xls.
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"\xd0\xcf\x11\xe0")
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f]")
# Of Letterboxd: the list's own name and date come first, then an empty line, then the titles.
_LETTERBOXD_LIST = "letterboxd list export"
_LOOKED_FOR = (
    "Const or imdb_id for the IMDb id, or Title or Name, and Year. Files as IMDb, Letterboxd and Trakt export them have"
    " these"
)

# Trakt puts the title of an item into `movie` or `show`, and its ids into `ids` in there.
_TRAKT = (frozenset({"movie", "show"}), frozenset({"ids"}))

Table = tuple[Sequence[str], Iterator[Sequence[str]]]


def read_file(content: bytes) -> list[FileRow]:
    """The rows of a file, in its order; those that name no title are among them.

    Raises:
        UnreadableFile: it is empty, no text, without a header that is known, or too long.
    """
    text = _text(content)
    cells = _json_cells(text) if text.lstrip().startswith(("[", "{")) else _csv_cells(text)
    now = datetime.now(UTC)
    rows = [row_of(row, now) for row in islice(cells, MOST_ROWS + 1)]
    if len(rows) > MOST_ROWS:
        raise UnreadableFile(f"It has more than {MOST_ROWS:,} rows: send it in parts", "too_many_rows")
    if not rows:
        raise UnreadableFile("It has no row below its header", "no_rows")
    return in_order(rows)


def _text(content: bytes) -> str:
    if not content.strip():
        raise UnreadableFile("It is empty", "empty")
    if content.startswith(_ARCHIVES):
        raise UnreadableFile(
            "It is a zip archive or a spreadsheet: unpack it and send one of the files in it, or save it as CSV",
            "archive",
        )
    mark = next((encoding for mark, encoding in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), None)
    for encoding in [mark] if mark else ["utf-8", "cp1252", "latin-1"]:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _CONTROLS.search(text):
            return text
        break
    raise UnreadableFile("It is no text: send a CSV", "no_text")


def _csv_cells(text: str) -> Iterator[Mapping[str, str]]:
    try:
        header, rows = max((_table(text, delimiter) for delimiter in _DELIMITERS), key=_columns_known)
        if not _columns_known((header, rows)):
            raise UnreadableFile(f"No row with the names of columns was found; looked for: {_LOOKED_FOR}", "no_header")
        names = [column_name(name) for name in header]
        for row in rows:
            if any(cell.strip() for cell in row):
                yield {name: restored(cell) for name, cell in zip(names, row, strict=False) if name in COLUMNS}
    except csv.Error:
        raise UnreadableFile("A cell is longer than any title: a quotation mark may be missing", "no_csv") from None


def _table(text: str, delimiter: str) -> Table:
    """The header that is known, and the rows below it; the header is empty where there is none."""
    reader: Iterator[Sequence[str]] = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    first = next(reader, [])
    is_list = bool(first) and first[0].casefold().startswith(_LETTERBOXD_LIST)
    rows = dropwhile(any, reader) if is_list else chain([first], reader)
    for row in islice(rows, _HEADER_WITHIN):
        if _columns_known((row, rows)):
            return row, rows
    return (), iter(())


def _columns_known(table: Table) -> int:
    """How many of the header's columns are known; none where those that name a title are not among them."""
    names = {column_name(name) for name in table[0]}
    return len(names & COLUMNS) if names & {*IMDB_ID_COLUMNS, *TITLE_COLUMNS} else 0


def _json_cells(text: str) -> Iterator[Mapping[str, str]]:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableFile("It begins as JSON does, and is none", "no_json") from None
    if not isinstance(items, list):
        raise UnreadableFile("It is JSON, but no array of titles", "no_list")
    records = [dict(_members(item)) for item in items[: MOST_ROWS + 1]]
    if records and not any(record.keys() & {*IMDB_ID_COLUMNS, *TITLE_COLUMNS} for record in records):
        raise UnreadableFile(
            f"It is JSON, but none of its objects names a title; looked for: {_LOOKED_FOR}", "no_header"
        )
    yield from records


def _members(item: object, deeper: Sequence[frozenset[str]] = _TRAKT) -> Iterator[tuple[str, str]]:
    """The known members of an item, and of those objects in it that hold more of them."""
    for name, value in item.items() if isinstance(item, dict) else ():
        if deeper and name in deeper[0]:
            yield from _members(value, deeper[1:])
        elif isinstance(value, str | int) and column_name(name) in COLUMNS:
            yield column_name(name), str(value)
