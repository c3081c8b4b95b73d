"""Files that are not as they should be: what can be taken is, and the rest is told in a line."""

import gzip

import pytest

from app.imdb_datasets.files import AKAS, BASICS, CREW, NAMES, PRINCIPALS, RATINGS, Dataset
from app.imdb_datasets.problems import DatasetImportStopped
from tests.imdb_datasets.conftest import Catalogue, Files, N, title

MANY = [title(f"tt{number:07}", f"Title {number}") for number in range(1, 3001)]


@pytest.mark.parametrize("dataset", [BASICS, RATINGS, CREW, PRINCIPALS, NAMES])
async def test_a_file_that_is_not_there_is_named(files: Files, catalogue: Catalogue, dataset: Dataset) -> None:
    (files.folder / dataset.name).unlink()
    with pytest.raises(DatasetImportStopped, match=f"{dataset.name} cannot be read: No such file or directory"):
        await catalogue.load(files)


async def test_a_folder_that_is_none_is_named(files: Files, catalogue: Catalogue) -> None:
    files.folder /= "elsewhere"
    with pytest.raises(DatasetImportStopped, match="elsewhere is no folder"):
        await catalogue.load(files)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"tconst\taverageRating\tnumVotes\n", "title.ratings.tsv.gz is damaged: Not a gzipped file"),
        (gzip.compress(b"const,rating\n"), "has other columns than it should have: tconst, averageRating, numVotes"),
        (gzip.compress(b"tconst\taverageRating\tnumVotes\r\n"), "title.ratings.tsv.gz has other columns"),
        (gzip.compress(b"\xff\xfe"), "title.ratings.tsv.gz has other columns"),
        (b"", "title.ratings.tsv.gz has other columns"),
        (gzip.compress(b"tconst\taverageRating\tnumVotes\n" * 9)[:-9], "title.ratings.tsv.gz ends too early: fetch it"),
    ],
    ids=["plain text", "other columns", "other line ends", "no text", "nothing", "cut"],
)
async def test_what_is_none_of_imdb_s_files_is_refused(
    files: Files, catalogue: Catalogue, content: bytes, said: str
) -> None:
    (files.folder / RATINGS.name).write_bytes(content)
    with pytest.raises(DatasetImportStopped, match=said):
        await catalogue.load(files)


@pytest.mark.parametrize("dataset", [BASICS, RATINGS, CREW, PRINCIPALS, NAMES, AKAS])
async def test_a_file_that_ends_too_early_leaves_no_half_title(
    files: Files, catalogue: Catalogue, dataset: Dataset
) -> None:
    files.write_inception()
    path = files.folder / dataset.name
    path.write_bytes(path.read_bytes()[:-6])  # all lines are there, but not what says that they are all
    with pytest.raises(DatasetImportStopped, match=f"{dataset.name} ends too early: fetch it again"):
        await catalogue.load(files)
    assert await catalogue.value("SELECT count(*) FROM movies") == 0
    files.write_inception()
    await catalogue.load(files)
    assert (await catalogue.movie("tt1375666"))["directors"] == ["Christopher Nolan"]


async def test_bits_that_fell_over_are_noticed(files: Files, catalogue: Catalogue) -> None:
    files.write(BASICS, *MANY)
    path = files.folder / BASICS.name
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 9] = b"\xff" * 9
    path.write_bytes(content)
    with pytest.raises(DatasetImportStopped, match=r"title\.basics\.tsv\.gz is damaged: "):
        await catalogue.load(files)


@pytest.mark.parametrize("dataset", [BASICS, CREW, PRINCIPALS])
async def test_files_that_are_not_sorted_are_refused(files: Files, catalogue: Catalogue, dataset: Dataset) -> None:
    files.write(BASICS, title("tt0000001"), title("tt0000002"), title("tt0000003"))
    values = [N] * (len(dataset.columns) - 1)
    files.write(dataset, *([tconst, *values] for tconst in ("tt0000002", "tt0000001", "tt0000003")))
    with pytest.raises(DatasetImportStopped, match=f"{dataset.name} is not sorted by title.*: tt0000001 comes late"):
        await catalogue.load(files)


async def test_ratings_in_no_order_are_refused(files: Files, catalogue: Catalogue) -> None:
    files.write(RATINGS, ["tt0000002", "1.0", "5"], ["tt0000001", "1.0", "5"])
    with pytest.raises(DatasetImportStopped, match=r"title\.ratings\.tsv\.gz is not sorted by title"):
        await catalogue.load(files)


async def test_broken_lines_are_passed_over_and_told(files: Files, catalogue: Catalogue) -> None:
    files.write(
        BASICS,
        b"",
        b"tt0000001\tmovie\tA line that ends",
        title("tt123", "No id"),
        b"\t".join([b"tt0000002", b"movie", b"No UTF-8: \xe9", *[b"0"] * 6]),
        title("tt0000003", N),
        title("tt0000004", "x" * 501),
        title("tt0000005", 'A "quoted"\x01 one\x00', runtimeMinutes="ninety", startYear="soon", genres="Drama"),
        title("tt0000006", "Twice"),
        title("tt0000006", "Twice over"),
    )
    files.write(RATINGS, ["nothing"], ["tt0000005", "eleven", "12"], ["tt0000006", "9.9", "many"])
    files.write(CREW, ["tt0000005", "nm0000001"])
    files.write(PRINCIPALS, ["tt0000005", "first", "nm0000001", "actor", N, N])
    files.write(AKAS, b"\t".join([b"tt0000005", b"1", b"\xe9", *[b""] * 5]))
    files.write(
        NAMES,
        ["nm0000001", "Ida"],
        ["nobody", "Ida", N, N, N, N],
        b"nm0000002\t\xe9\t\\N\t\\N\t\\N\t\\N",
    )
    report = await catalogue.load(files)
    found = await catalogue.rows("SELECT title, year, runtime, imdb_rating, genres, directors, actors FROM movies")
    assert found == [('A "quoted" one', None, None, None, ["Drama"], [], []), ("Twice", "1999", None, None, [], [], [])]
    assert str(report).splitlines()[2:] == [
        "Left out:",
        "  2 without a title that can be kept",
        "Broken lines, passed over:",
        "  name.basics.tsv.gz: 3; the first is that of 'nm0000001': 2 columns",
        "  title.basics.tsv.gz: 4; the first is that of '': no id of a title",
        "  title.ratings.tsv.gz: 3; the first is that of 'nothing': no id of a title",
        "  title.akas.tsv.gz: 1; the first is that of 'tt0000005': no UTF-8",
        "  title.crew.tsv.gz: 1; the first is that of 'tt0000005': 2 columns",
    ]
