"""How many titles resolve to the right film: every film of recorded OMDb payloads, asked for in many spellings.

`make bench-resolve` runs it against a PostgreSQL and an OMDb of its own, on loopback, and writes docs/resolution.md.
REAL_DATA_DIR names the folder with `omdb.jsonl`.
"""

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from app.core.database import Database
from app.core.embedded_postgres import embedded_postgres
from app.movies.enrichment import store_fetched
from app.movies.matching import WantedTitle
from app.movies.resolution import TitleResolver
from app.upstream.omdb import Omdb
from app.upstream.titles import parse_title
from bench.titles import without_accents_of
from tests.doubles.omdb import KEY, OmdbDouble

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "resolution.md"
# As many as an AI search may name at most; all of them are looked for side by side.
AT_ONCE = 20
ARTICLE = re.compile(r"(The|A|An|Le|La|Les|Der|Die|Das|El|Los|Las|Il) (?=\S)|(L')(?=\w)")
Payload = Mapping[str, Any]


def exact(title: str, year: int) -> tuple[str, int]:
    """As OMDb has it."""
    return title, year


def without_accents(title: str, year: int) -> tuple[str, int]:
    """Every accent left out."""
    return without_accents_of(title), year


def without_subtitle(title: str, year: int) -> tuple[str, int]:
    """What stands before the first colon or dash."""
    return re.split(r": | - ", title, maxsplit=1)[0], year


def with_article_moved(title: str, year: int) -> tuple[str, int]:
    """'The Matrix' as 'Matrix, The'."""
    article = ARTICLE.match(title)
    return (f"{title[article.end() :]}, {article[0].strip()}" if article else title), year


def without_article(title: str, year: int) -> tuple[str, int]:
    """'The Matrix' as 'Matrix'."""
    article = ARTICLE.match(title)
    return (title[article.end() :] if article else title), year


def without_punctuation(title: str, year: int) -> tuple[str, int]:
    """Only letters, digits and spaces, and 'and' for '&'."""
    text = re.sub("['\u2019.]", "", title.replace("&", " and "))
    return " ".join(re.sub(r"[^\w\s]", " ", text).split()), year


SPELLINGS: dict[str, Callable[[str, int], tuple[str, int]]] = {
    "exact": exact,
    "year + 1": lambda title, year: (title, year + 1),
    "year − 1": lambda title, year: (title, year - 1),  # noqa: RUF001 - a minus
    "lower case": lambda title, year: (title.lower(), year),
    "without accents": without_accents,
    "subtitle cut": without_subtitle,
    "article moved": with_article_moved,
    "article left out": without_article,
    "punctuation left out": without_punctuation,
}


@dataclass
class Count:
    """How one spelling did.

    Attributes:
        wrong: what was asked for, the right id, and what came instead.
    """

    asked: int = 0
    right: int = 0
    calls: int = 0
    wrong: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def share(self) -> str:
        """In per cent, rounded down: 100.0 means all."""
        return f"{self.right * 1000 // self.asked / 10:.1f} %" if self.asked else "–"  # noqa: RUF001 - a dash


def questions(films: Iterable[Payload], spelling: str) -> list[tuple[WantedTitle, str]]:
    """The films whose title and year that spelling changes, each as it is asked for, and their ids."""
    asked = []
    for film in films:
        given = film["Title"], int(film["Year"][:4])
        title, year = SPELLINGS[spelling](*given)
        if spelling == "exact" or (title, year) != given:
            asked.append((WantedTitle(title, year=year), film["imdbID"]))
    return asked


async def ask(resolver: TitleResolver, asked: Sequence[tuple[WantedTitle, str]], forget: Callable[[], Any]) -> Count:
    """Resolve all of `asked`, twenty at a time, after `forget` each time."""
    count = Count()
    for start in range(0, len(asked), AT_ONCE):
        await forget()
        group = asked[start : start + AT_ONCE]
        for (wanted, imdb_id), found in zip(group, await resolver.resolve([w for w, _ in group]), strict=True):
            if found.failure:
                raise RuntimeError(f"{wanted} failed: {found.failure}")
            got = found.movie.imdb_id if found.movie else "nothing"
            count.asked += 1
            count.calls += found.calls
            count.right += got == imdb_id
            if got != imdb_id:
                count.wrong.append((f"{wanted.title} ({wanted.year})", imdb_id, got))
    return count


@asynccontextmanager
async def migrated() -> AsyncIterator[Database]:
    """An empty catalogue."""
    with TemporaryDirectory(prefix="movie-finder-bench-") as name:
        folder = Path(name)
        await asyncio.to_thread(folder.chmod, 0o755)  # a root's server account must get in
        with embedded_postgres(folder, durable=False) as url:
            config = Config()
            config.set_main_option("script_location", str(ROOT / "migrations"))
            config.attributes["url"] = url
            await asyncio.to_thread(command.upgrade, config, "head")
            database = Database(url)
            yield database
            await database.close()


