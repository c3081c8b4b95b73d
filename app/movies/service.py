"""The catalogue's rules."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.problems import Problem
from app.movies.repository import MovieRepository, MovieRow
from app.movies.schemas import MovieQuery


class MovieNotFound(Problem):
    """No movie has this id."""

    status = 404
    code = "movie_not_found"
    detail = "There is no movie with this id."


class Catalogue:
    """What is stored, to browse."""

    def __init__(self, session: AsyncSession) -> None:
        self._movies = MovieRepository(session)

    async def page(self, query: MovieQuery, limit: int, offset: int) -> tuple[Sequence[MovieRow], int]:
        """A page of the movies that match, and how many match in all."""
        matches = await self._movies.match(query)
        if offset >= matches.total:
            return [], matches.total
        return await self._movies.page(query, limit, offset, forgiving=matches.forgiving), matches.total

    async def movie(self, movie_id: int) -> MovieRow:
        """One movie.

        Raises:
            MovieNotFound: there is none with this id.
        """
        movie = await self._movies.get(movie_id)
        if movie is None:
            raise MovieNotFound
        return movie

    async def genres(self) -> Sequence[str]:
        """The genres of the stored movies, sorted."""
        return await self._movies.genres()
