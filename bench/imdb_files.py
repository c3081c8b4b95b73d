r"""Files as IMDb publishes them, made up: `python -m bench.imdb_files FOLDER --titles 1000000`.

The format is that of https://developer.imdb.com/non-commercial-datasets/: gzip, UTF-8, a line of headings, tabs between
the values, `\N` for what is not known, quotes that are nothing special, sorted by the text of the ids. The same
arguments make the same files. Two mixes of titles: `cinema`, films and series, each with a rating; and `imdb`, in which
three of four titles are episodes and one of eight has a rating, as in IMDb's own files in 2024.
"""

import argparse
import gzip
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from random import Random
from typing import IO

from app.imdb_datasets.files import AKAS, BASICS, CREW, NAMES, PRINCIPALS, RATINGS, Dataset

CHUNK = 10_000
# Titles of a hundred thousand, and how many of a thousand have a rating.
MIXES = {
    "cinema": ({"movie": 62_000, "tvMovie": 10_000, "video": 6_000, "tvSeries": 18_000, "tvMiniSeries": 4_000}, 1000),
    "imdb": (
        {
            "tvEpisode": 76_400,
            "short": 9_100,
            "movie": 6_000,
            "video": 2_600,
            "tvSeries": 2_400,
            "tvMovie": 1_300,
            "tvMiniSeries": 500,
            "tvSpecial": 450,
            "videoGame": 350,
            "tvShort": 100,
            "tvPilot": 1,
            "somethingNew": 1,
        },
        125,
    ),
}
GENRES = [
    *("Drama", "Comedy", "Documentary", "Short", "Action", "Romance", "Thriller", "Crime", "Horror", "Family"),
    *("Animation", "Adventure", "Fantasy", "Music", "Mystery", "Biography", "History", "Sci-Fi", "War", "Western"),
    *("Sport", "Musical", "News", "Reality-TV", "Talk-Show", "Game-Show", "Film-Noir"),
]
CATEGORIES = ["actor"] * 4 + ["actress"] * 3 + ["self", "director", "writer", "producer", "cinematographer", "editor"]
SYLLABLES = [
    *("ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "wa", "ya", "zo"),
    *("chi", "sta", "bra", "lon", "nu", "ter", "man", "son"),
]
SHAPES = [
    "{0}",
    "{0} {1}",
    "The {0} {1}",
    "{0} of the {1}",
    "{0} and {1}",
    "{0}: {1} {2}",
    "{0} {1} {2}",
    "{0}'s {1} 2",
]


def write_datasets(
    folder: Path, *, titles: int, people: int, cast: int = 10, mix: str = "cinema", akas: int = 0, seed: int = 1
) -> None:
    """Write the files of so many titles and people into a folder.

    Args:
        folder: where to.
        titles: lines of title.basics.
        people: lines of name.basics.
        cast: lines of title.principals for each title.
        mix: of MIXES.
        akas: lines of title.akas for each title; 0 leaves the file out.
        seed: another one makes other files.
    """
    random = Random(seed)
    words = ["".join(random.choices(SYLLABLES, k=2 + n % 3)).capitalize() for n in range(20_000)]
    words[::25] = [word.replace("a", "á").replace("o", "ö") for word in words[::25]]
    _write_names(folder, random, words, people)
    with ExitStack() as stack:
        wanted = [BASICS, RATINGS, CREW, PRINCIPALS] + ([AKAS] if akas else [])
        files = {dataset: stack.enter_context(_opened(folder, dataset)) for dataset in wanted}
        numbers = _in_order_of_text(titles)
        while chunk := list(islice(numbers, CHUNK)):
            ids = [f"tt{number:07}" for number in chunk]
            _write_basics(files[BASICS], files[RATINGS], random, words, ids, mix)
            people_of = random.choices(range(1, people + 1), k=len(ids) * (cast + 3))
            files[CREW].writelines(
                f"{tconst}\tnm{people_of[3 * n]:07}\tnm{people_of[3 * n + 1]:07},nm{people_of[3 * n + 2]:07}\n"
                for n, tconst in enumerate(ids)
            )
            billed = iter(zip(people_of[3 * len(ids) :], random.choices(CATEGORIES, k=len(ids) * cast), strict=True))
            files[PRINCIPALS].writelines(
                f'{tconst}\t{n}\tnm{person:07}\t{category}\t\\N\t["{category} {n}"]\n'
                for tconst in ids
                for n, (person, category) in enumerate(islice(billed, cast), 1)
            )
            if akas:
                elsewhere = iter(_titles(random, words, len(ids) * akas))
                files[AKAS].writelines(
                    f"{tconst}\t{n}\t{next(elsewhere)}\tDE\t\\N\timdbDisplay\t\\N\t0\n"
                    for tconst in ids
                    for n in range(1, akas + 1)
                )


def _write_names(folder: Path, random: Random, words: list[str], people: int) -> None:
    with _opened(folder, NAMES) as file:
        numbers = _in_order_of_text(people)
        while chunk := list(islice(numbers, CHUNK)):
            first, last = random.choices(words, k=len(chunk)), random.choices(words, k=len(chunk))
            file.writelines(
                f"nm{number:07}\t{one} {other}\t19{number % 100:02}\t\\N\tactor,producer\ttt0000001,tt0000002\n"
                for number, one, other in zip(chunk, first, last, strict=True)
            )


def _write_basics(
    basics: IO[str], ratings: IO[str], random: Random, words: list[str], ids: list[str], mix: str
) -> None:
    kinds, rated = MIXES[mix]
    size = len(ids)
    columns = zip(
        ids,
        random.choices(list(kinds), list(kinds.values()), k=size),
        _titles(random, words, size),
        random.choices(range(1930, 2026), k=size),
        random.choices(range(1000), k=size),
        random.choices(GENRES, k=size),
        random.choices(GENRES, k=size),
        strict=True,
    )
    for tconst, kind, title, year, chance, genre, other in columns:
        original = title if chance % 10 else f"{title} (l'original)"
        adult = int(chance < 8 and mix == "imdb")
        end = year + chance % 9 if kind.endswith("Series") and chance % 3 else r"\N"
        minutes = 40 + chance % 120 if chance % 7 else r"\N"
        genres = genre if genre == other else f"{genre},{other}"
        basics.write(f"{tconst}\t{kind}\t{title}\t{original}\t{adult}\t{year}\t{end}\t{minutes}\t{genres}\n")
        if (chance * 7 + year) % 1000 < rated:
            # A few titles have a million votes, half of them fewer than thirty.
            votes = int(5 + 2_000_000 / (1 + chance * 83 + year % 83) ** 1.05)
            ratings.write(f"{tconst}\t{1 + (chance + year) % 90 / 10:.1f}\t{votes}\n")


def _titles(random: Random, words: list[str], size: int) -> Iterator[str]:
    shapes, chosen = random.choices(SHAPES, k=size), random.choices(words, k=3 * size)
    return (shape.format(*chosen[3 * n : 3 * n + 3]) for n, shape in enumerate(shapes))


def _in_order_of_text(most: int) -> Iterator[int]:
    """The numbers from 1 on, as ids of seven digits or eight are sorted: 1000000, 10000000, 10000001, …, 1000001."""
    for number in range(1, min(most, 9_999_999) + 1):
        yield number
        if number >= 1_000_000:
            yield from range(10 * number, min(10 * number + 9, most) + 1)


def _opened(folder: Path, dataset: Dataset) -> IO[str]:
    file = gzip.open(folder / dataset.name, "wt", compresslevel=1, encoding="utf-8", newline="\n")  # noqa: SIM115
    file.write("\t".join(dataset.columns) + "\n")
    return file


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--titles", type=int, default=1000)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--cast", type=int, default=10)
    parser.add_argument("--mix", choices=MIXES, default="cinema")
    parser.add_argument("--akas", type=int, default=0)
    given = vars(parser.parse_args())
    given["folder"].mkdir(parents=True, exist_ok=True)
    write_datasets(given.pop("folder"), **given)
