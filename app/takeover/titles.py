"""A movie of the Django service, as this service keeps one."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from asyncpg import Record

from app.movies.repository import movie_values
from app.takeover.findings import Findings
from app.takeover.source import NAMES
from app.upstream.titles import IMDB_ID, MAX_NAME_LENGTH, GarbledTitleError, Rating, parse_title

# Both services keep OMDb's own strings: what that calls them, by the Django service's columns.
OMDB_KEYS = {
    "imdb_id": "imdbID",
    "title": "Title",
    "year": "Year",
    "type": "Type",
    "runtime": "Runtime",
    "plot": "Plot",
    "awards": "Awards",
    "poster": "Poster",
    "metascore": "Metascore",
    "total_seasons": "totalSeasons",
    "imdb_rating": "imdbRating",
    "imdb_votes": "imdbVotes",
}
UNKNOWN = {"", "N/A"}


def staged_movie(row: Record, findings: Findings) -> dict[str, Any]:
    """The values of a movie; with `left_out` where it cannot be taken.

    A text that its column cannot hold becomes unknown, and is noted; so are names and ratings that say nothing.
    `refreshed_at` is the Django service's `updated_at`: a title that is out of date is soon fetched anew.
    """
    given = {column: row[column] or [] for column in NAMES}
    verdicts = list(zip(row["rating_sources"] or [], row["rating_values"] or [], strict=True))
    findings.read["names of movies"] += sum(map(len, given.values()))
    findings.read["ratings"] += len(verdicts)
    try:
        facts = parse_title({key: row[column] for column, key in OMDB_KEYS.items()})
    except GarbledTitleError:
        reason = "no title that can be kept" if IMDB_ID.fullmatch(row["imdb_id"].strip()) else "no IMDb id"
        return {"id": row["id"], "left_out": reason}
    for column in OMDB_KEYS:
        if getattr(facts, column) is None and row[column].strip() not in UNKNOWN:
            findings.change("movies", f"{column} cannot be read, so it is unknown", row["id"])
    names: dict[str, Any] = {column: _names(names) for column, names in given.items()}
    ratings = tuple(
        Rating(source=source, value=value) for source, value in verdicts if source.strip() and value.strip()
    )
    facts = replace(facts, released_date=row["released_date"], ratings=ratings, **names)
    values = movie_values(facts, row["updated_at"])
    values["ratings"] = json.dumps(values["ratings"])
    return {**values, "id": row["id"], "created_at": row["created_at"]}


def _names(names: Iterable[str]) -> tuple[str, ...]:
    """The names that say something, each once, in their order."""
    said = dict.fromkeys(name.strip() for name in names)
    return tuple(name for name in said if name not in UNKNOWN and len(name) <= MAX_NAME_LENGTH)
