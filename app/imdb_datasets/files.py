r"""IMDb's dataset files, line by line: https://developer.imdb.com/non-commercial-datasets/.

Gzip, UTF-8, a line of headings, then tab-separated values; `\N` stands for what is not known, and quotes are nothing
special. All but the names are sorted by title.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from app.imdb_datasets.problems import DatasetImportStopped

# Larger than Python's own, since the files are read from their beginning to their end.
BUFFER_BYTES = 1 << 18


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
        self._unpacked = io.BufferedReader(gzip.GzipFile(fileobj=self._raw), BUFFER_BYTES)
        heading = next(self._lines(), b"").rstrip(b"\n").split(b"\t")
        if heading != [column.encode() for column in dataset.columns]:
            self.close()
            expected = ", ".join(dataset.columns)
            raise DatasetImportStopped(f"{self.name} has other columns than it should have: {expected}")

    @property
    def position(self) -> int:
        """How many of the file's bytes have been read."""
        return self._raw.tell()

    def lines(self) -> Iterator[bytes]:
        """The lines that are left, each with its end.

        Raises:
            DatasetImportStopped: the file is damaged.
        """
        return self._lines()

    def _lines(self) -> Iterator[bytes]:
        try:
            yield from iter(self._unpacked.readline, b"")  # the reader itself would be closed with this generator
        except EOFError:
            raise DatasetImportStopped(f"{self.name} ends too early: fetch it again") from None
        except (OSError, zlib.error) as error:  # BadGzipFile is an OSError
            raise DatasetImportStopped(f"{self.name} is damaged: {error}") from None

    def close(self) -> None:
        """Let go of the file."""
        self._unpacked.close()
        self._raw.close()


def open_datasets(folder: Path) -> dict[Dataset, DatasetFile]:
    """The files of a folder, those that must be there and those that are.

    Raises:
        DatasetImportStopped: one is missing or is none of IMDb's.
    """
    if not folder.is_dir():
        raise DatasetImportStopped(f"{folder} is no folder")
    wanted = [dataset for dataset in DATASETS if dataset.is_required or (folder / dataset.name).exists()]
    return {dataset: DatasetFile(folder, dataset) for dataset in wanted}


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
