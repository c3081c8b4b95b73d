"""Reading a file: whose it is, how it is written, and what cannot be read."""

import gzip
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.imports.exports import written
from app.imports.files import read_file
from app.imports.formulas import neutralised, restored
from app.imports.problems import UnreadableFile
from app.imports.rows import FileRow
from app.imports.schemas import ExportedTitle, Format
from tests.imports import exports_of_others as others

HEAT = "tt0113277"


def day(year: int, month: int, number: int) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


def heat(**changes: object) -> FileRow:
    row: dict[str, object] = {"imdb_id": HEAT, "title": "Heat", "year": 1995, **changes}
    return FileRow(**row)  # type: ignore[arg-type]


def refusal(content: bytes) -> str:
    """The code with which a file is refused."""
    with pytest.raises(UnreadableFile) as caught:
        read_file(content)
    (error,) = caught.value.errors
    assert error.field == "file"
    assert " " in error.message
    return error.code


def zipped(name: str = "watchlist.csv") -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(name, others.LETTERBOXD)
    return archive.getvalue()


TIME = datetime(2022, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "rows"),
    {
        "IMDb's list": (
            others.IMDB,
            [
                heat(added_at=day(2024, 1, 31)),
                FileRow("tt0903747", "Breaking Bad", 2008, day(2024, 2, 1)),
            ],
        ),
        "IMDb's list of some years ago": (others.IMDB_OLD, [heat(added_at=day(2017, 7, 30))]),
        "IMDb's ratings": (others.IMDB_RATINGS, [heat(added_at=day(2020, 5, 4))]),
        "Letterboxd's watchlist": (
            others.LETTERBOXD,
            [
                heat(imdb_id=None, added_at=day(2023, 5, 1)),
                FileRow(None, "Good, the Bad and the Ugly, The", 1966, day(2023, 5, 2)),
            ],
        ),
        "Letterboxd's list": (others.LETTERBOXD_LIST, [heat(imdb_id=None), FileRow(None, "Alien", 1979)]),
        "Trakt's list": (others.TRAKT, [heat(added_at=TIME)]),
        "Trakt's history": (others.TRAKT_HISTORY, [heat(added_at=TIME)]),
        "Trakt's JSON": (others.TRAKT_JSON, [heat(added_at=TIME)]),
    }.items(),
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_files_of_other_services_are_read(text: str, rows: tuple[str, list[FileRow]]) -> None:
    content, expected = rows
    assert read_file(content.encode()) == expected, text


PLAIN = "Const,Title,Year\ntt0113277,Amélie in Heat,1995\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(PLAIN.encode(), id="UTF-8"),
        pytest.param(PLAIN.encode("utf-8-sig"), id="a byte order mark"),
        pytest.param(PLAIN.encode("utf-16"), id="UTF-16, as Excel's Unicode text"),
        pytest.param(b"\xfe\xff" + PLAIN.encode("utf-16-be"), id="UTF-16, the other way round"),
        pytest.param(PLAIN.encode("latin-1"), id="Latin-1"),
        pytest.param(PLAIN.replace(",", ";").encode("cp1252"), id="semicolons"),
        pytest.param(PLAIN.replace(",", "\t").encode("utf-16"), id="tabs"),
        pytest.param(PLAIN.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(PLAIN.replace("\n", "\r").encode(), id="CR alone"),
        pytest.param(PLAIN.rstrip().encode(), id="no newline at the end"),
        pytest.param(PLAIN.replace(",", '","').replace("\n", '"\n"').join('""')[:-1].encode(), id="quotes"),
        pytest.param(b"sep=,\n" + PLAIN.encode(), id="Excel's own first line"),
        pytest.param(b"\n\n,,\n" + PLAIN.encode() + b",,\n\n", id="empty lines"),
        pytest.param(PLAIN.replace("Const,Title", "const , TITLE").encode(), id="other case and spaces"),
        pytest.param(PLAIN.replace("tt0113277", "https://www.imdb.com/title/tt0113277/").encode(), id="an address"),
        pytest.param(PLAIN.replace("1995", "1995\N{EN DASH}1997").encode(), id="a span of years"),
        pytest.param(
            PLAIN.replace("Amélie in", '"Amélie\nin').replace("Heat", 'Heat"').encode(), id="a newline inside"
        ),
        pytest.param(PLAIN.replace("Amélie in", "Amélie\x7f\ufffd in").encode(), id="what is no text"),
        pytest.param(PLAIN.replace("Const", "\ufeffConst").encode("utf-8-sig"), id="two byte order marks"),
    ],
)
def test_a_csv_is_read_however_it_is_written(content: bytes) -> None:
    assert read_file(content) == [FileRow(HEAT, "Amélie in Heat", 1995)]


