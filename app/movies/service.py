"""The catalogue's rules."""

from collections.abc import Sequence

from app.core.database import Database
from app.core.problems import Problem
from app.movies.browsing import Browsing
from app.movies.listing import MovieLists
from app.movies.repository import MovieRepository
from app.movies.schemas import Movie, MovieQuery


class MovieNotFound(Problem):
    """No movie has this id."""

    status = 404
    code = "movie_not_found"
    detail = "There is no movie with this id."


class Catalogue:
    """What is stored, to browse: for as long as the application runs. Movies are JSON, ready to be sent."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._browsing = Browsing(database)

    async def page(self, query: MovieQuery, limit: int, offset: int, viewer: int | None) -> tuple[list[str], int]:
        """A page of the movies that match, and how many match in all.

        Args:
            query: the filters and the order.
            limit: so many movies at most.
            offset: so many are passed over.
            viewer: the id of the user for whom movies are marked as liked and queued; None for nobody.
        """
        if not query.search:
            return await self._browsing.page(query, limit, offset, viewer)
        async with self._database.reading() as session:
            found, total = await MovieLists(session, viewer).find(query, query.ordering, limit, offset)
        return [Movie.model_validate(movie).model_dump_json() for movie in found], total

    async def movie(self, movie_id: int, viewer: int | None) -> str:
        """One movie.

        Raises:
            MovieNotFound: there is none with this id.
        """
        movie = await self._browsing.movie(movie_id, viewer)
        if movie is None:
            raise MovieNotFound
        return movie

    async def genres(self) -> Sequence[str]:
        """The genres of the stored movies, sorted."""
        async with self._database.reading() as session:
            return await MovieRepository(session).genres()
