"""Payloads of OMDb's shape, made up for these tests with the oddities that recorded ones have."""

import json
from typing import Any

TEXT_KEYS = ("Runtime", "Plot", "Awards", "Poster", "Metascore", "totalSeasons", "Year", "Type")
NAMES_KEYS = {
    "Genre": "genres",
    "Language": "languages",
    "Country": "countries",
    "Director": "directors",
    "Writer": "writers",
    "Actors": "actors",
}
TEXT_FACTS = {
    "Year": "year",
    "Type": "type",
    "Runtime": "runtime",
    "Plot": "plot",
    "Awards": "awards",
    "Poster": "poster",
    "Metascore": "metascore",
    "totalSeasons": "total_seasons",
}


def payload(**changes: Any) -> dict[str, Any]:
    """A title with every fact, some of them changed."""
    return {
        "Title": "The Paper Lighthouse",
        "Year": "2011–2014",  # noqa: RUF001 - OMDb writes an en dash
        "Rated": "PG-13",
        "Released": "05 Mar 2011",
        "Runtime": "44 min",
        "Genre": "Drama, Mystery",
        "Director": "Ada Lindqvist",
        "Writer": "Ada Lindqvist, Jon Marsh",
        "Actors": "Mira Stone, Paul Okafor, Li Wen",
        "Plot": "A keeper writes letters to ships that never come.",
        "Language": "English, Swedish",
        "Country": "Sweden, United Kingdom",
        "Awards": "2 wins & 3 nominations.",
        "Poster": "https://posters.example/paper-lighthouse.jpg",
        "Ratings": [
            {"Source": "Internet Movie Database", "Value": "7.9/10"},
            {"Source": "Rotten Tomatoes", "Value": "91%"},
        ],
        "Metascore": "77",
        "imdbRating": "7.9",
        "imdbVotes": "12,345",
        "imdbID": "tt7654321",
        "Type": "series",
        "totalSeasons": "3",
        "Response": "True",
        **changes,
    }


def body(**changes: Any) -> bytes:
    """The same as OMDb sends it."""
    return json.dumps(payload(**changes)).encode()
