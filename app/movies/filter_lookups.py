"""Filters whose values are looked up first, so that the movies are found, and counted, by an index."""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy import BigInteger, ColumnElement, Integer, Table, Text, bindparam, cast, exists, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from app.core.database import Database
from app.core.driver_statement import DriverStatement
from app.movies.models import MOVIE_RATING_TOTALS, MOVIE_TOTALS, Genre, Movie, MovieGenre

OF_GENRE = MovieGenre.genre_id == bindparam("genre_id")
_OF_GENRES = MovieGenre.genre_id == func.any(bindparam("genre_ids", type_=ARRAY(Integer)))
# The conditions of what was looked up, by the name of its parameter.
LOOKED_UP: dict[str, ColumnElement[bool]] = {
    "genre_id": exists().where(MovieGenre.movie_id == Movie.id, OF_GENRE),
    "genre_ids": exists().where(MovieGenre.movie_id == Movie.id, _OF_GENRES),
    "years": Movie.year == func.any(bindparam("years", type_=ARRAY(Text))),
}
RATING_BOUNDS: dict[str, Callable[[ColumnElement[Any]], ColumnElement[bool]]] = {
    "rating_min": lambda rating: rating >= bindparam("rating_min"),
    "rating_max": lambda rating: rating <= bindparam("rating_max"),
}


class LookedUp(NamedTuple):
    """The parameters of the filters.

    Attributes:
        values: by name.
        genre: the one genre, where movies are filtered by nothing else: its `total`, and the `total_of_all`.
    """

    values: dict[str, Any]
    genre: asyncpg.Record | None = None


async def looked_up(database: Database, values: dict[str, Any]) -> LookedUp | None:
    """Genres and years by what they are stored as; None where there are none such."""
    found, genres = dict(values), []
    if "genres" in found:
        genres = await database.fetch(_GENRES, genres=found.pop("genres"))
        if not genres:
            return None
        if len(genres) == 1:
            found["genre_id"] = genres[0]["id"]
        else:
            found["genre_ids"] = [genre["id"] for genre in genres]
    if "year" in found:
        years = await database.fetch(_YEARS, year=found.pop("year"))
        if not years:
            return None
        found["years"] = [row["year"] for row in years]
    return LookedUp(found, genres[0] if len(genres) == len(found) == 1 else None)


def total_of_all() -> ColumnElement[int]:
    """How many movies there are."""
    return _sum(MOVIE_TOTALS, MOVIE_TOTALS.c.genre_id.is_(None))


def kept_total(filters: Collection[str]) -> ColumnElement[int] | None:
    """How many movies these filters leave, where the database keeps that: of one genre, or all, with some ratings."""
    bounds = RATING_BOUNDS.keys() & filters
    genre = {"genre_id"} & set(filters)
    if not bounds or bounds | genre != set(filters):
        return None
    totals = MOVIE_RATING_TOTALS.c
    of_genre = totals.genre_id == bindparam("genre_id") if genre else totals.genre_id.is_(None)
    return _sum(MOVIE_RATING_TOTALS, of_genre, *(RATING_BOUNDS[name](totals.imdb_rating) for name in sorted(bounds)))


def _sum(totals: Table, *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    total = select(func.coalesce(func.sum(totals.c.change), 0)).where(*conditions)
    return cast(total.scalar_subquery(), BigInteger)


def _genres() -> DriverStatement:
    of_genre = MOVIE_TOTALS.c.genre_id == Genre.id
    return DriverStatement.of(
        select(
            Genre.id,
            _sum(MOVIE_TOTALS, of_genre).label("total"),
            total_of_all().label("total_of_all"),
        ).where(Genre.name.ilike(bindparam("genres")))
    )


def _years() -> DriverStatement:
    """Of all years that there are, each found as the next in the index, those that match."""
    first = select(func.min(Movie.year).label("year")).cte("years", recursive=True)
    following = select(func.min(Movie.year)).where(Movie.year > first.c.year).scalar_subquery()
    years = first.union_all(select(following).where(first.c.year.is_not(None)))
    return DriverStatement.of(select(years.c.year).where(years.c.year.ilike(bindparam("year"))))


_GENRES = _genres()
_YEARS = _years()
