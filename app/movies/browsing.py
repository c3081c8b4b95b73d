"""The reads that are asked for most, on the driver: one movie, and a page of all that are stored.

A page is one statement, compiled once for all that are asked for in the same way. Its rows are chosen first, by an
index where the order has one, and joined afterwards.
"""

import time
from functools import lru_cache
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Select,
    bindparam,
    func,
    literal_column,
    select,
)

from app.core.database import Database
from app.core.driver_statement import DriverStatement
from app.core.ordering import order_by, order_fields
from app.movies.documents import completed, documents
from app.movies.filter_lookups import LOOKED_UP, OF_GENRE, kept_total, looked_up, total_of_all
from app.movies.listing import FILTERS, ORDERINGS, wanted
from app.movies.models import Movie, MovieCounts, MovieGenre, MovieTitle
from app.movies.schemas import DEFAULT_MOVIE_ORDERING, MovieQuery
from app.movies.totals import KeptTotals, Values

# Up to here, what is passed over is cheaper to read than a total is to ask for apart.
NEAR = 1_000


class Shape(NamedTuple):
    """What the text of a page's statement depends on.

    Attributes:
        filters: the names of those that are set.
        ordering: as a query has it.
        limit: so many rows.
        skips: whether rows are passed over.
        backwards: whether it is read from the end of the list.
        marked: whether there is a user to mark movies for.
        counted: whether the total is asked for as well.
        gathered: whether all movies of the genres are gathered before any is chosen: few are of a rare genre, and an
            index by something else would be read for long before they are found.
    """

    filters: tuple[str, ...]
    ordering: str
    limit: int
    skips: bool
    backwards: bool
    marked: bool
    counted: bool
    gathered: bool


class Part(NamedTuple):
    """Which rows of a list: so many, after so many others, from its beginning or from its end."""

    limit: int
    offset: int
    backwards: bool = False


class Browsing:
    """Reads the catalogue as JSON, for as long as the application runs."""

    def __init__(self, database: Database, totals: KeptTotals | None = None) -> None:
        self._database = database
        self._totals = totals or KeptTotals()

    async def movie(self, movie_id: int, viewer: int | None) -> str | None:
        """The JSON of the movie with this id, as a user sees it."""
        rows = await self._database.fetch(_movie(marked=viewer is not None), id=movie_id, viewer=viewer)
        return completed(rows[0]) if rows else None

    async def page(self, query: MovieQuery, limit: int, offset: int, viewer: int | None) -> tuple[list[str], int]:
        """A page of the movies that match, each as JSON, and how many match in all; `search` is not looked at."""
        found = await looked_up(self._database, wanted(query))
        if found is None:
            return [], 0
        values, genre = found
        total, gathered = None, False
        if genre is not None:
            total, gathered = genre["total"], _is_rare(genre, offset + limit)
        if total is None:
            total = self._totals.recall(values)
        if total is None and offset > NEAR:
            total = await self._count(values)
        if total is not None and offset >= total:
            return [], total
        part = Part(limit, offset) if total is None or values else _from_the_nearer_end(limit, offset, total)
        ordering = query.ordering or DEFAULT_MOVIE_ORDERING
        shape = Shape(
            tuple(values),
            ordering,
            part.limit,
            skips=part.offset > 0,
            backwards=part.backwards,
            marked=viewer is not None,
            counted=total is None,
            gathered=gathered,
        )
        began = time.monotonic()
        rows = await self._database.fetch(_page(shape), **values, offset=part.offset, viewer=viewer)
        if total is None and rows:
            total = rows[0]["total"]
            self._totals.keep(values, total, time.monotonic() - began)
        elif total is None:
            total = await self._count(values) if offset else 0
        return [completed(row) for row in rows], total

    async def _count(self, values: Values) -> int:
        began = time.monotonic()
        total: int = (await self._database.fetch(_total(tuple(values)), **values))[0]["total"]
        self._totals.keep(values, total, time.monotonic() - began)
        return total


def _is_rare(genre: asyncpg.Record, reach: int) -> bool:
    """Whether to gather all movies of a genre takes less than to go through all movies until enough are of it.

    On the way, one in total_of_all / total is; a movie that is gathered is read for its place in the order, which is
    taken to cost twice as much as to find that one is of another genre.
    """
    return bool(reach * genre["total_of_all"] > 2 * genre["total"] ** 2)


