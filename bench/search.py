"""How often a search finds the film that is meant, and how long it takes: real titles, as people mistype them.

`make bench-search` runs it against a PostgreSQL of its own and writes docs/search.md. REAL_DATA_DIR names the folder
with `titles.jsonl.gz`.
"""

import asyncio
import json
import os
import random
import string
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url

from app.core.database import Database
from app.core.embedded_postgres import embedded_postgres
from app.core.text import fold
from app.movies.schemas import MAX_FILTER_LENGTH, MovieQuery
from app.movies.service import Catalogue
from bench.report import write_section
from bench.titles import Film, fill, real_films, without_accents_of
from tests.conftest import open_folder

MILLION = 1_000_000
ASKED = 1_000
SHOWN = 10
ARTICLES = ("The ", "A ", "An ")
Spelling = Callable[[str, random.Random], str]


def exact(title: str, _chance: random.Random) -> str:
    """As it is."""
    return title


def edited(title: str, chance: random.Random) -> str:
    """A letter wrong, missing or too many, or two neighbours swapped, wherever it may be, spaces included."""
    place, letter = chance.randrange(len(title)), chance.choice(string.ascii_lowercase)
    before, this, after = title[:place], title[place], title[place + 1 :]
    return chance.choice(
        (before + letter + after, before + after, before + letter + this + after, before + after[:1] + this + after[1:])
    )


def edited_twice(title: str, chance: random.Random) -> str:
    """Two edits, wherever they may be."""
    return edited(edited(title, chance) or title, chance)


def swapped(title: str, chance: random.Random) -> str:
    """Two words that stand beside each other the other way round."""
    words = title.split()
    if len(words) > 1:
        place = chance.randrange(len(words) - 1)
        words[place : place + 2] = reversed(words[place : place + 2])
    return " ".join(words)


def word_missing(title: str, chance: random.Random) -> str:
    """One word, whichever, left out."""
    words = title.split()
    if len(words) > 1:
        del words[chance.randrange(len(words))]
    return " ".join(words)


def word_of_three_missing(title: str, chance: random.Random) -> str:
    """The same, of titles that leave two words or more."""
    return word_missing(title, chance) if len(title.split()) > 2 else title


def without_article(title: str, _chance: random.Random) -> str:
    """The first article left out."""
    article = next((article for article in ARTICLES if title.startswith(article)), "")
    return title.removeprefix(article)


def another_article(title: str, _chance: random.Random) -> str:
    """An article in front of a title that has none."""
    return title if title.startswith(ARTICLES) else f"The {title}"


def without_accents(title: str, _chance: random.Random) -> str:
    """Every accent left out."""
    return without_accents_of(title)


def without_spaces(title: str, _chance: random.Random) -> str:
    """All as one word."""
    return title.replace(" ", "")


# What is measured, and how many of a hundred films should be among the first ten.
SPELLINGS: dict[str, tuple[Spelling, int | None]] = {
    "exact": (exact, 100),
    "one edit": (edited, 97),
    "two edits": (edited_twice, 85),
    "words swapped": (swapped, 97),
    "a word missing": (word_missing, 90),
    "a word of three or more missing": (word_of_three_missing, None),
    "article left out": (without_article, None),
    "article put in": (another_article, None),
    "accents left out": (without_accents, None),
    "spaces left out": (without_spaces, None),
}


@dataclass
class Outcome:
    """What became of searches that are spelt in one way."""

    wanted: int | None
    places: list[int | None] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def row(self, movies: int, spelling: str) -> list[str]:
        """A row of the table."""
        asked = len(self.places)
        first = sum(place == 0 for place in self.places) / asked
        shown = sum(place is not None for place in self.places) / asked
        times = sorted(1000 * seconds for seconds in self.seconds)
        return [
            f"{movies:,}",
            spelling,
            f"{asked:,}",
            f"{first:.1%}",
            f"{shown:.1%}",
            f"{self.wanted} %" if self.wanted else "",
            f"{times[asked // 2]:.1f} / {times[int(0.99 * asked)]:.1f} / {times[-1]:.1f} ms",
        ]


async def main(docs: Path) -> None:
    """Measure, and write the table."""
    films = real_films(Path(os.environ["REAL_DATA_DIR"]))
    rows = []
    with open_folder() as folder, embedded_postgres(folder / "postgres", durable=False) as url:
        for size in (len(films), MILLION):
            await _emptied(url)
            await fill(make_url(url), films, size)
            rows += await measured(url, films, size)
    write_section(docs, "search", COLUMNS, rows)


COLUMNS = (
    "movies",
    "asked for",
    "searches",
    "the film is first",
    "among the first ten",
    "wanted",
    "p50 / p99 / longest",
)


async def _emptied(url: str) -> None:
    database = Database(make_url(url))
    async with database.engine.connect() as connection:
        await connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        await connection.exec_driver_sql("CREATE SCHEMA public")
        await connection.commit()
    await database.close()


async def measured(url: str, films: Sequence[Film], size: int) -> list[list[str]]:
    """Rows of the table: all spellings, in a catalogue of one size."""
    database = Database(make_url(url))
    rows = []
    for name, (spelling, wanted) in SPELLINGS.items():
        chance = random.Random(name)
        outcome = Outcome(wanted)
        for film in chance.sample(films, len(films)):
            asked = spelling(film.title, chance).strip()
            changed = fold(asked) != fold(film.title)
            if spelling is without_accents:  # which are folded away on either side
                changed = asked != film.title
            if not 0 < len(asked) <= MAX_FILTER_LENGTH or not (changed or spelling is exact):
                continue
            await _ask(database, film, asked, outcome)
            if len(outcome.places) == ASKED:
                break
        rows.append(outcome.row(size, name))
        sys.stdout.write(" | ".join(rows[-1]) + "\n")
        sys.stdout.flush()
    await database.close()
    return rows


async def _ask(database: Database, film: Film, asked: str, outcome: Outcome) -> None:
    began = time.perf_counter()
    movies, _ = await Catalogue(database).page(MovieQuery(search=asked), SHOWN, 0, None)
    outcome.seconds.append(time.perf_counter() - began)
    titles = [fold(json.loads(movie)["title"]) for movie in movies]
    # Films of the same title cannot be told apart by it.
    outcome.places.append(titles.index(fold(film.title)) if fold(film.title) in titles else None)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
