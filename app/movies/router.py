"""Movies over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from app.auth.caller import RequiredCaller, Viewer, find_viewer
from app.auth.problems import InvalidToken, Unauthorized
from app.core import throttling
from app.core.database_errors import DatabaseUnavailable, QueryTooSlow, WriteConflict
from app.core.direct import DirectRoute, documented_as, json_response, read_query
from app.core.fingerprint import UserAgentRequired
from app.core.pagination import page_of_json
from app.core.problems import BodyTooLarge, FieldError, InvalidInput, NotFound, UnsupportedMediaType, responses
from app.core.throttling import Throttled
from app.movies.likes import Likes
from app.movies.schemas import LikedMovie, Movie, MovieListing, MoviePage, MovieSearchRequest, Structures
from app.movies.search import MovieSearch
from app.movies.service import Catalogue, MovieNotFound
from app.movies.throttles import count_movie_search

_COMMON = responses(DatabaseUnavailable, QueryTooSlow)
router = APIRouter(tags=["movies"], responses=_COMMON)
direct = APIRouter(tags=["movies"], responses=_COMMON, route_class=DirectRoute)

BLANK = FieldError(field="expression", message="Say what to search for", code="blank")
LAST_ID = 2**63 - 1  # PostgreSQL's bigint
MovieId = Annotated[int, Path(ge=1, le=LAST_ID, description="The movie's id.", examples=[1])]


# FastAPI would run a dependency that is not async in a thread.
async def movie_search(request: Request) -> MovieSearch:
    """The application's search: it joins the same search asked by many clients."""
    search: MovieSearch = request.state.movie_search
    return search


async def open_likes(request: Request) -> Likes:
    """The application's likes."""
    return Likes(request.state.database)


LikeService = Annotated[Likes, Depends(open_likes)]


# The two operations that are asked for most send what the database has kept ready. Their response models are for the
# documentation, and for the tests that hold the answers against it.
def _listing(viewer: Viewer, listing: Annotated[MovieListing, Query()]) -> None: ...
def _one(viewer: Viewer, id: MovieId) -> None: ...  # noqa: A002 - the path's name


@direct.get(
    "/movies/",
    operation_id="listMovies",
    summary="Browse the catalogue",
    responses=responses(InvalidInput, InvalidToken) | {200: {"model": MoviePage}},
    openapi_extra=documented_as("/", _listing),
)
async def list_movies(request: Request) -> Response:
    """The stored movies, filtered and ordered. All filters can be combined."""
    viewer = await find_viewer(request)
    listing = read_query(MovieListing, request)
    catalogue: Catalogue = request.state.catalogue
    movies, count = await catalogue.page(listing, listing.limit, listing.offset, viewer)
    return page_of_json(movies, listing, count, request.url)


@direct.get(
    "/movies/{id:id}/",
    operation_id="getMovie",
    summary="One movie",
    responses=responses(MovieNotFound, InvalidToken) | {200: {"model": Movie}},
    openapi_extra=documented_as("/{id}/", _one),
)
async def get_movie(request: Request) -> Response:
    """The movie with this id."""
    movie_id: int = request.path_params["id"]
    if movie_id > LAST_ID:
        raise NotFound
    catalogue: Catalogue = request.state.catalogue
    return json_response(await catalogue.movie(movie_id, await find_viewer(request)))


@router.post(
    "/movies/search/",
    operation_id="searchMovies",
    summary="Search by title",
    responses=responses(
        InvalidInput, UnsupportedMediaType, BodyTooLarge, InvalidToken, UserAgentRequired, Throttled, fault=BLANK
    )
    | {
        200: {
            "model": list[Movie],
            "headers": {
                "X-Search-Source": {"schema": {"type": "string", "enum": ["imdb", "omdb", "catalogue"]}},
                **throttling.DOCUMENTED_HEADERS,
            },
        }
    },
)
async def search_movies(
    request: Request,
    response: Response,
    body: MovieSearchRequest,
    search: Annotated[MovieSearch, Depends(movie_search)],
    viewer: Viewer,
) -> Response:
    """Up to ten films for a title, best first, each stored and complete.

    They come from the search provider of the service, enriched where they are new or out of date; where it cannot
    answer, from the stored catalogue. `X-Search-Source` says which. Searches are counted by the day, by User-Agent and
    address together, and by address.
    """
    await count_movie_search(request, response)
    found = await search.search(body.expression, viewer)
    response.headers["X-Search-Source"] = found.source
    return json_response(f"[{','.join(found.movies)}]", response.headers)


@router.post(
    "/movies/{id:id}/like/",
    operation_id="likeMovie",
    summary="Like a movie",
    status_code=201,
    responses=responses(MovieNotFound, Unauthorized, InvalidToken, WriteConflict)
    | {200: {"model": LikedMovie, "description": "It was liked before."}},
)
async def like_movie(caller: RequiredCaller, likes: LikeService, id: MovieId, response: Response) -> LikedMovie:  # noqa: A002 - the path's name
    """201 the first time, 200 after."""
    is_new, count = await likes.like(caller.id, id)
    response.status_code = 201 if is_new else 200
    return LikedMovie(id=id, is_liked=True, likes_count=count)


@router.post(
    "/movies/{id:id}/unlike/",
    operation_id="unlikeMovie",
    summary="Like a movie no longer",
    responses=responses(NotFound, Unauthorized, InvalidToken),
)
async def unlike_movie(caller: RequiredCaller, likes: LikeService, id: MovieId) -> LikedMovie:  # noqa: A002 - the path's name
    """200 always, also where the movie was not liked."""
    return LikedMovie(id=id, is_liked=False, likes_count=await likes.unlike(caller.id, id))


@router.get("/structures/", operation_id="getStructures", summary="What filters can be filled with")
async def get_structures(request: Request) -> Structures:
    """The genres of the stored movies."""
    catalogue: Catalogue = request.state.catalogue
    return Structures(genres=await catalogue.genres())