def test_cp1252_is_told_from_latin_1_where_it_can_be() -> None:
    assert read_file(b"Title\n\x93Heat\x94\n")[0].title == "\u201cHeat\u201d"
    assert read_file(b"Title\nHeat \x81\xe9\n")[0].title == "Heat é"


def test_what_a_row_does_not_say_is_none() -> None:
    rows = read_file(
        b"Const,Title,Year,Created\n,,,\n ,Heat,soon,never\nnm0000134,Al Pacino,,\ntt12,Short,0,1\n,,1999,\n"
    )
    assert rows == [
        FileRow(None, "Heat"),
        FileRow(),  # a person is no title
        FileRow(None, "Short"),
        FileRow(year=1999),
    ]
    assert [row.names_a_title for row in rows] == [True, False, True, False]


def test_a_longer_row_or_a_shorter_one_is_no_fault() -> None:
    assert read_file(b"Title,Year\nHeat,1995,more,and more\nAlien\n") == [
        FileRow(None, "Heat", 1995),
        FileRow(None, "Alien"),
    ]


def test_a_title_is_cut_where_no_title_is_so_long() -> None:
    (row,) = read_file(b"Title\n" + b"a" * 100_000 + b"\n")
    assert row.title == "a" * 500


@pytest.mark.parametrize(
    ("written", "date"),
    [
        ("2024-01-31", day(2024, 1, 31)),
        ("2024-01-31T01:30:00+02:00", datetime(2024, 1, 30, 23, 30, tzinfo=UTC)),
        ("2024-01-31 12:00:00", datetime(2024, 1, 31, 12, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("1969-12-31", None),
        pytest.param((datetime.now(UTC) + timedelta(days=2)).isoformat(), None, id="the day after tomorrow"),
        ("31/01/2024", None),
    ],
)
def test_a_date_is_taken_where_it_is_one_and_has_come(written: str, date: datetime | None) -> None:
    assert read_file(f"Title,Created\nHeat,{written}\n".encode()) == [FileRow(None, "Heat", None, date)]


def test_rows_of_one_day_keep_their_order_the_first_being_the_latest() -> None:
    rows = read_file(b"Title,Created\na,2024-01-31\nb,2024-02-01\nc,2024-01-31\nd,\ne,2024-01-31\n")
    dates = {row.title: row.added_at for row in rows}
    micro = timedelta(microseconds=1)
    first = day(2024, 1, 31)
    assert dates == {"a": first + 2 * micro, "b": day(2024, 2, 1), "c": first + micro, "d": None, "e": first}


@pytest.mark.parametrize(
    ("content", "code"),
    {
        "nothing": (b"", "empty"),
        "blanks": (b" \r\n\t ", "empty"),
        "a zip": (zipped(), "archive"),
        "an empty zip": (b"PK\x05\x06" + bytes(18), "archive"),
        "a spreadsheet": (zipped("xl/workbook.xml"), "archive"),
        "an old spreadsheet": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "archive"),
        "gzip": (gzip.compress(PLAIN.encode()), "archive"),
        "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)), "no_text"),
        "a NUL": (PLAIN.replace("Heat", "He\0at").encode(), "no_text"),
        "UTF-16 without its mark": (PLAIN.encode("utf-16-le"), "no_text"),
        "half of a UTF-16 character": (b"\xff\xfe" + PLAIN.encode("utf-16-le") + b"\x00\xd8", "no_text"),
        "an odd number of bytes of UTF-16": (PLAIN.encode("utf-16") + b"\n", "no_text"),
        "no header": (b"Heat,1995\nAlien,1979\n", "no_header"),
        "prose": (b"Dear all,\nplease find attached what I have seen.\n", "no_header"),
        "HTML": (b"<!doctype html><title>Sign in</title>", "no_header"),
        "a year alone": (b"Year,Date\n1995,2024-01-31\n", "no_header"),
        "a header beyond the first lines": (b"x,y\n" * 30 + PLAIN.encode(), "no_header"),
        "a header alone": (b"Const,Title,Year\r\n", "no_rows"),
        "empty rows alone": (b"Const,Title,Year\r\n,,\r\n\r\n", "no_rows"),
        "a list of Letterboxd's that ends early": (
            b"Letterboxd list export v7\nDate,Name\n2024-01-01,x\n",
            "no_header",
        ),
        "5,001 rows": (b"Title\n" + b"Heat\n" * 5_001, "too_many_rows"),
        "a quotation mark that nothing closes": (b'Title\n"Heat\n' + b"a long line of text\n" * 10_000, "no_csv"),
        "JSON that breaks off": (b'[{"title": "Heat"}', "no_json"),
        "deep JSON": (b"[" * 100_000, "no_json"),
        "a number of 5,000 digits": (b"[" + b"9" * 5_000 + b"]", "no_json"),
        "a JSON object": (b'{"title": "Heat"}', "no_list"),
        "JSON of something else": (b'[{"name_of_it": "Heat"}, 5, null, [[]]]', "no_header"),
        "an empty array": (b"[]", "no_rows"),
        "5,001 objects": (json.dumps([{"title": "Heat"}] * 5_001).encode(), "too_many_rows"),
    }.items(),
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_a_file_that_cannot_be_read_is_refused_in_words(content: str, code: tuple[bytes, str]) -> None:
    assert refusal(code[0]) == code[1], content


def test_5_000_rows_are_read() -> None:
    assert len(read_file(b"Title\n" + b"Heat\n" * 5_000)) == 5_000
    assert len(read_file(json.dumps([{"title": "Heat"}] * 5_000).encode())) == 5_000


def test_json_that_is_odd_inside_is_read_as_far_as_it_goes() -> None:
    deep = json.loads('{"movie": ' * 200 + "1" + "}" * 200)
    items = [
        {"title": "He\ud800at\0", "year": 1995, "imdb_id": None},
        {"Title": ["Heat"], "year": True},
        7,
        deep,
        {"movie": {"title": "Alien", "ids": {"imdb": "tt0078748", "ids": {"imdb": "tt0000001"}}}, "title": {}},
    ]
    assert read_file(json.dumps(items).encode()) == [
        FileRow(None, "He at", 1995),
        FileRow(),
        FileRow(),
        FileRow(),
        FileRow("tt0078748", "Alien"),
    ]


FORMULAS = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''-x", "'71", "Heat", ""]


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_formula_is_neutralised_and_comes_back_as_it_was(cell: str) -> None:
    assert not neutralised(cell).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert restored(neutralised(cell)) == cell


@given(st.text())
def test_every_cell_comes_back_as_it_was(cell: str) -> None:
    assert restored(neutralised(cell)) == cell


WORDS = st.sampled_from(
    [
        *(
            [
                "Const",
                "Title",
                "Name",
                "Year",
                "Created",
                "imdb_id",
                "Position",
                "tt0113277",
                "1995",
                "2024-01-31",
                "Heat",
            ]
        ),
        *",;\t\n\r\" '=[{}]:",
    ]
)
CONTENTS = st.one_of(
    st.binary(max_size=400),
    st.text(max_size=400).map(lambda text: text.encode("utf-16", "surrogatepass")),
    st.lists(WORDS, max_size=60).map(lambda words: "".join(words).encode()),
    st.lists(st.one_of(WORDS, st.text(max_size=5)), max_size=60).map(
        lambda words: b"Title,Year\n" + "".join(words).encode("utf-8", "surrogatepass")
    ),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["title", "year", "movie", "ids", "imdb", "added_at"]), inner, max_size=4)
        ),
    ).map(lambda value: json.dumps([value]).encode()),
)


