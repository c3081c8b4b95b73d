"""Likes: their SQL, and the rule."""

from typing import Any

from sqlalchemy import Select, delete, exists, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.problems import InvalidToken
from app.core.database import Database
from app.core.database_errors import naming_violations
from app.movies.models import Like, Movie, MovieCounts
from app.movies.service import MovieNotFound


def movie_to_keep(movie_id: int) -> Select[Any]:
    """The movie's id, if there is such a movie, which nobody deletes until the transaction ends."""
    return select(Movie.id).where(Movie.id == movie_id).with_for_update(read=True, key_share=True)


class LikeRepository:
    """Reads and writes likes; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, user_id: int, movie_id: int) -> bool | None:
        """Whether the like is new; None where there is no such movie."""
        movie = movie_to_keep(movie_id).cte("movie")
        like = insert(Like).from_select(["user_id", "movie_id"], select(literal(user_id), movie.c.id))
        added = like.on_conflict_do_nothing().returning(Like.movie_id).cte("added")
        outcome = select(exists(select(movie.c.id)).label("known"), exists(select(added.c.movie_id)).label("is_new"))
        known, is_new = (await self._session.execute(outcome)).one()
        return is_new if known else None

    async def remove(self, user_id: int, movie_id: int) -> None:
        """There is no such like any more."""
        await self._session.execute(delete(Like).where(Like.user_id == user_id, Like.movie_id == movie_id))

    async def count(self, movie_id: int) -> int:
        """How many users like the movie."""
        counted = select(MovieCounts.likes_count).where(MovieCounts.movie_id == movie_id)
        return (await self._session.execute(counted)).scalar() or 0


class Likes:
    """Liking a movie, once each user."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def like(self, user_id: int, movie_id: int) -> tuple[bool, int]:
        """The user likes the movie from now on; whether that is new, and how many users do.

        Raises:
            MovieNotFound: there is no such movie.
            InvalidToken: the user was deleted a moment ago.
        """

        async def add(session: AsyncSession) -> tuple[bool, int]:
            likes = LikeRepository(session)
            is_new = await likes.add(user_id, movie_id)
            if is_new is None:
                raise MovieNotFound
            return is_new, await likes.count(movie_id)

        with naming_violations(fk_likes_user_id=InvalidToken()):
            return await self._database.write(add)

    async def unlike(self, user_id: int, movie_id: int) -> int:
        """The user does not like the movie, or no longer; how many users do."""

        async def remove(session: AsyncSession) -> int:
            likes = LikeRepository(session)
            await likes.remove(user_id, movie_id)
            return await likes.count(movie_id)

        return await self._database.write(remove)
