"""A title as we understand it, parsed once from the shape that OMDb and CollectAPI share."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

IMDB_ID = re.compile(r"tt[0-9]{7,10}")
# The longest title IMDb has is under 250 characters, the longest name under 110; what is longer is a broken answer.
MAX_TITLE_LENGTH = 500
MAX_NAME_LENGTH = 250
# The longest list of names seen is under 500 characters; matching credits costs the square of this.
MAX_NAMES_LENGTH = 4_000
# C0 controls and surrogates, which OMDb's texts at times hold: the first mean nothing, the second are no characters.
_NO_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
# But a tab or a line break parts words, as a space does.
_BREAK = re.compile("[\t\n\r]+")
# A writer's credit: "Mick Garris (creator)", "Paul Kane (short story \"Dead Time\")".
_CREDIT = re.compile(r"\s*\([^()]*\)")
# With `Response: False`; the same status 200 carries misses and failures, told apart only by these words.
_MISSES = (  # no set: what stands in their place may be unhashable
    "Movie not found!",
    "Series not found!",
    "Series or episode not found!",
    "Incorrect IMDb ID.",
    "Error getting data.",  # a well-formed id that is not known
)


class GarbledTitleError(ValueError):
    """A payload that describes no title, and no list of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """One critic's or site's verdict, such as "8.8/10" by the Internet Movie Database."""

    source: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleFacts:
    """What an upstream service says of a title. None and () stand for what it does not know.

    Attributes:
        year: as upstream writes it; a series has two, with an en dash between.
        runtime: as upstream writes it, such as "148 min".
        imdb_rating: 0 to 10.
        imdb_votes: how many people the rating is made of.
    """

    imdb_id: str
    title: str
    year: str | None = None
    type: str | None = None
    released_date: date | None = None
    runtime: str | None = None
    plot: str | None = None
    awards: str | None = None
    poster: str | None = None
    metascore: str | None = None
    total_seasons: str | None = None
    imdb_rating: Decimal | None = None
    imdb_votes: int | None = None
    ratings: tuple[Rating, ...] = ()
    genres: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    directors: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """A title as a search names it."""

    imdb_id: str
    title: str
    year: str | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The first page of what a search found.

    Attributes:
        hits: each title once, in upstream's order.
        more: whether there are others that the page does not show.
    """

    hits: tuple[SearchHit, ...] = ()
    more: bool = False


def parse_title(payload: Mapping[str, Any]) -> TitleFacts:
    """The facts in a title payload of OMDb's shape (https://www.omdbapi.com/, "By ID or Title").

    Raises:
        GarbledTitleError: it has no title or no IMDb id.
    """
    imdb_id, title = known_text(payload, "imdbID"), known_text(payload, "Title")
    if imdb_id is None or not IMDB_ID.fullmatch(imdb_id) or title is None or len(title) > MAX_TITLE_LENGTH:
        raise GarbledTitleError
    rating = _matching(payload, "imdbRating", r"[0-9](\.[0-9]{1,3})?|10(\.0{1,3})?")
    votes = _matching(payload, "imdbVotes", r"[0-9]{1,3}(,?[0-9]{3}){0,3}")
    return TitleFacts(
        imdb_id=imdb_id,
        title=title,
        year=_matching(payload, "Year", r"[0-9]{4}(\s?[–-]\s?([0-9]{4})?)?"),  # noqa: RUF001 - OMDb writes an en dash
        type=_matching(payload, "Type", r"[a-z]{1,20}"),
        released_date=_released(payload),
        runtime=known_text(payload, "Runtime"),
        plot=known_text(payload, "Plot"),
        awards=known_text(payload, "Awards"),
        poster=_matching(payload, "Poster", r"https?://\S+"),
        metascore=_matching(payload, "Metascore", r"[0-9]{1,3}"),
        total_seasons=_matching(payload, "totalSeasons", r"[0-9]{1,4}"),
        imdb_rating=Decimal(rating) if rating else None,
        imdb_votes=int(votes.replace(",", "")) if votes else None,
        ratings=_ratings(payload.get("Ratings")),
        genres=_names(payload, "Genre"),
        languages=_names(payload, "Language"),
        countries=_names(payload, "Country"),
        directors=_names(payload, "Director"),
        writers=_names(payload, "Writer"),
        actors=_names(payload, "Actors"),
    )


def is_miss(payload: Mapping[str, Any]) -> bool:
    """Whether upstream says that there is no such title.

    Raises:
        GarbledTitleError: it says that something else went wrong.
    """
    if payload.get("Response") != "False":
        return False
    if payload.get("Error") in _MISSES:
        return True
    raise GarbledTitleError


def search_page(payload: Mapping[str, Any]) -> SearchPage:
    """The first page of a search; what is no title is passed over.

    Raises:
        GarbledTitleError: there is no list of hits.
    """
    hits = payload.get("Search")
    if not isinstance(hits, list):
        raise GarbledTitleError
    titles = [title for hit in hits if isinstance(hit, dict) and (title := _hit(hit))]
    total = _matching(payload, "totalResults", r"[0-9]{1,9}")
    each_once = {hit.imdb_id: hit for hit in titles}  # the same id can stand twice
    return SearchPage(tuple(each_once.values()), more=total is None or int(total) > len(hits))


def _hit(payload: Mapping[str, Any]) -> SearchHit | None:
    try:
        facts = parse_title(payload)
    except GarbledTitleError:
        return None
    return SearchHit(imdb_id=facts.imdb_id, title=facts.title, year=facts.year, type=facts.type)


def imdb_ids(hits: object) -> list[str]:
    """The IMDb ids in a list of search hits, in its order, each once; what is no id is passed over.

    Raises:
        GarbledTitleError: it is no list.
    """
    if not isinstance(hits, list):
        raise GarbledTitleError
    found = [hit.get("imdbID") for hit in hits if isinstance(hit, dict)]
    return list(dict.fromkeys(i for i in found if isinstance(i, str) and IMDB_ID.fullmatch(i)))


def known_text(payload: Mapping[str, Any], key: str) -> str | None:
    """The text at `key`, None where upstream says in any of its ways that it does not know."""
    value = payload.get(key)
    text = _NO_TEXT.sub("", _BREAK.sub(" ", value)).strip() if isinstance(value, str) else ""
    return None if text in {"", "N/A"} else text


def _matching(payload: Mapping[str, Any], key: str, pattern: str) -> str | None:
    text = known_text(payload, key)
    return text if text and re.fullmatch(pattern, text) else None


def _released(payload: Mapping[str, Any]) -> date | None:
    try:
        return datetime.strptime(known_text(payload, "Released") or "", "%d %b %Y").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _names(payload: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The names in a comma-separated list, in its order, each once and without its credit."""
    text = known_text(payload, key) or ""
    if len(text) > MAX_NAMES_LENGTH:
        return ()
    while (shorter := _CREDIT.sub("", text)) != text:  # the innermost first: a credit may hold another, and commas
        text = shorter
    names = (name.strip() for name in text.split(","))
    return tuple(dict.fromkeys(name for name in names if 0 < len(name) <= MAX_NAME_LENGTH and name != "N/A"))


def _ratings(value: object) -> tuple[Rating, ...]:
    entries = value if isinstance(value, list) else []
    pairs = [(known_text(e, "Source"), known_text(e, "Value")) for e in entries if isinstance(e, Mapping)]
    return tuple(Rating(source=source, value=verdict) for source, verdict in pairs if source and verdict)
