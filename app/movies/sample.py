"""The sample catalogue: some three hundred well-known films and series that ship with the project."""

import json
from importlib.resources import files

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.movies.repository import MovieRepository
from app.upstream.titles import TitleFacts, parse_title

FILE = "sample_catalogue.jsonl"


def sample_titles() -> list[TitleFacts]:
    """The titles of the sample catalogue, which is written in OMDb's shape."""
    lines = files("app.movies").joinpath(FILE).read_text(encoding="utf-8").splitlines()
    return [parse_title(json.loads(line)) for line in lines]


async def load_sample(database: Database) -> int:
    """Store the sample catalogue; returns how many titles it has.

    May be done again and again. A title that upstream has been asked for is left alone.
    """
    titles = sample_titles()

    async def store(session: AsyncSession) -> None:
        await MovieRepository(session).upsert(titles, refreshed_at=None)

    await database.write(store)
    return len(titles)


async def load_sample_if_empty(database: Database) -> int:
    """Store the sample catalogue where there is no movie at all; returns how many titles were stored."""
    async with database.reading() as session:
        empty = await MovieRepository(session).is_empty()
    return await load_sample(database) if empty else 0
