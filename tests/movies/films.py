"""The sample catalogue as a client should see it, worked out from the file alone."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.conftest import sample_payloads

MEMBERS: dict[str, tuple[type, ...]] = {
    "id": (int,),
    "imdb_id": (str,),
    "title": (str,),
    "year": (str, type(None)),
    "released_date": (str, type(None)),
    "runtime": (str, type(None)),
    "plot": (str, type(None)),
    "languages": (list,),
    "countries": (list,),
    "awards": (str, type(None)),
    "poster": (str, type(None)),
    "metascore": (str, type(None)),
    "ratings": (list,),
    "imdb_rating": (str, type(None)),
    "imdb_votes": (str, type(None)),
    "type": (str, type(None)),
    "total_seasons": (str, type(None)),
    "writers": (list,),
    "genres": (list,),
    "actors": (list,),
    "directors": (list,),
    "is_liked": (bool,),
    "likes_count": (int,),
    "is_watch_later": (bool,),
    "watch_later_count": (int,),
    "created_at": (str,),
}
ITEMS = {
    "languages": {"name"},
    "countries": {"name"},
    "genres": {"name"},
    "writers": {"full_name"},
    "actors": {"full_name"},
    "directors": {"full_name"},
    "ratings": {"source", "value"},
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass(frozen=True)
class Film:
    """What filters and orderings look at."""

    imdb_id: str
    title: str
    year: str | None
    genres: tuple[str, ...]
    rating: float | None
    type: str | None

    @property
    def folded(self) -> str:
        """The title without case and accents."""
        return plain(self.title)

    @property
    def first_year(self) -> int | None:
        """The first year, as a number."""
        return int(self.year[:4]) if self.year else None


def plain(text: str) -> str:
    """`text` without case and accents; enough for the sample's titles."""
    return "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")


def known(payload: dict[str, Any], key: str) -> str | None:
    """What the file says, None where it says N/A or nothing."""
    text = payload.get(key)
    return text if text not in {None, "", "N/A"} else None


def films() -> list[Film]:
    """The sample catalogue."""
    return [
        Film(
            payload["imdbID"],
            payload["Title"],
            known(payload, "Year"),
            tuple((known(payload, "Genre") or "").split(", ")) if known(payload, "Genre") else (),
            float(payload["imdbRating"]) if known(payload, "imdbRating") else None,
            known(payload, "Type"),
        )
        for payload in sample_payloads()
    ]


FILMS = films()


def matching(holds: Callable[[Film], bool]) -> set[str]:
    """The IMDb ids of the films for which something holds."""
    return {film.imdb_id for film in FILMS if holds(film)}


async def listed(client: httpx.AsyncClient, limit: int = 100, /, **parameters: str) -> list[dict[str, Any]]:
    """Every movie of a list, by following its links; the count of each page is checked."""
    movies: list[dict[str, Any]] = []
    url: str | None = f"/movies/?{httpx.QueryParams({**parameters, 'limit': str(limit)})}"
    counts = set()
    while url:
        response = await client.get(url)
        assert response.status_code == 200, (parameters, response.text)
        page = response.json()
        counts.add(page["count"])
        movies += page["results"]
        url = page["next"]
    assert counts == {len(movies)}, parameters
    ids = [movie["id"] for movie in movies]
    assert len(set(ids)) == len(ids), parameters
    return movies


def imdb_ids(movies: Iterable[dict[str, Any]]) -> list[str]:
    """The IMDb ids of movies, in their order."""
    return [movie["imdb_id"] for movie in movies]


def check_movie(movie: dict[str, Any]) -> None:
    """`movie` has exactly the contract's members, each of its type, and nothing unknown is shown as a word."""
    case = movie.get("imdb_id")
    assert list(movie) == list(MEMBERS), case
    for name, types in MEMBERS.items():
        assert type(movie[name]) in types, (case, name, movie[name])
        assert movie[name] not in {"", "N/A"} if isinstance(movie[name], str) else True, (case, name)
    for name, members in ITEMS.items():
        for item in movie[name]:
            assert set(item) == members, (case, name)
            assert all(isinstance(text, str) and text not in {"", "N/A"} for text in item.values()), (case, name)
    assert TIME.fullmatch(movie["created_at"]), case
    assert movie["id"] > 0, case
