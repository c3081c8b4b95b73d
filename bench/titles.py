"""A catalogue to search: real films, and as many more of the same words as it takes."""

import asyncio
import gzip
import json
import random
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import asyncpg
from alembic import command
from sqlalchemy import URL

from app.core.text import fold
from app.movies.title_keys import title_keys
from bench.catalogues import dsn, without_inverted_indexes
from tests.conftest import alembic

BATCH = 20_000
LONGEST_MADE_UP = 9
# One word in so many is one that no real title has: names, mostly, and there is no end of them.
INVENTED_WORDS = 12
COLUMNS = ("imdb_id", "title", "folded_title", "title_keys", "year", "type", "imdb_votes")


class Film(NamedTuple):
    """A film as the data has it."""

    title: str
    year: int


def without_accents_of(text: str) -> str:
    """A text without its accents."""
    return "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))


def real_films(folder: Path) -> list[Film]:
    """The films of titles.jsonl.gz."""
    with gzip.open(folder / "titles.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [Film(film["title"], film["year"]) for film in map(json.loads, lines)]


async def fill(url: URL, films: Sequence[Film], size: int) -> None:
    """Migrate the database, and store the films, and others up to `size`; without votes, since the data has none."""
    await asyncio.to_thread(alembic, url, command.upgrade, "head")
    connection = await asyncpg.connect(dsn(url))
    rows = _rows(films, size)
    async with without_inverted_indexes(connection):
        while batch := list(islice(rows, BATCH)):
            await connection.copy_records_to_table("movies", records=batch, columns=COLUMNS)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def _rows(films: Sequence[Film], size: int) -> Iterator[tuple[object, ...]]:
    chance = random.Random(1)
    words = [film.title.split() for film in films]
    for number in range(1, size + 1):
        film = films[number - 1] if number <= len(films) else _another(words, chance)
        keys = title_keys(film.title)
        yield f"tt{number:07}", film.title, fold(film.title), keys, str(film.year), "movie", None


def _another(titles: Sequence[list[str]], chance: random.Random) -> Film:
    """A film that begins as one does and ends as another."""
    one, other = chance.choice(titles), chance.choice(titles)
    words = one[: chance.randint(1, len(one))] + other[-chance.randint(1, len(other)) :]
    for place, word in enumerate(words):
        if chance.randrange(INVENTED_WORDS) == 0:
            words[place] = word[: len(word) // 2] + chance.choice(chance.choice(titles))[1:].lower()
    return Film(" ".join(words[:LONGEST_MADE_UP]), chance.randint(1920, 2026))
