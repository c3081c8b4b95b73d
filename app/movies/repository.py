"""The catalogue's SQL."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Row,
    ScalarSelect,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.ordering import order_by
from app.core.text import fold, like_pattern
from app.movies.models import Genre, Movie, MovieCounts, MovieGenre
from app.movies.schemas import DEFAULT_MOVIE_ORDERING, MovieFilters, MovieQuery
from app.movies.typos import one_typo_pattern
from app.upstream.titles import TitleFacts

MovieRow = Row[Any]

ORDERINGS: Mapping[str, ColumnElement[Any]] = {
    "imdb_id": Movie.__table__.c.imdb_id,
    "title": Movie.__table__.c.folded_title,
    "genre": Movie.genres[1],
    "year": Movie.__table__.c.first_year,
    "likes_count": MovieCounts.__table__.c.likes_count,
    "imdb_rating": Movie.__table__.c.imdb_rating,
    "created_at": Movie.__table__.c.created_at,
}
# What is longer would not fit into an entry of its index: 600 characters of 4 bytes are just under a third of a page.
FOLDED_TITLE_LENGTH = 600
# Each costs a regular expression on every title that has those before it: 60 took seconds at 100,000 movies.
MOST_FORGIVEN_WORDS = 16
_UNSHOWN = {"folded_title", "first_year"}
_TEXTS = {"title", "folded_title"}
_LISTS = {"genres", "languages", "countries", "directors", "writers", "actors"}


class Matches(NamedTuple):
    """How many movies a query matches, and whether only because a typo was forgiven."""

    total: int
    forgiving: bool


def movie_rows() -> Select[Any]:
    """Movies as clients see them, one row each."""
    shown = [column for column in Movie.__table__.c if column.name not in _UNSHOWN]
    return select(
        *shown,
        MovieCounts.likes_count,
        MovieCounts.watch_later_count,
        literal(value=False).label("is_liked"),
        literal(value=False).label("is_watch_later"),
    ).join(MovieCounts, MovieCounts.movie_id == Movie.id)


class MovieRepository:
    """Reads and writes movies; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, movie_id: int) -> MovieRow | None:
        """The movie with this id."""
        row: MovieRow | None = (await self._session.execute(movie_rows().where(Movie.id == movie_id))).one_or_none()
        return row

    async def by_imdb_id(self, imdb_ids: Sequence[str]) -> dict[str, MovieRow]:
        """Those of these titles that are stored."""
        rows = await self._session.execute(movie_rows().where(Movie.imdb_id.in_(imdb_ids)))
        return {row.imdb_id: row for row in rows}

    async def match(self, query: MovieFilters) -> Matches:
        """How many movies match; typos are forgiven where nothing matches without."""
        exact = _count(_conditions(query, forgiving=False))
        if not query.search:
            return Matches((await self._session.execute(select(exact))).scalar_one(), forgiving=False)
        counted = select(exact.label("count")).subquery()
        forgiven = case((counted.c.count == 0, _count(_conditions(query, forgiving=True))))
        count, count_forgiven = (await self._session.execute(select(counted.c.count, forgiven))).one()
        return Matches(count or count_forgiven, forgiving=bool(count_forgiven))

    async def page(self, query: MovieQuery, limit: int, offset: int, *, forgiving: bool) -> Sequence[MovieRow]:
        """A page of the movies that match, in the query's order."""
        order = _order(query, forgiving=forgiving)
        # The page is chosen first, by an index where the order has one, and joined afterwards.
        chosen = select(Movie.id).where(*_conditions(query, forgiving=forgiving)).order_by(*order)
        if query.ordering and "likes_count" in query.ordering:
            chosen = chosen.join(MovieCounts, MovieCounts.movie_id == Movie.id)
        page = chosen.limit(limit).offset(offset).subquery("page")
        movies = movie_rows().join(page, page.c.id == Movie.id).order_by(*order)
        rows: Sequence[MovieRow] = (await self._session.execute(movies)).all()
        return rows

    async def is_empty(self) -> bool:
        """Whether there is no movie at all."""
        return not (await self._session.execute(select(exists(select(Movie.id))))).scalar_one()

    async def genres(self) -> Sequence[str]:
        """The genres of the stored movies, sorted."""
        used = exists().where(MovieGenre.genre_id == Genre.id)
        return (await self._session.execute(select(Genre.name).where(used).order_by(Genre.name))).scalars().all()

    async def stale(self, before: datetime, unrated_before: datetime, limit: int) -> Sequence[str]:
        """The IMDb ids of titles fetched before a time, a later one for those without a rating; oldest first."""
        fetched = Movie.refreshed_at
        is_stale = or_(fetched.is_(None), fetched < before, and_(Movie.imdb_rating.is_(None), fetched < unrated_before))
        oldest = select(Movie.imdb_id).where(is_stale).order_by(fetched.nulls_first(), Movie.id).limit(limit)
        return (await self._session.execute(oldest)).scalars().all()

    async def upsert(self, titles: Iterable[TitleFacts], *, refreshed_at: datetime | None) -> None:
        """Store titles in one statement. What is known is never overwritten by what is not.

        Args:
            titles: what to store.
            refreshed_at: when upstream said so; None for facts from elsewhere, which leave upstream's alone.
        """
        # In the order of their key, so that two statements with the same titles cannot deadlock.
        rows = {facts.imdb_id: _row(facts, refreshed_at) for facts in sorted(titles, key=lambda facts: facts.imdb_id)}
        if not rows:
            return
        statement = insert(Movie).values(list(rows.values()))
        new = statement.excluded
        columns: dict[str, ColumnElement[Any]] = {
            name: func.coalesce(new[name], Movie.__table__.c[name]) for name in next(iter(rows.values()))
        }
        for name in _LISTS:
            columns[name] = case((func.cardinality(new[name]) > 0, new[name]), else_=Movie.__table__.c[name])
        columns["ratings"] = case((func.jsonb_array_length(new.ratings) > 0, new.ratings), else_=Movie.ratings)
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=[Movie.imdb_id],
                set_=columns,
                where=Movie.refreshed_at.is_(None) if refreshed_at is None else None,
            )
        )

    async def touch(self, imdb_ids: Sequence[str], refreshed_at: datetime) -> None:
        """Note that upstream was asked for these titles and knew nothing new."""
        await self._session.execute(update(Movie).where(Movie.imdb_id.in_(imdb_ids)).values(refreshed_at=refreshed_at))


