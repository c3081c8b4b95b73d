"""The SQL that finds the stored movies which titles may stand for."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    SmallInteger,
    TableValuedAlias,
    Text,
    and_,
    column,
    func,
    literal,
    or_,
    select,
    true,
    union,
)
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from app.movies.matching import MOST_YEARS_OFF, NO_FILMS, Kind, WantedTitle, untouched_by_typos
from app.movies.models import BYTE_ORDERED, Movie
from app.movies.repository import MovieRow, movie_rows
from app.movies.title_keys import beginnings, title_key

# So many movies with one key are looked at: those of the year first, then those with most votes.
MOST_CANDIDATES = 10


def _written(value: object) -> BindParameter[Any]:
    """A constant in the statement itself: PostgreSQL's plan for whatever parameters is six times as slow."""
    return literal(value, literal_execute=True)


_WHOLE_KEY = Movie.title_keys[_written(1)]
# Comes after every letter, in the byte order that the keys have.
_LAST_CHARACTER = _written("\U0010ffff")


class _Lookup(NamedTuple):
    """A key that is looked for.

    Attributes:
        position: of the wanted title.
        start: how a key begins that is the same but for a typo; None where none is forgiven.
    """

    position: int
    key: str
    start: str | None
    year: int | None
    kind: Kind | None


_COLUMNS: dict[str, TypeEngine[Any]] = dict(
    zip(_Lookup._fields, (Integer(), BYTE_ORDERED, BYTE_ORDERED, SmallInteger(), Text()), strict=True)
)


async def stored_candidates(session: AsyncSession, wanted: Sequence[WantedTitle]) -> list[list[MovieRow]]:
    """For each of these titles the stored movies that it may stand for, best known first: in one statement."""
    lookups = [lookup for position, title in enumerate(wanted) for lookup in _lookups(position, title)]
    candidates: list[list[MovieRow]] = [[] for _ in wanted]
    if lookups:
        for row in await session.execute(_candidates(lookups)):
            candidates[row.position].append(row)
    return candidates


def _lookups(position: int, wanted: WantedTitle) -> Iterator[_Lookup]:
    if not wanted.is_possible:
        return
    for name in wanted.names:
        key = title_key(name)
        start = untouched_by_typos(key) or None
        yield _Lookup(position, key, start, wanted.year, wanted.kind)
        if wanted.year is not None:
            for beginning in beginnings(name):
                yield _Lookup(position, beginning, None, wanted.year, wanted.kind)


def _candidates(lookups: Sequence[_Lookup]) -> Select[Any]:
    columns = zip(zip(*lookups, strict=True), _COLUMNS.values(), strict=True)
    unnested = func.unnest(*(literal(list(values), ARRAY(kind)) for values, kind in columns))
    wanted = unnested.table_valued(*(column(name, kind) for name, kind in _COLUMNS.items()))
    wanted = wanted.render_derived(name="wanted")
    found = union(_chosen(wanted, _has_key(wanted)), _chosen(wanted, _begins_alike(wanted))).subquery("found")
    rows = movie_rows().add_columns(found.c.position).join(found, found.c.id == Movie.id)
    return rows.order_by(Movie.imdb_votes.desc().nulls_last(), Movie.id)


def _chosen(wanted: TableValuedAlias, condition: ColumnElement[bool]) -> Select[Any]:
    kind = wanted.c.kind
    is_film = and_(kind.is_(None), Movie.type.not_in([_written(name) for name in NO_FILMS]))
    nearest = func.abs(Movie.first_year - wanted.c.year), Movie.imdb_votes.desc().nulls_last(), Movie.id
    found = select(Movie.id).where(condition, or_(Movie.type.is_(None), Movie.type == kind, is_film))
    chosen = found.order_by(*nearest).limit(_written(MOST_CANDIDATES)).lateral("chosen")
    return select(wanted.c.position, chosen.c.id).select_from(wanted).join(chosen, true())


def _has_key(wanted: TableValuedAlias) -> ColumnElement[bool]:
    # In such words that no index on the year is of use: the planner takes keys for more common than they are.
    in_time = func.abs(Movie.first_year - wanted.c.year) <= _written(MOST_YEARS_OFF)
    whole = and_(wanted.c.year.is_(None), wanted.c.key == _WHOLE_KEY)
    return and_(Movie.title_keys.contains(array([wanted.c.key])), or_(whole, in_time))


def _begins_alike(wanted: TableValuedAlias) -> ColumnElement[bool]:
    key, start = _WHOLE_KEY, wanted.c.start
    lengths = func.length(wanted.c.key) - _written(1), func.length(wanted.c.key) + _written(1)
    return and_(
        Movie.first_year == wanted.c.year,
        key >= start,
        key < start.concat(_LAST_CHARACTER),
        func.length(key).between(*lengths),
    )
