"""A movie's JSON, kept by the database as it was written: completed for whoever reads it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import asyncpg
from sqlalchemy import ARRAY, BigInteger, ColumnElement, Select, bindparam, exists, func, literal, select

from app.core.database import Database
from app.core.driver_statement import DriverStatement
from app.movies.models import Like, Movie, MovieCounts, WatchLater

VIEWER = "viewer"
_WORDS = {False: "false", True: "true"}


def documents(*, marked: bool) -> Select[*tuple[Any, ...]]:
    """Movies as `completed` takes them, one row each; `marked` for the user whose id is the parameter `VIEWER`."""
    return select(
        Movie.document,
        MovieCounts.likes_count,
        MovieCounts.watch_later_count,
        _has(Like, marked=marked).label("is_liked"),
        _has(WatchLater, marked=marked).label("is_watch_later"),
    ).join(MovieCounts, MovieCounts.movie_id == Movie.id)


def _has(table: type[Like | WatchLater], *, marked: bool) -> ColumnElement[bool]:
    if not marked:
        return literal(value=False)
    return exists().where(table.user_id == bindparam(VIEWER), table.movie_id == Movie.id)


def completed(row: asyncpg.Record) -> str:
    """The JSON of the movie in a row of `documents`."""
    facts, _, created_at = row["document"].rpartition(',"created_at":')
    return (
        f'{facts},"is_liked":{_WORDS[row["is_liked"]]},"likes_count":{row["likes_count"]}'
        f',"is_watch_later":{_WORDS[row["is_watch_later"]]},"watch_later_count":{row["watch_later_count"]}'
        f',"created_at":{created_at}'
    )


async def documents_of(database: Database, movie_ids: Sequence[int], viewer: int | None) -> list[str]:
    """The JSON of those of these movies that are stored, in this order, as a user sees them."""
    rows = await database.fetch(_of(marked=viewer is not None), movie_ids=movie_ids, viewer=viewer)
    return [completed(row) for row in rows]


@lru_cache(2)
def _of(*, marked: bool) -> DriverStatement:
    ids = func.unnest(bindparam("movie_ids", type_=ARRAY(BigInteger)))
    wanted = ids.table_valued("id", with_ordinality="position").render_derived(name="wanted")
    found = documents(marked=marked).join(wanted, wanted.c.id == Movie.id)
    return DriverStatement.of(found.order_by(wanted.c.position))