def _row(facts: TitleFacts, refreshed_at: datetime | None) -> dict[str, Any]:
    row = asdict(facts)
    row.update({name: list(row[name]) for name in _LISTS})
    row["ratings"] = list(row["ratings"])
    return {**row, "folded_title": fold(facts.title)[:FOLDED_TITLE_LENGTH], "refreshed_at": refreshed_at}


def _count(conditions: Sequence[ColumnElement[bool]]) -> ScalarSelect[int]:
    return select(func.count()).select_from(Movie).where(*conditions).scalar_subquery()


def _conditions(query: MovieFilters, *, forgiving: bool) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.imdb_id:
        conditions.append(Movie.imdb_id == query.imdb_id)
    if query.title:
        conditions.append(Movie.folded_title.like(f"%{like_pattern(fold(query.title))}%"))
    if query.genres:
        named = Genre.name.ilike(f"%{like_pattern(query.genres)}%")
        of_genre = exists().where(MovieGenre.movie_id == Movie.id, MovieGenre.genre_id == Genre.id, named)
        conditions.append(of_genre)
    if query.year:
        conditions.append(Movie.year.ilike(f"%{like_pattern(query.year)}%"))
    if query.search:
        conditions.append(_has_words(query.search, forgiving=forgiving))
    if query.type:
        conditions.append(Movie.type == query.type)
    if query.rating_min is not None:
        conditions.append(Movie.imdb_rating >= query.rating_min)
    if query.rating_max is not None:
        conditions.append(Movie.imdb_rating <= query.rating_max)
    return conditions


def _has_words(search: str, *, forgiving: bool) -> ColumnElement[bool]:
    words = list(dict.fromkeys(fold(search).split()))
    if not words or (forgiving and len(words) > MOST_FORGIVEN_WORDS):  # no word: nothing but accents
        return false()
    if forgiving:
        return and_(*(Movie.folded_title.regexp_match(one_typo_pattern(word)) for word in words))
    return and_(*(Movie.folded_title.like(f"%{like_pattern(word)}%") for word in words))


def _order(query: MovieQuery, *, forgiving: bool) -> Sequence[ColumnElement[Any]]:
    if query.ordering or not query.search:
        return order_by(query.ordering or DEFAULT_MOVIE_ORDERING, ORDERINGS, tie=Movie.__table__.c.id)
    wanted = " ".join(fold(query.search).split())
    nearness = (
        func.abs(func.length(Movie.folded_title) - len(wanted))
        if forgiving
        else case((Movie.folded_title == wanted, 0), (Movie.folded_title.like(f"{like_pattern(wanted)}%"), 1), else_=2)
    )
    return [nearness, Movie.imdb_votes.desc().nulls_last(), Movie.id.asc()]