@settings(max_examples=400, deadline=None)
@given(CONTENTS)
def test_whatever_is_sent_gives_rows_or_says_why_not(content: bytes) -> None:
    try:
        rows = read_file(content)
    except UnreadableFile:
        rows = [FileRow(title=refusal(content))]
    assert 0 < len(rows) <= 5_000
    for row in rows:
        for text in filter(None, (row.imdb_id, row.title)):
            assert "\0" not in text
            text.encode()
            assert text == text.strip() != ""
        assert row.year is None or 1800 <= row.year < 2200
        assert row.added_at is None or row.added_at <= datetime.now(UTC)


# What is no line break or control, to any of those who write or read such files.
TITLES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufffd"), min_size=1, max_size=30
).filter(lambda title: title.split() and " ".join(title.split()) == title)
EXPORTED = st.builds(
    ExportedTitle,
    imdb_id=st.integers(1, 10**10 - 1).map("tt{:07}".format),
    title=TITLES | st.sampled_from([*FORMULAS[:5], '"', ",", ";", "a,b", 'say "hi"', "[1]", "{}", "' x"]),
    year=st.none() | st.integers(1900, 2100).map(str),
    type=st.sampled_from([None, "movie", "series"]),
    added_at=st.integers(0, 10**15).map(lambda microseconds: day(1990, 1, 2) + timedelta(microseconds=microseconds)),
)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(EXPORTED, min_size=1, max_size=5, unique_by=lambda title: title.added_at), st.sampled_from(["csv", "json"])
)
async def test_what_is_exported_is_read_back_as_it_was(titles: list[ExportedTitle], form: Format) -> None:
    async def pages() -> AsyncIterator[list[ExportedTitle]]:
        yield titles

    document = "".join([part async for part in written(pages(), form)])
    assert read_file(document.encode()) == [
        FileRow(title.imdb_id, title.title.strip(), int(title.year) if title.year else None, title.added_at)
        for title in titles
    ]
