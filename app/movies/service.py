"""The catalogue's rules."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.problems import Problem
from app.movies.listing import MovieLists
from app.movies.repository import MovieRepository, MovieRow
from app.movies.schemas import MovieFilters, MovieQuery


class MovieNotFound(Problem):
    """No movie has this id."""

    status = 404
    code = "movie_not_found"
    detail = "There is no movie with this id."


class Catalogue:
    """What is stored, to browse.

    Args:
        session: reads.
        viewer: the id of the user for whom movies are marked as liked and queued; None for nobody.
    """

    def __init__(self, session: AsyncSession, viewer: int | None = None) -> None:
        self._movies = MovieRepository(session)
        self._lists = MovieLists(session, viewer)
        self._viewer = viewer

    async def page(self, query: MovieQuery, limit: int, offset: int) -> tuple[Sequence[MovieRow], int]:
        """A page of the movies that match, and how many match in all."""
        return await page_of(self._lists, query, query.ordering, limit, offset)

    async def movie(self, movie_id: int) -> MovieRow:
        """One movie.

        Raises:
            MovieNotFound: there is none with this id.
        """
        movie = await self._movies.get(movie_id, self._viewer)
        if movie is None:
            raise MovieNotFound
        return movie

    async def genres(self) -> Sequence[str]:
        """The genres of the stored movies, sorted."""
        return await self._movies.genres()


async def page_of(
    movies: MovieLists, filters: MovieFilters, ordering: str | None, limit: int, offset: int
) -> tuple[Sequence[MovieRow], int]:
    """A page of a list of movies, and how many match in all."""
    matches = await movies.match(filters)
    if offset >= matches.total:
        return [], matches.total
    page = await movies.page(filters, ordering, limit, offset, forgiving=matches.forgiving)
    return page, matches.total
