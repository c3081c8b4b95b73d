"""The SQL of the movies in collections."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Row, bindparam, exists, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.collections.access import Visitor, visible_to
from app.collections.models import Collection, CollectionMovie
from app.collections.schemas import DEFAULT_COLLECTED_ORDERING
from app.movies.listing import Entries
from app.movies.models import Movie

_COLUMNS = CollectionMovie.__table__.c
# Movies are locked in the order of their ids, as by everybody, so that two statements cannot deadlock over them; it is
# done first, because the last part reads `known` before what is written is written.
REPLACE = text(
    """
    WITH wanted AS (
        SELECT movie_id, position FROM unnest(:movie_ids) WITH ORDINALITY AS wanted (movie_id, position)
    ),
    known AS (
        SELECT id FROM movies WHERE id IN (SELECT movie_id FROM wanted) ORDER BY id FOR KEY SHARE
    ),
    gone AS (
        DELETE FROM collection_movies
        WHERE collection_id = :collection_id AND movie_id NOT IN (SELECT movie_id FROM wanted)
        RETURNING movie_id
    ),
    placed AS (
        INSERT INTO collection_movies (collection_id, movie_id, position)
        SELECT :collection_id, movie_id, position FROM wanted JOIN known ON known.id = movie_id
        ON CONFLICT (collection_id, movie_id) DO UPDATE SET position = excluded.position
        WHERE collection_movies.position <> excluded.position
        RETURNING movie_id
    ),
    touched AS (
        UPDATE collections SET updated_at = clock_timestamp()
        WHERE id = :collection_id AND (EXISTS (SELECT FROM gone) OR EXISTS (SELECT FROM placed))
    )
    SELECT movie_id FROM wanted WHERE movie_id NOT IN (SELECT id FROM known) ORDER BY position
    """
).bindparams(bindparam("movie_ids", type_=ARRAY(BigInteger)), bindparam("collection_id", type_=BigInteger))


def entries_of(collection_id: int, visitor: Visitor) -> Entries:
    """The movies of a collection; none where the visitor does not see it."""
    is_visible = exists().where(Collection.id == collection_id, visible_to(visitor))
    return Entries(
        table=CollectionMovie.__table__,
        movie_id=_COLUMNS.movie_id,
        where=(CollectionMovie.collection_id == collection_id) & is_visible,
        columns={"position": _COLUMNS.position, "added_at": _COLUMNS.added_at},
        ordering=DEFAULT_COLLECTED_ORDERING,
    )


class CollectionContents:
    """Reads and writes the movies of collections; never commits.

    Whoever writes positions has locked the collection's row before (`CollectionRepository.change`), so that of two
    who do it at once one is done before the other begins.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def first(self, collection_id: int, visitor: Visitor, limit: int) -> Sequence[Row[*tuple[Any, ...]]]:
        """The first movies of a collection, as far as they are shown to people; none where it is not to be seen."""
        movies = (
            select(Movie.id, Movie.imdb_id, Movie.title, Movie.year, Movie.poster, Movie.imdb_rating)
            .join(CollectionMovie, CollectionMovie.movie_id == Movie.id)
            .join(Collection, Collection.id == CollectionMovie.collection_id)
            .where(Collection.id == collection_id, visible_to(visitor))
            .order_by(CollectionMovie.position, CollectionMovie.movie_id)
            .limit(limit)
        )
        return (await self._session.execute(movies)).all()

    async def replace(self, collection_id: int, movie_ids: Sequence[int]) -> Sequence[int]:
        """Make these the collection's movies, in this order; those that stay keep their `added_at`.

        Returns:
            Ids that no movie has. Where there are any the transaction must not commit.
        """
        unknown = await self._session.execute(REPLACE, {"collection_id": collection_id, "movie_ids": list(movie_ids)})
        return unknown.scalars().all()

    async def copy(self, collection_id: int, to: int) -> None:
        """Put the movies of a collection into a new one."""
        movies = (
            select(literal(to), CollectionMovie.movie_id, CollectionMovie.position)
            .join(Movie, Movie.id == CollectionMovie.movie_id)
            .where(CollectionMovie.collection_id == collection_id)
            .order_by(Movie.id)
            .with_for_update(read=True, key_share=True, of=Movie)
        )
        names = ["collection_id", "movie_id", "position"]
        await self._session.execute(insert(CollectionMovie).from_select(names, movies))
