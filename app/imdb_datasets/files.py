r"""IMDb's dataset files, line by line: https://developer.imdb.com/non-commercial-datasets/.

Gzip, UTF-8, a line of headings, then tab-separated values; `\N` stands for what is not known, and quotes are nothing
special. All but the names are sorted by title.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from operator import methodcaller
from pathlib import Path

from app.imdb_datasets.problems import DatasetImportStopped

UNKNOWN = r"\N"
# Nothing in a text, and PostgreSQL stores no NUL.
_CONTROLS = bytes([*range(32), 127])
BLOCK_BYTES = 1 << 18
# A function that is none of Python's own: a hundred million lines go through it.
_SPLIT = methodcaller("split", b"\t")


@dataclass(frozen=True)
class Dataset:
    """One of the files: its name, and what its columns are called."""

    name: str
    columns: tuple[str, ...]
    is_required: bool = True


BASICS = Dataset(
    "title.basics.tsv.gz",
    (
        *("tconst", "titleType", "primaryTitle", "originalTitle", "isAdult", "startYear", "endYear"),
        *("runtimeMinutes", "genres"),
    ),
)
RATINGS = Dataset("title.ratings.tsv.gz", ("tconst", "averageRating", "numVotes"))
CREW = Dataset("title.crew.tsv.gz", ("tconst", "directors", "writers"))
PRINCIPALS = Dataset("title.principals.tsv.gz", ("tconst", "ordering", "nconst", "category", "job", "characters"))
NAMES = Dataset(
    "name.basics.tsv.gz",
    ("nconst", "primaryName", "birthYear", "deathYear", "primaryProfession", "knownForTitles"),
)
AKAS = Dataset(
    "title.akas.tsv.gz",
    ("titleId", "ordering", "title", "region", "language", "types", "attributes", "isOriginalTitle"),
    is_required=False,
)
DATASETS = (BASICS, RATINGS, CREW, PRINCIPALS, NAMES, AKAS)


class DatasetFile:
    """One file, open.

    Raises:
        DatasetImportStopped: it is not there, cannot be read, is damaged, or has other columns.
    """

    def __init__(self, folder: Path, dataset: Dataset) -> None:
        self.name = dataset.name
        self._path = folder / dataset.name
        try:
            self._raw = self._path.open("rb")
        except OSError as error:
            raise DatasetImportStopped(f"{self._path} cannot be read: {error.strerror}") from None
        self.size = self._path.stat().st_size
        self._unpacked = gzip.GzipFile(fileobj=self._raw)
        self._lines = self._read()
        try:
            self._check_heading(dataset)
        except DatasetImportStopped:
            self.close()
            raise

    @property
    def position(self) -> int:
        """How many of the file's bytes have been read."""
        return self._raw.tell()

    def rows(self) -> Iterator[list[bytes]]:
        """The lines that are left, as the values in them: as many as there are, not as many as there should be.

        Raises:
            DatasetImportStopped: the file is damaged.
        """
        return map(_SPLIT, self._lines)

    def _check_heading(self, dataset: Dataset) -> None:
        if next(self._lines, b"").decode(errors="replace").split("\t") != list(dataset.columns):
            expected = ", ".join(dataset.columns)
            raise DatasetImportStopped(f"{self.name} has other columns than it should have: {expected}")

    def _read(self) -> Iterator[bytes]:
        rest = b""
        try:
            while block := self._unpacked.read(BLOCK_BYTES):
                *lines, rest = (rest + block).split(b"\n")
                yield from lines
        except EOFError:
            raise DatasetImportStopped(f"{self.name} ends too early: fetch it again") from None
        except (OSError, zlib.error) as error:  # BadGzipFile is an OSError
            raise DatasetImportStopped(f"{self.name} is damaged: {error}") from None
        if rest:
            yield rest

    def close(self) -> None:
        """Let go of the file."""
        self._unpacked.close()
        self._raw.close()


@contextmanager
def open_datasets(folder: Path) -> Iterator[dict[Dataset, DatasetFile]]:
    """The files of a folder, those that must be there and those that are, open for as long as the block runs.

    Raises:
        DatasetImportStopped: one is missing or is none of IMDb's.
    """
    if not folder.is_dir():
        raise DatasetImportStopped(f"{folder} is no folder")
    wanted = [dataset for dataset in DATASETS if dataset.is_required or (folder / dataset.name).exists()]
    with ExitStack() as stack:
        yield {dataset: stack.enter_context(closing(DatasetFile(folder, dataset))) for dataset in wanted}


def clean_text(value: bytes) -> str:
    """A value as text, without control characters, its words parted by one space; "" where it is not known.

    Raises:
        UnicodeDecodeError: it is no UTF-8.
    """
    text = " ".join(value.translate(None, _CONTROLS).decode().split())
    return "" if text == UNKNOWN else text


def identity(folder: Path, *choices: object) -> str:
    """What tells whether an import of these files, with these choices, is the one that was begun.

    Names, sizes and times of change: to read all of the files only for this would take a minute.
    """
    digest = sha256(repr(choices).encode())
    for dataset in DATASETS:
        file = folder / dataset.name
        if file.exists():
            status = file.stat()
            digest.update(f"{dataset.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