def _from_the_nearer_end(limit: int, offset: int, total: int) -> Part:
    if offset <= total // 2:
        return Part(limit, offset)
    shown = min(limit, total - offset)
    return Part(shown, total - offset - shown, backwards=True)


@lru_cache(2)
def _movie(*, marked: bool) -> DriverStatement:
    return DriverStatement.of(documents(marked=marked).where(Movie.id == bindparam("id")))


@lru_cache(1_000)
def _page(shape: Shape) -> DriverStatement:
    met = _met(shape) if shape.counted and _are_met_by_an_index(shape.filters) else None
    chosen, key = _chosen(shape) if met is None else _chosen_of(met, shape)
    chosen = chosen.limit(literal_column(str(shape.limit)))
    if shape.skips:
        # Selected, the offset is not known to the planner, and one plan is kept. To plan takes as long as all else, and
        # as a parameter it is planned for anew: a plan for any offset seems to cost more than one for a small one.
        chosen = chosen.offset(select(bindparam("offset", type_=BigInteger)).scalar_subquery())
    page = chosen.subquery("page")
    movies = documents(marked=shape.marked).join(page, page.c[0] == key)
    if shape.counted:
        total = _counted(shape.filters) if met is None else select(func.count()).select_from(met).scalar_subquery()
        movies = movies.add_columns(total.label("total"))
    in_order = movies.order_by(*order_by(shape.ordering, ORDERINGS, tie=Movie.__table__.c.id))
    return DriverStatement.of(in_order, planned_anew=bool(shape.filters))


@lru_cache(200)
def _total(filters: tuple[str, ...]) -> DriverStatement:
    return DriverStatement.of(select(_counted(filters).label("total")), planned_anew=bool(filters))


def _chosen(shape: Shape) -> tuple[Select[*tuple[Any, ...]], ColumnElement[Any]]:
    """The rows of a page, and the column of movies that they name them by: one that the order's index has."""
    fields = order_fields(shape.ordering)
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
        gathered = select(MovieGenre.movie_id).where(OF_GENRE).cte("gathered").prefix_with("MATERIALIZED")
        chosen = chosen.join(gathered, gathered.c.movie_id == movies.id)
    else:
        chosen = chosen.where(*_conditions(shape.filters))
    in_order = order_by(shape.ordering, ORDERINGS, tie=tie, backwards=shape.backwards)
    return chosen.order_by(*in_order), movies.imdb_id if fields == {"imdb_id"} else movies.id


def _are_met_by_an_index(filters: tuple[str, ...]) -> bool:
    """Whether all movies that match are gone through once: to be counted, and for the page.

    Where nothing but an index tells how many they are, it also tells which; for filters that leave most of all movies
    the page is there sooner by the order's index.
    """
    return len(filters) > 1 and not {"title", "years"}.isdisjoint(filters)


def _met(shape: Shape) -> CTE:
    fields = order_fields(shape.ordering)
    met = select(Movie.id, *(ORDERINGS[field].label(field) for field in fields)).where(*_conditions(shape.filters))
    if "likes_count" in fields:
        met = met.join(MovieCounts, MovieCounts.movie_id == Movie.id)
    return met.cte("met").prefix_with("MATERIALIZED")


def _chosen_of(met: CTE, shape: Shape) -> tuple[Select[*tuple[Any, ...]], ColumnElement[Any]]:
    in_order = order_by(shape.ordering, dict(met.c.items()), tie=met.c.id)
    return select(met.c.id).order_by(*in_order), Movie.__table__.c.id


def _counted(filters: tuple[str, ...]) -> ColumnElement[int]:
    if not filters:
        return total_of_all()
    kept = kept_total(filters)
    if kept is not None:
        return kept
    if filters == ("title",):  # in the narrow table they are counted in half of the time
        matches = MovieTitle.is_main, MovieTitle.folded_title.like(bindparam("title"))
        return select(func.count()).select_from(MovieTitle).where(*matches).scalar_subquery()
    return select(func.count()).select_from(Movie).where(*_conditions(filters)).scalar_subquery()


def _conditions(filters: tuple[str, ...]) -> list[ColumnElement[bool]]:
    return [LOOKED_UP[name] if name in LOOKED_UP else FILTERS[name].condition(bindparam(name)) for name in filters]
