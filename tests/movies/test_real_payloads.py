"""Over a thousand recorded payloads, through the real client into a real database and out again over HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.doubles.omdb import OmdbDouble
from tests.movies.conftest import found, stored, with_omdb

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
TEXTS = {
    "Title": "title",
    "Year": "year",
    "Runtime": "runtime",
    "Plot": "plot",
    "Awards": "awards",
    "Poster": "poster",
    "Metascore": "metascore",
    "imdbRating": "imdb_rating",
    "imdbVotes": "imdb_votes",
    "Type": "type",
    "totalSeasons": "total_seasons",
    "imdbID": "imdb_id",
}
NAMES = {
    "Genre": ("genres", "name"),
    "Language": ("languages", "name"),
    "Country": ("countries", "name"),
    "Director": ("directors", "full_name"),
    "Writer": ("writers", "full_name"),
    "Actors": ("actors", "full_name"),
}


def known(payload: dict[str, Any], key: str) -> str | None:
    text = payload.get(key, "N/A").strip(" ")
    return None if text in ("N/A", "") else text


def listed(text: str | None) -> list[str]:
    """The names in `text`, read character by character: what stands in parentheses is skipped, commas and all."""
    names, name, depth = [], "", 0
    for character in f"{text or ''},":
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            names.append(" ".join(name.split()))
            name = ""
        elif depth == 0 and character != ")":
            name += character
    kept: list[str] = []
    for candidate in names:
        if candidate and candidate not in kept:
            kept.append(candidate)
    return kept


def expected(payload: dict[str, Any]) -> dict[str, Any]:
    """The movie object for `payload` but for what the service adds, by the contract and not by our parser."""
    movie: dict[str, Any] = {ours: known(payload, theirs) for theirs, ours in TEXTS.items()}
    for theirs, (ours, member) in NAMES.items():
        movie[ours] = [{member: name} for name in listed(known(payload, theirs))]
    released = known(payload, "Released")
    if released:
        day, month, year = released.split(" ")
        released = f"{year}-{MONTHS.index(month) + 1:02}-{int(day):02}"
    movie["released_date"] = released
    movie["ratings"] = [{"source": r["Source"], "value": r["Value"]} for r in payload.get("Ratings", [])]
    return movie


@pytest.fixture
def payloads(real_data: Path) -> dict[str, dict[str, Any]]:
    lines = (real_data / "omdb.jsonl").read_text(encoding="utf-8").splitlines()
    return {payload["imdbID"]: payload for payload in map(json.loads, lines)}


async def test_every_fact_of_every_recorded_payload_comes_out_as_the_contract_says(
    start: Start, payloads: dict[str, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    ids = list(payloads)
    pages = {f"page {n}": ids[n : n + 10] for n in range(0, len(ids), 10)}
    async with OmdbDouble(payloads.values()) as omdb, start(**with_omdb(omdb)) as client:
        omdb.found = dict(pages)
        for expression, page in pages.items():
            assert await found(client, expression) == ("omdb", page)
        assert len(omdb.looked_up) == len(ids)
        movies = await stored(client)
    added = {"id", "created_at", "likes_count", "watch_later_count", "is_liked", "is_watch_later"}
    wrong, facts = [], 0
    for movie in movies:
        wanted = expected(payloads[movie["imdb_id"]])
        assert set(movie) == set(wanted) | added
        for key, value in wanted.items():
            facts += len(value) if isinstance(value, list) else 1
            if movie[key] != value:
                wrong.append((movie["imdb_id"], key, movie[key], value))
    with capsys.disabled():
        print(f"\n{len(movies)} recorded titles, {facts} facts compared, {len(wrong)} differ")  # noqa: T201
    assert wrong == []
    assert len(movies) == len(payloads) > 1000
