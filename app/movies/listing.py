"""The SQL of lists of movies: of all that are stored, or of those in somebody's list."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, exists, false, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.ordering import order_by
from app.core.text import fold, like_pattern
from app.movies.models import Genre, Movie, MovieCounts, MovieGenre
from app.movies.repository import MovieRow, movie_rows
from app.movies.schemas import DEFAULT_MOVIE_ORDERING, MovieFilters
from app.movies.typos import one_typo_pattern

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
# Each costs a regular expression on every title that has those before it: 60 took seconds at 100,000 movies.
MOST_FORGIVEN_WORDS = 16


class Matches(NamedTuple):
    """How many movies a query matches, and whether only because a typo was forgiven."""

    total: int
    forgiving: bool


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

    async def match(self, filters: MovieFilters) -> Matches:
        """How many movies match; typos are forgiven where nothing matches without."""
        exact = self._chosen(func.count(), filters, forgiving=False).scalar_subquery()
        if not filters.search:
            return Matches((await self._session.execute(select(exact))).scalar_one(), forgiving=False)
        counted = select(exact.label("count")).subquery()
        forgiving = self._chosen(func.count(), filters, forgiving=True).scalar_subquery()
        forgiven = case((counted.c.count == 0, forgiving))
        count, count_forgiven = (await self._session.execute(select(counted.c.count, forgiven))).one()
        return Matches(count or count_forgiven, forgiving=bool(count_forgiven))

    async def page(
        self, filters: MovieFilters, ordering: str | None, limit: int, offset: int, *, forgiving: bool
    ) -> Sequence[MovieRow]:
        """A page of the movies that match; without an ordering, those searched for come by relevance."""
        own = self._entries.columns if self._entries else {}
        # The page is chosen first, by an index where the order has one, and joined afterwards.
        chosen = self._chosen(Movie.__table__.c.id, filters, forgiving=forgiving).add_columns(
            *(column.label(name) for name, column in own.items())
        )
        if ordering and "likes_count" in ordering:
            chosen = chosen.join(MovieCounts, MovieCounts.movie_id == Movie.id)
        chosen = chosen.order_by(*self._order(filters, ordering, own, forgiving=forgiving))
        page = chosen.limit(limit).offset(offset).subquery("page")
        shown = {name: page.c[name] for name in own}
        movies = movie_rows(self._viewer).add_columns(*shown.values()).join(page, page.c.id == Movie.id)
        in_order = movies.order_by(*self._order(filters, ordering, shown, forgiving=forgiving))
        rows: Sequence[MovieRow] = (await self._session.execute(in_order)).all()
        return rows

    def _chosen(self, what: ColumnElement[Any], filters: MovieFilters, *, forgiving: bool) -> Select[Any]:
        chosen = select(what).select_from(Movie).where(*_conditions(filters, forgiving=forgiving))
        if self._entries is not None:
            chosen = chosen.join(self._entries.table, self._entries.movie_id == Movie.id)
            chosen = chosen.where(self._entries.where)
        return chosen

    def _order(
        self, filters: MovieFilters, ordering: str | None, own: Columns, *, forgiving: bool
    ) -> Sequence[ColumnElement[Any]]:
        if filters.search and not ordering:
            return _by_relevance(filters.search, forgiving=forgiving)
        default = self._entries.ordering if self._entries else DEFAULT_MOVIE_ORDERING
        return order_by(ordering or default, {**ORDERINGS, **own}, tie=Movie.__table__.c.id)


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


def _conditions(filters: MovieFilters, *, forgiving: bool) -> list[ColumnElement[bool]]:
    conditions = [FILTERS[name].condition(literal(value)) for name, value in wanted(filters).items()]
    if filters.search:
        conditions.append(_has_words(filters.search, forgiving=forgiving))
    return conditions


def _has_words(search: str, *, forgiving: bool) -> ColumnElement[bool]:
    words = list(dict.fromkeys(fold(search).split()))
    if not words or (forgiving and len(words) > MOST_FORGIVEN_WORDS):  # no word: nothing but accents
        return false()
    if forgiving:
        return and_(*(Movie.folded_title.regexp_match(one_typo_pattern(word)) for word in words))
    return and_(*(Movie.folded_title.like(f"%{like_pattern(word)}%") for word in words))


def _by_relevance(search: str, *, forgiving: bool) -> Sequence[ColumnElement[Any]]:
    wanted = " ".join(fold(search).split())
    nearness = (
        func.abs(func.length(Movie.folded_title) - len(wanted))
        if forgiving
        else case((Movie.folded_title == wanted, 0), (Movie.folded_title.like(f"{like_pattern(wanted)}%"), 1), else_=2)
    )
    return [nearness, Movie.imdb_votes.desc().nulls_last(), Movie.id.asc()]
