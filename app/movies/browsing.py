"""The reads that are asked for most, on the driver: one movie, and a page of all that are stored.

A page is one statement, compiled once for all that are asked for in the same way. Its rows are chosen first, by an
index where the order has one, and joined afterwards.
"""

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, bindparam, cast, exists, func, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY

from app.core.database import Database
from app.core.driver_statement import DriverStatement
from app.core.ordering import order_by
from app.movies.documents import completed, documents
from app.movies.listing import FILTERS, ORDERINGS, wanted
from app.movies.models import MOVIE_TOTALS, Genre, Movie, MovieCounts, MovieGenre
from app.movies.schemas import DEFAULT_MOVIE_ORDERING, MovieQuery

# Up to here, what is passed over is cheaper to read than a total is to ask for apart.
NEAR = 1_000
SLOW_SECONDS, KEPT_SECONDS = 0.02, 30.0
MOST_KEPT = 1_000
Values = Mapping[str, Any]


class Shape(NamedTuple):
    """What the text of a page's statement depends on.

    Attributes:
        filters: the names of those that are set.
        ordering: as a query has it.
        limit: so many rows.
        skips: whether rows are passed over.
        marked: whether there is a user to mark movies for.
        counted: whether the total is asked for as well.
        backwards: whether it is read from the end of the list.
        gathered: whether all movies of the genres are gathered before any is chosen: few are of a rare genre, and an
            index by something else would be read for long before they are found.
    """

    filters: tuple[str, ...]
    ordering: str
    limit: int
    skips: bool
    marked: bool
    counted: bool
    backwards: bool
    gathered: bool


class Browsing:
    """Reads the catalogue as JSON, for as long as the application runs.

    Args:
        database: where it is.
        slow: a total of filtered movies that took longer than so many seconds is kept for a while: to count them, all
            that match are read.
        most_kept: so many totals are.
    """

    def __init__(self, database: Database, *, slow: float = SLOW_SECONDS, most_kept: int = MOST_KEPT) -> None:
        self._database = database
        self._slow = slow
        self._most_kept = most_kept
        self._kept: dict[Any, tuple[int, float]] = {}

    async def movie(self, movie_id: int, viewer: int | None) -> str | None:
        """The JSON of the movie with this id, as a user sees it."""
        rows = await self._database.fetch(_movie(marked=viewer is not None), id=movie_id, viewer=viewer)
        return completed(rows[0]) if rows else None

    async def page(self, query: MovieQuery, limit: int, offset: int, viewer: int | None) -> tuple[list[str], int]:
        """A page of the movies that match, each as JSON, and how many match in all; `search` is not looked at."""
        values, known, gathered = wanted(query), None, False
        if "genres" in values:
            genres = await self._database.fetch(_GENRES, genres=values.pop("genres"))
            values["genre_ids"] = [genre["id"] for genre in genres]
            if not genres:
                return [], 0
            if len(genres) == len(values) == 1:
                known = genres[0]["total"]
                gathered = (offset + limit) * genres[0]["total_of_all"] > 2 * known**2
        known = known if known is not None else self._recall(values)
        if known is None and offset > NEAR:
            known = await self._count(values)
        if known is not None and offset >= known:
            return [], known
        backwards = not values and known is not None and offset > known // 2
        if backwards and known is not None:
            limit = min(limit, known - offset)
            offset = known - offset - limit
        ordering = query.ordering or DEFAULT_MOVIE_ORDERING
        shape = Shape(
            tuple(values), ordering, limit, offset > 0, viewer is not None, known is None, backwards, gathered
        )
        began = time.monotonic()
        rows = await self._database.fetch(_page(shape), **values, offset=offset, viewer=viewer)
        if known is None:
            known = rows[0]["total"] if rows else await self._count(values) if offset else 0
            self._keep(values, known, time.monotonic() - began)
        return [completed(row) for row in rows], known

    async def _count(self, values: Values) -> int:
        began = time.monotonic()
        total: int = (await self._database.fetch(_total(tuple(values)), **values))[0]["total"]
        self._keep(values, total, time.monotonic() - began)
        return total

    def _recall(self, values: Values) -> int | None:
        total, until = self._kept.get(_key(values), (None, 0.0))
        return total if time.monotonic() < until else None

    def _keep(self, values: Values, total: int, seconds: float) -> None:
        if values and seconds > self._slow:
            if len(self._kept) >= self._most_kept:
                self._kept.clear()
            self._kept[_key(values)] = total, time.monotonic() + KEPT_SECONDS


