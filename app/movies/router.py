"""Movies over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from app.core.database import DatabaseUnavailable, QueryTooSlow, Reading
from app.core.http import refuse_repeated_parameters
from app.core.pagination import Paging
from app.core.problems import BodyTooLarge, FieldError, InvalidInput, UnsupportedMediaType, responses
from app.movies.schemas import Movie, MoviePage, MovieQuery, MovieSearchRequest, Structures
from app.movies.search import MovieSearch
from app.movies.service import Catalogue, MovieNotFound

router = APIRouter(tags=["movies"], responses=responses(DatabaseUnavailable, QueryTooSlow))

BLANK = FieldError(field="expression", message="Say what to search for", code="blank")
MovieId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The movie's id.", examples=[1])]


# FastAPI would run a dependency that is not async in a thread.
async def open_catalogue(session: Reading) -> Catalogue:
    """The catalogue, for one request."""
    return Catalogue(session)


async def movie_search(request: Request) -> MovieSearch:
    """The application's search: it joins the same search asked by many clients."""
    search: MovieSearch = request.state.movie_search
    return search


Service = Annotated[Catalogue, Depends(open_catalogue, scope="function")]


@router.get(
    "/movies/",
    operation_id="listMovies",
    summary="Browse the catalogue",
    responses=responses(InvalidInput),
    dependencies=[Depends(refuse_repeated_parameters)],
)
async def list_movies(catalogue: Service, paging: Paging, query: Annotated[MovieQuery, Query()]) -> MoviePage:
    """The stored movies, filtered and ordered. All filters can be combined."""
    movies, count = await catalogue.page(query, paging.limit, paging.offset)
    return MoviePage.create([Movie.model_validate(movie) for movie in movies], paging, total=count)


@router.get(
    "/movies/{id:id}/",
    operation_id="getMovie",
    summary="One movie",
    responses=responses(MovieNotFound),
)
async def get_movie(catalogue: Service, id: MovieId) -> Movie:  # noqa: A002 - the contract's name
    """The movie with this id."""
    return Movie.model_validate(await catalogue.movie(id))


@router.post(
    "/movies/search/",
    operation_id="searchMovies",
    summary="Search by title",
    responses=responses(InvalidInput, UnsupportedMediaType, BodyTooLarge, fault=BLANK)
    | {200: {"headers": {"X-Search-Source": {"schema": {"type": "string", "enum": ["imdb", "omdb", "catalogue"]}}}}},
)
async def search_movies(
    body: MovieSearchRequest, search: Annotated[MovieSearch, Depends(movie_search)], response: Response
) -> list[Movie]:
    """Up to ten films for a title, best first, each stored and complete.

    They come from the search provider of the service, enriched where they are new or out of date; where it cannot
    answer, from the stored catalogue. `X-Search-Source` says which.
    """
    found = await search.search(body.expression)
    response.headers["X-Search-Source"] = found.source
    return [Movie.model_validate(movie) for movie in found.movies]


@router.get("/structures/", operation_id="getStructures", summary="What filters can be filled with")
async def get_structures(catalogue: Service) -> Structures:
    """The genres of the stored movies."""
    return Structures(genres=await catalogue.genres())
