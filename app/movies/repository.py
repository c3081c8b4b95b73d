"""The catalogue's SQL."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from app.core.database import Database
from app.core.driver_statement import DriverStatement
from app.core.text import fold
from app.movies.models import Genre, Like, Movie, MovieCounts, MovieGenre, WatchLater
from app.movies.schemas import Marks
from app.movies.title_keys import title_keys
from app.upstream.titles import TitleFacts

MovieRow = Row[Any]

# What is longer would not fit into an entry of its index: 600 characters of 4 bytes are just under a third of a page.
FOLDED_TITLE_LENGTH = 600
_UNSHOWN = {"folded_title", "title_keys", "first_year", "weighted_rating", "words", "document", "first_genre"}
_TEXTS = {"title", "folded_title"}
_LISTS = {"genres", "languages", "countries", "directors", "writers", "actors"}


def movie_rows(viewer: int | None = None) -> Select[Any]:
    """Movies as a user (an id) sees them, or nobody in particular: one row each."""
    shown = [column for column in Movie.__table__.c if column.name not in _UNSHOWN]
    return select(
        *shown,
        MovieCounts.likes_count,
        MovieCounts.watch_later_count,
        _has(viewer, Like).label("is_liked"),
        _has(viewer, WatchLater).label("is_watch_later"),
    ).join(MovieCounts, MovieCounts.movie_id == Movie.id)


def _has(viewer: int | None, table: type[Like | WatchLater]) -> ColumnElement[bool]:
    if viewer is None:
        return literal(value=False)
    return exists().where(table.user_id == viewer, table.movie_id == Movie.id)


def title_columns(title: str) -> dict[str, str | list[str]]:
    """A title, and what it is found by."""
    return {"title": title, "folded_title": fold(title)[:FOLDED_TITLE_LENGTH], "title_keys": title_keys(title)}


class KnownTitle(NamedTuple):
    """A stored title, as far as it takes to tell whether it should be asked for again.

    Attributes:
        id: the movie's.
        is_rated: whether its rating is known.
        refreshed_at: when upstream was asked for it; None where it never was.
    """

    id: int
    is_rated: bool
    refreshed_at: datetime | None


async def known_titles(database: Database, imdb_ids: Sequence[str]) -> dict[str, KnownTitle]:
    """Those of these titles that are stored."""
    rows = await database.fetch(_known_titles(), imdb_ids=imdb_ids)
    return {row["imdb_id"]: KnownTitle(row["id"], row["is_rated"], row["refreshed_at"]) for row in rows}


@lru_cache(1)
def _known_titles() -> DriverStatement:
    is_rated = Movie.imdb_rating.is_not(None).label("is_rated")
    known = select(Movie.id, Movie.imdb_id, is_rated, Movie.refreshed_at)
    return DriverStatement.of(known.where(Movie.imdb_id == func.any(bindparam("imdb_ids", type_=ARRAY(Text)))))


class MovieRepository:
    """Reads and writes movies; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, movie_id: int, viewer: int | None = None) -> MovieRow | None:
        """The movie with this id, as a user sees it."""
        movie = movie_rows(viewer).where(Movie.id == movie_id)
        row: MovieRow | None = (await self._session.execute(movie)).one_or_none()
        return row

    async def marks(self, viewer: int, movie_ids: Sequence[int]) -> Marks:
        """Which of these movies a user likes, and has queued."""
        marked = select(Movie.id, _has(viewer, Like).label("liked"), _has(viewer, WatchLater).label("queued"))
        rows = (await self._session.execute(marked.where(Movie.id.in_(movie_ids)))).all()
        return Marks(frozenset(r.id for r in rows if r.liked), frozenset(r.id for r in rows if r.queued))

    async def by_imdb_id(self, imdb_ids: Sequence[str]) -> dict[str, MovieRow]:
        """Those of these titles that are stored."""
        rows = await self._session.execute(movie_rows().where(Movie.imdb_id.in_(imdb_ids)))
        return {row.imdb_id: row for row in rows}

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

    async def upsert(self, titles: Iterable[TitleFacts], *, refreshed_at: datetime | None) -> dict[str, int]:
        """Store titles in one statement. What is known is never overwritten by what is not.

        Returns the ids of the movies that were written, by their IMDb id.

        Args:
            titles: what to store.
            refreshed_at: when upstream said so; None for facts from elsewhere, which leave upstream's alone.
        """
        # In the order of their key, so that two statements with the same titles cannot deadlock.
        rows = {
            facts.imdb_id: movie_values(facts, refreshed_at)
            for facts in sorted(titles, key=lambda facts: facts.imdb_id)
        }
        if not rows:
            return {}
        written = await self._session.execute(_upserting(only_unasked=refreshed_at is None), list(rows.values()))
        return {row.imdb_id: row.id for row in written}

    async def touch(self, imdb_ids: Sequence[str], refreshed_at: datetime) -> None:
        """Note that upstream was asked for these titles and knew nothing new."""
        await self._session.execute(update(Movie).where(Movie.imdb_id.in_(imdb_ids)).values(refreshed_at=refreshed_at))


def movie_values(facts: TitleFacts, refreshed_at: datetime | None) -> dict[str, Any]:
    """The columns of a movie with these facts, those included that are made of them."""
    row = asdict(facts)
    row.update({name: list(row[name]) for name in _LISTS})
    row["ratings"] = list(row["ratings"])
    return {**row, **title_columns(facts.title), "refreshed_at": refreshed_at}


@lru_cache(2)
def _upserting(*, only_unasked: bool) -> ReturningInsert[int, str]:
    """The statement that stores `movie_values`: made and compiled once, for however many rows."""
    statement = insert(Movie)
    new = statement.excluded
    names = movie_values(TitleFacts(imdb_id="", title=""), None)
    columns: dict[str, ColumnElement[Any]] = {name: func.coalesce(new[name], Movie.__table__.c[name]) for name in names}
    for name in _LISTS:
        columns[name] = case((func.cardinality(new[name]) > 0, new[name]), else_=Movie.__table__.c[name])
    columns["ratings"] = case((func.jsonb_array_length(new.ratings) > 0, new.ratings), else_=Movie.ratings)
    return statement.on_conflict_do_update(
        index_elements=[Movie.imdb_id],
        set_=columns,
        where=Movie.refreshed_at.is_(None) if only_unasked else None,
    ).returning(Movie.id, Movie.imdb_id)
