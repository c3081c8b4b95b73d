"""The SQL of lists of movies: of all that are stored, or of those in somebody's list."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select, exists, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.ordering import order_by, order_fields
from app.core.text import fold, like_pattern
from app.movies.models import Genre, Movie, MovieCounts, MovieGenre, MovieTitle
from app.movies.relevance import Misspelt, Relevance, exactly
from app.movies.repository import MovieRow, movie_rows
from app.movies.schemas import DEFAULT_MOVIE_ORDERING, MovieFilters
from app.movies.spelling import meant_by

Columns = Mapping[str, ColumnElement[Any]]
ORDERINGS: Columns = {
    "imdb_id": Movie.__table__.c.imdb_id,
    "title": Movie.__table__.c.folded_title,
    "genre": Movie.__table__.c.first_genre,
    "year": Movie.__table__.c.first_year,
    "likes_count": MovieCounts.__table__.c.likes_count,
    "imdb_rating": Movie.__table__.c.imdb_rating,
    "created_at": Movie.__table__.c.created_at,
}


@dataclass(frozen=True, slots=True)
class Entries:
    """A list that has movies in it, such as somebody's watch-later list.

    Attributes:
        table: has a row for each entry.
        movie_id: the column of it that names the movie.
        where: which of its rows are the list's.
        columns: what each movie is shown with, and can be ordered by.
        ordering: of the list, unless another is asked for.
    """

    table: FromClause
    movie_id: ColumnElement[int]
    where: ColumnElement[bool]
    columns: Columns
    ordering: str


class MovieLists:
    """Reads lists of movies.

    Args:
        session: reads.
        viewer: the id of the user for whom movies are marked as liked and queued; None for nobody.
        entries: the list; None for all movies that are stored.
    """

    def __init__(self, session: AsyncSession, viewer: int | None = None, entries: Entries | None = None) -> None:
        self._session = session
        self._viewer = viewer
        self._entries = entries

    async def find(
        self, filters: MovieFilters, ordering: str | None, limit: int, offset: int
    ) -> tuple[Sequence[MovieRow], int]:
        """A page of the movies that match, and how many match in all.

        Without an ordering those searched for come by relevance. Typos are forgiven where nothing matches without.
        """
        if not filters.search:
            total = await self.count(filters)
            return (await self.page(filters, ordering, limit, offset) if offset < total else []), total
        async for relevance in self._relevances(filters.search):
            found = self._found(filters, relevance, ordering)
            if rows := await self._page_of_found(found, ordering or relevance, limit, offset):
                return rows, rows[0].total
            if offset and (total := await self._total(found)):
                return [], total
        return [], 0

    async def best(self, search: str, most: int) -> Sequence[int]:
        """The ids of the most relevant movies, found as by `find`, and not counted."""
        filters = MovieFilters(search=search)
        async for relevance in self._relevances(search):
            found = self._found(filters, relevance, None)
            in_order = found.order_by(*_sorted(relevance, dict(found.selected_columns.items())))
            ids: Sequence[int] = (await self._session.execute(in_order.limit(most))).scalars().all()
            if ids:
                return ids
        return []

    async def count(self, filters: MovieFilters) -> int:
        """How many movies match; `search` is not looked at."""
        return await self._total(self._chosen(filters))

    async def page(self, filters: MovieFilters, ordering: str | None, limit: int, offset: int) -> Sequence[MovieRow]:
        """A page of the movies that match; `search` is not looked at."""
        default = self._entries.ordering if self._entries else DEFAULT_MOVIE_ORDERING
        return await self._page(self._chosen(filters), ordering or default, limit, offset)

    async def _relevances(self, search: str) -> AsyncIterator[Relevance]:
        """What is searched for as it is said; then, the more forgivingly the later, what may be meant."""
        relevance = exactly(search)
        if relevance is None:
            return
        yield relevance
        misspelt = Misspelt(search)
        for generous in (False, True) if misspelt.words else ():
            meant = await meant_by(self._session, misspelt.words, twice=generous)
            relevance = misspelt.nearly(meant, one_missing=generous)
            if relevance is not None:
                yield relevance

    def _chosen(self, filters: MovieFilters) -> Select[Any]:
        return self._of_the_list(select(Movie.__table__.c.id).where(*_conditions(filters)), Movie.__table__.c.id)

    def _found(self, filters: MovieFilters, relevance: Relevance, ordering: str | None) -> Select[Any]:
        """The movies that are searched for, and what they are ordered by unless there is an ordering."""
        titles = select(
            MovieTitle.movie_id,
            func.min(relevance.place).label("place"),
            func.min(func.abs(func.length(MovieTitle.folded_title) - relevance.length)).label("off_length"),
            func.max(MovieTitle.votes).label("votes"),
        ).where(relevance.condition)
        if self._entries is not None:  # for the few of a list not all that there are are looked through
            titles = titles.where(MovieTitle.movie_id.in_(select(self._entries.movie_id).where(self._entries.where)))
        found = titles.group_by(MovieTitle.movie_id).subquery("found")
        chosen = select(found.c.movie_id.label("id"), found.c.place, found.c.off_length, found.c.votes)
        if ordering or wanted(filters):  # the wide rows are looked at where they must be
            chosen = chosen.join(Movie, Movie.id == found.c.movie_id).where(*_conditions(filters))
        return self._of_the_list(chosen, found.c.movie_id)

    def _of_the_list(self, chosen: Select[Any], movie_id: ColumnElement[int]) -> Select[Any]:
        if self._entries is None:
            return chosen
        own = (column.label(name) for name, column in self._entries.columns.items())
        return (
            chosen.add_columns(*own)
            .join(self._entries.table, self._entries.movie_id == movie_id)
            .where(self._entries.where)
        )

    async def _page(self, chosen: Select[Any], order: str, limit: int, offset: int) -> Sequence[MovieRow]:
        # The page is chosen first, by an index where the order has one, and joined afterwards.
        if "likes_count" in order:
            chosen = chosen.join(MovieCounts, MovieCounts.movie_id == Movie.id)
        own = self._entries.columns if self._entries else {}
        columns = {**ORDERINGS, "id": Movie.__table__.c.id}
        chosen = chosen.order_by(*_sorted(order, {**own, **columns}))
        page = chosen.limit(limit).offset(offset).subquery("page")
        movies = movie_rows(self._viewer).join(page, page.c.id == Movie.id)
        movies = movies.add_columns(*(column for column in page.c if column.name != "id"))
        in_order = movies.order_by(*_sorted(order, {**dict(page.c.items()), **columns}))
        rows: Sequence[MovieRow] = (await self._session.execute(in_order)).all()
        return rows

    async def _page_of_found(
        self, found: Select[Any], order: str | Relevance, limit: int, offset: int
    ) -> Sequence[MovieRow]:
        """A page, each row with the total: what is found is gone through once, to be counted and for the page."""
        fields = order_fields(order) & ORDERINGS.keys() if isinstance(order, str) else set()
        if "likes_count" in fields:
            found = found.join(MovieCounts, MovieCounts.movie_id == Movie.id)
        found = found.add_columns(*(ORDERINGS[field].label(f"by_{field}") for field in fields))
        met = found.cte("met").prefix_with("MATERIALIZED")
        total = select(func.count()).select_from(met).scalar_subquery().label("total")

        def in_order(columns: Columns) -> Sequence[ColumnElement[Any]]:
            return _sorted(order, {**columns, **{field: columns[f"by_{field}"] for field in fields}})

        page = select(met, total).order_by(*in_order(dict(met.c.items()))).limit(limit).offset(offset).subquery("page")
        movies = movie_rows(self._viewer).join(page, page.c.id == Movie.id)
        movies = movies.add_columns(*(column for column in page.c if column.name != "id"))
        rows: Sequence[MovieRow] = (await self._session.execute(movies.order_by(*in_order(dict(page.c.items()))))).all()
        return rows

    async def _total(self, chosen: Select[Any]) -> int:
        counted = select(func.count()).select_from(chosen.subquery())
        total: int = (await self._session.execute(counted)).scalar_one()
        return total


def _sorted(order: str | Relevance, columns: Columns) -> Sequence[ColumnElement[Any]]:
    if isinstance(order, str):
        return order_by(order, columns, tie=columns["id"])
    by_votes, by_length = columns["votes"].desc().nulls_last(), columns["off_length"]
    rest = [by_length, by_votes] if order.by_length else [by_votes, by_length]
    return [columns["place"], *rest, columns["id"]]


class Filter(NamedTuple):
    """How movies are filtered by a field of `MovieFilters`.

    Attributes:
        condition: which movies match, by a parameter.
        parameter: what that parameter is for a value of the field.
    """

    condition: Callable[[ColumnElement[Any]], ColumnElement[bool]]
    parameter: Callable[[Any], Any] = lambda value: value


def _of_genre(pattern: ColumnElement[Any]) -> ColumnElement[bool]:
    named = select(Genre.id).where(Genre.name.ilike(pattern)).scalar_subquery()
    return exists().where(MovieGenre.movie_id == Movie.id, MovieGenre.genre_id == func.any(func.array(named)))


def substring(text: str) -> str:
    """A pattern that finds a text within another."""
    return f"%{like_pattern(text)}%"


FILTERS = {
    "imdb_id": Filter(lambda imdb_id: Movie.imdb_id == imdb_id),
    "title": Filter(Movie.folded_title.like, lambda title: substring(fold(title))),
    "genres": Filter(_of_genre, substring),
    "year": Filter(Movie.year.ilike, substring),
    "type": Filter(lambda kind: Movie.type == kind),
    "rating_min": Filter(lambda rating: Movie.imdb_rating >= rating),
    "rating_max": Filter(lambda rating: Movie.imdb_rating <= rating),
}


def wanted(filters: MovieFilters) -> dict[str, Any]:
    """The parameters of those of `FILTERS` that are set, by the field's name."""
    values = ((name, getattr(filters, name)) for name in FILTERS)
    return {name: FILTERS[name].parameter(value) for name, value in values if value is not None}


def _conditions(filters: MovieFilters) -> list[ColumnElement[bool]]:
    return [FILTERS[name].condition(literal(value)) for name, value in wanted(filters).items()]