def _key(values: Values) -> str:
    return repr(sorted(values.items()))


@lru_cache(2)
def _movie(*, marked: bool) -> DriverStatement:
    return DriverStatement.of(documents(marked=marked).where(Movie.id == bindparam("id")))


@lru_cache(1_000)
def _page(shape: Shape) -> DriverStatement:
    chosen, key = _chosen(shape)
    chosen = chosen.limit(literal_column(str(shape.limit)))
    if shape.skips:
        chosen = chosen.offset(bindparam("offset", type_=BigInteger))
    page = chosen.subquery("page")
    movies = documents(marked=shape.marked).join(page, page.c[0] == key)
    if shape.counted:
        movies = movies.add_columns(_counted(shape.filters).label("total"))
    in_order = movies.order_by(*order_by(shape.ordering, ORDERINGS, tie=Movie.__table__.c.id))
    return DriverStatement.of(in_order, planned_anew=bool(shape.filters))


@lru_cache(200)
def _total(filters: tuple[str, ...]) -> DriverStatement:
    return DriverStatement.of(select(_counted(filters).label("total")), planned_anew=bool(filters))


def _chosen(shape: Shape) -> tuple[Select[*tuple[Any, ...]], ColumnElement[Any]]:
    """The rows of a page, and the column of movies that they name them by: one that the order's index has."""
    fields = {term.strip().removeprefix("-") for term in shape.ordering.split(",")}
    movies, counts = Movie.__table__.c, MovieCounts.__table__.c
    tie = movies.id
    if fields == {"likes_count"} and not shape.filters:
        tie = counts.movie_id
        chosen = select(tie)
    elif fields == {"imdb_id"}:
        chosen = select(movies.imdb_id)
    else:
        chosen = select(tie)
        if "likes_count" in fields:
            chosen = chosen.join(MovieCounts, counts.movie_id == tie)
    if shape.gathered:
        gathered = select(MovieGenre.movie_id).where(_GENRE_IDS).cte("gathered").prefix_with("MATERIALIZED")
        chosen = chosen.join(gathered, gathered.c.movie_id == movies.id)
    else:
        chosen = chosen.where(*_conditions(shape.filters))
    in_order = order_by(shape.ordering, ORDERINGS, tie=tie, backwards=shape.backwards)
    return chosen.order_by(*in_order), movies.imdb_id if fields == {"imdb_id"} else movies.id


def _counted(filters: tuple[str, ...]) -> ColumnElement[int]:
    if not filters:
        total = select(func.coalesce(func.sum(MOVIE_TOTALS.c.change), 0)).where(MOVIE_TOTALS.c.genre_id.is_(None))
        return cast(total.scalar_subquery(), BigInteger)
    return select(func.count()).select_from(Movie).where(*_conditions(filters)).scalar_subquery()


def _conditions(filters: tuple[str, ...]) -> list[ColumnElement[bool]]:
    return [
        exists().where(MovieGenre.movie_id == Movie.id, _GENRE_IDS)
        if name == "genre_ids"
        else FILTERS[name].condition(bindparam(name))
        for name in filters
    ]


_GENRE_IDS = MovieGenre.genre_id == func.any(bindparam("genre_ids", type_=ARRAY(Integer)))


def _genres() -> DriverStatement:
    change = MOVIE_TOTALS.c.change
    of_genre = select(func.coalesce(func.sum(change), 0)).where(MOVIE_TOTALS.c.genre_id == Genre.id)
    return DriverStatement.of(
        select(
            Genre.id,
            cast(of_genre.scalar_subquery(), BigInteger).label("total"),
            _counted(()).label("total_of_all"),
        ).where(Genre.name.ilike(bindparam("genres")))
    )


_GENRES = _genres()
