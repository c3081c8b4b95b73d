"""IMDb's files, written by hand or made up, and a database that they go into."""

import gzip
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from app.core.database import Database
from app.imdb_datasets.choice import Choice
from app.imdb_datasets.files import AKAS, BASICS, CREW, NAMES, PRINCIPALS, RATINGS, Dataset
from app.imdb_datasets.report import Report
from app.imdb_datasets.service import WRITERS, DatasetImport
from tests.json_schema import Json

N = r"\N"
EVERYTHING = Choice(min_votes=0)
Row = Sequence[str]


class Silence:
    """Progress that nobody watches."""

    def show(self, step: str, position: int, size: int, titles: int = 0) -> None:
        pass


def title(tconst: str, name: str = "A Title", **values: str) -> Row:
    """A line of title.basics."""
    row = {"titleType": "movie", "originalTitle": name, "isAdult": "0", "startYear": "1999"} | values
    return [tconst, row["titleType"], name, *(row.get(column, N) for column in BASICS.columns[3:])]


class Files:
    """A folder of IMDb's files; what is not written has no lines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for dataset in (BASICS, RATINGS, CREW, PRINCIPALS, NAMES):
            self.write(dataset)

    def write(self, dataset: Dataset, *rows: Row | bytes) -> None:
        """Write a file anew."""
        lines = [row if isinstance(row, bytes) else "\t".join(row).encode() for row in (dataset.columns, *rows)]
        (self.folder / dataset.name).write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0))

    def write_inception(self, votes: str = "2400000") -> None:
        """A film with all that the files tell of one."""
        values = {"startYear": "2010", "runtimeMinutes": "148", "genres": "Action,Sci-Fi"}
        self.write(BASICS, title("tt1375666", "Inception", **values))
        self.write(RATINGS, ["tt1375666", "8.8", votes])
        self.write(CREW, ["tt1375666", "nm0634240", "nm0634240"])
        self.write(
            PRINCIPALS,
            ["tt1375666", "1", "nm0000138", "actor", N, '["Cobb"]'],
            ["tt1375666", "2", "nm0330687", "actor", N, '["Arthur"]'],
            ["tt1375666", "3", "nm0634240", "director", N, N],
        )
        people = {
            "nm0000138": "Leonardo DiCaprio",
            "nm0330687": "Joseph Gordon-Levitt",
            "nm0634240": "Christopher Nolan",
        }
        self.write(NAMES, *([nconst, name, "1970", N, "actor", "tt1375666"] for nconst, name in people.items()))
        self.write(AKAS, ["tt1375666", "1", "Początek", "PL", N, "imdbDisplay", N, "0"])


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A folder of files without a line."""
    return Files(tmp_path)


class Catalogue:
    """The database that is imported into."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.database = Database(url, pool_size=WRITERS, statement_timeout=None)

    async def load(self, files: Files, choice: Choice = EVERYTHING, *, restart: bool = False) -> Report:
        """Import the files."""
        return await DatasetImport(self.database, files.folder, choice, Silence()).run(restart=restart)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.database.reading() as session:
            return [tuple(row) for row in await session.execute(text(query))]

    async def value(self, query: str) -> Json:
        return (await self.rows(query))[0][0]

    async def movie(self, imdb_id: str) -> dict[str, Any]:
        """A movie's row."""
        async with self.database.reading() as session:
            row = await session.execute(text("SELECT * FROM movies WHERE imdb_id = :id"), {"id": imdb_id})
            return dict(row.mappings().one())

    async def execute(self, *statements: str) -> None:
        async with self.database.transaction() as session:
            for statement in statements:
                await session.execute(text(statement))


@pytest.fixture
async def catalogue(empty_url: URL) -> AsyncIterator[Catalogue]:
    """An empty catalogue."""
    catalogue = Catalogue(empty_url)
    yield catalogue
    await catalogue.database.close()