async def measure(payloads: Sequence[Payload]) -> dict[str, dict[str, Count]]:
    """For each kind of title and each setting, how each spelling did."""
    counts: dict[str, dict[str, Count]] = {}
    kinds = {kind: [p for p in payloads if p["Type"] == kind] for kind in ("movie", "series")}
    async with migrated() as database, OmdbDouble(payloads) as double:
        finder = Omdb(double.url, KEY, deadline=20)

        async def forget() -> None:
            async with database.transaction() as session:
                await session.execute(text("DELETE FROM movies"))

        async def keep() -> None:
            """Nothing is forgotten."""

        async def all_spellings(setting: str, resolver: TitleResolver, before: Callable[[], Any]) -> None:
            for kind, titles in kinds.items():
                counts[f"{kind}, {setting}"] = {
                    spelling: await ask(resolver, questions(titles, spelling), before) for spelling in SPELLINGS
                }

        for double.literal in (False, True):
            setting = "empty, literal OMDb" if double.literal else "empty, OMDb"
            await all_spellings(setting, TitleResolver(database, finder), forget)
        await forget()
        await store_fetched(database, [parse_title(payload) for payload in payloads])
        await all_spellings("full, no OMDb", TitleResolver(database), keep)
        await forget()
        await time_waves(TitleResolver(database, finder), double, kinds["movie"])
        await finder.close()
    return counts


async def time_waves(resolver: TitleResolver, double: OmdbDouble, films: Sequence[Payload]) -> None:
    """Print what the waves of calls take; it depends on the machine and is not written down."""
    double.latency = 0.1
    for name, spelling in {"known by name": "exact", "found by a search": "punctuation left out"}.items():
        double.literal = spelling != "exact"
        wanted = [title for title, _ in questions(films, spelling)][:AT_ONCE]
        double.forget()
        begin = time.perf_counter()
        await resolver.resolve(wanted)
        took = time.perf_counter() - begin
        print(f"{len(wanted)} titles {name}, 100 ms a call: {took * 1000:.0f} ms, {len(double.calls)} calls")


SETTINGS = ("empty, OMDb", "empty, literal OMDb", "full, no OMDb")
INTRODUCTION = """# Titles resolved to films

How often a title with a year comes back as the right IMDb id: every film and series of {payloads} recorded OMDb
payloads, asked for by title and year in several spellings, through `TitleResolver` and an OMDb on loopback that answers
from these payloads. `make bench-resolve` makes this page again. A spelling is asked for where it changes the title.

- *Empty catalogue*: nothing is stored, and forgotten after every twenty titles; all comes from OMDb. In brackets, how
  many calls a title took.
- *Literal OMDb*: the same with an OMDb that takes a name for the whole title only, and to which accents, apostrophes
  and hyphens matter: worse in all of it than the real one is known to be.
- *Stored only*: all payloads are stored, and there is no OMDb.
"""
AMBIGUOUS = """
What came back wrong, but for the literal OMDb, is listed below. "The Toxic Avenger" of 1984 is in the data under two
ids, and "#DUPE#" is OMDb's own mark for five titles, two of them of one year: by title and year nobody can tell these.
A year that is off by one is the right year of another title at times, which is then taken. What is left are words
without the points that part them.

| asked for | right | came back |
| --- | --- | --- |
"""


def table(counts: Mapping[str, Mapping[str, Count]], payloads: Sequence[Payload]) -> str:
    """What is written to docs/resolution.md."""
    lines = [INTRODUCTION.format(payloads=f"{len(payloads):,}")]
    for kind, heading in {"movie": "Films", "series": "Series"}.items():
        lines.append(f"\n## {heading}\n\n| asked for | titles | empty catalogue | literal OMDb | stored only |")
        lines.append("| --- | ---: | ---: | ---: | ---: |")
        for spelling in SPELLINGS:
            ways = [counts[f"{kind}, {setting}"][spelling] for setting in SETTINGS]
            if not ways[0].asked:
                continue
            shares = [f"{way.share} ({way.calls / way.asked:.1f})" if way.calls else way.share for way in ways]
            lines.append(f"| {spelling} | {ways[0].asked:,} | {' | '.join(shares)} |")
    wrong = {
        entry: None
        for kind in ("movie", "series")
        for setting in (SETTINGS[0], SETTINGS[2])
        for count in counts[f"{kind}, {setting}"].values()
        for entry in count.wrong
    }
    listed = [f"| {' | '.join(entry)} |" for entry in wrong]
    return "\n".join(lines) + "\n" + AMBIGUOUS + "\n".join(listed) + "\n"


async def main() -> None:
    """Measure, and write the table."""
    folder = Path(os.environ.get("REAL_DATA_DIR") or "")
    if not (folder / "omdb.jsonl").is_file():
        sys.exit("bench-resolve: REAL_DATA_DIR names no folder with omdb.jsonl")
    payloads = [json.loads(line) for line in (folder / "omdb.jsonl").read_text(encoding="utf-8").splitlines()]
    counts = await measure(payloads)
    page = table(counts, payloads)
    print(page)
    TABLE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
