"""The catalogue's own answer to a question in somebody's own words: by PostgreSQL's full-text search.

A movie is the better the more of what is wanted it has to do with; then the better the place where the words stand, and
the more often; then the better known and rated it is. The years that are spoken of must hold.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    REAL,
    ColumnElement,
    Integer,
    Select,
    Subquery,
    Text,
    UnaryExpression,
    cast,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, REGCONFIG, TSQUERY
from sqlalchemy.ext.asyncio import AsyncSession

from app.ai.wording import Wish
from app.movies.models import Movie
from app.movies.repository import MovieRow, movie_rows

# What a word is worth in plot and languages, in genres and countries, in names, and in the title.
WEIGHTS = cast(literal([0.3, 0.5, 0.8, 1.0], ARRAY(REAL)), ARRAY(REAL))


class CatalogueSearch:
    """Reads the catalogue for a wish.

    Args:
        session: reads.
        most: so many movies at the most.
    """

    def __init__(self, session: AsyncSession, most: int) -> None:
        self._session = session
        self._most = most

    async def movies(self, wish: Wish) -> Sequence[MovieRow]:
        """The movies that fit, best first."""
        if not wish.concepts:
            return await self._best_known(wish) if wish.years or wish.series else []
        # First those that have to do with all of it: where there are many movies, that leaves few to rank.
        movies = await self._ranked(wish, " & ".join(f"({concept})" for concept in wish.concepts))
        if len(movies) < self._most and wish.matter:
            movies = await self._ranked(wish, " | ".join(f"({concept})" for concept in wish.matter))
        if not movies or (len(movies) < self._most and not wish.matter):
            movies = await self._ranked(wish, " | ".join(f"({concept})" for concept in wish.concepts))
        return movies

    async def _best_known(self, wish: Wish) -> Sequence[MovieRow]:
        movies = _within(wish, movie_rows()).order_by(*_by_renown()).limit(self._most)
        rows: Sequence[MovieRow] = (await self._session.execute(movies)).all()
        return rows

    async def _ranked(self, wish: Wish, query: str) -> Sequence[MovieRow]:
        found = _found(wish, query, self._most)
        movies = movie_rows().join(found, found.c.id == Movie.id)
        in_order = movies.order_by(found.c.covered.desc(), found.c.rank.desc(), *_by_renown())
        rows: Sequence[MovieRow] = (await self._session.execute(in_order)).all()
        return rows


def _found(wish: Wish, query: str, most: int) -> Subquery:
    """The movies that `query` matches, with how much of the wish each has to do with."""
    concept = func.unnest(cast(list(wish.concepts), ARRAY(Text))).column_valued("concept")
    wanted = select(
        func.array_agg(_query(concept), type_=ARRAY(TSQUERY)).label("concepts"),
        _query(" | ".join(f"({pair})" for pair in wish.pairs)).label("pairs"),
    ).cte("wanted")
    one = func.unnest(wanted.c.concepts, type_=TSQUERY).column_valued("one")
    # ts_rank divides by the number of a query's words, and so would punish the one that knows another word for a thing.
    size = (func.numnode(one, type_=Integer) + 1) / 2
    fit = (
        select(
            func.count().filter(_has(one)).label("covered"),
            func.sum(func.ts_rank(WEIGHTS, Movie.words, one) * size).label("rank"),
        )
        .correlate(Movie, wanted)
        .lateral("fit")
    )
    rank = fit.c.rank + func.ts_rank(WEIGHTS, Movie.words, wanted.c.pairs)
    found = select(Movie.id, fit.c.covered, rank.label("rank"))
    found = found.select_from(Movie).join(wanted, true()).join(fit, true())
    found = _within(wish, found).where(_has(_query(query)))
    return found.order_by(fit.c.covered.desc(), rank.desc(), *_by_renown()).limit(most).subquery("found")


def _query(text: str | ColumnElement[str]) -> ColumnElement[str]:
    return func.to_tsquery(cast("pg_catalog.english", REGCONFIG), text, type_=TSQUERY)


def _has(query: ColumnElement[str]) -> ColumnElement[bool]:
    return Movie.words.bool_op("@@")(query)


def _within(wish: Wish, movies: Select[Any]) -> Select[Any]:
    if wish.years:
        movies = movies.where(Movie.first_year.between(*wish.years))
    return movies.where(Movie.type == "series") if wish.series else movies


def _by_renown() -> tuple[UnaryExpression[Any], ...]:
    return Movie.imdb_votes.desc().nulls_last(), Movie.imdb_rating.desc().nulls_last(), Movie.id.asc()
