"""Collections over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse

from app.auth.caller import OptionalCaller, RequiredCaller
from app.auth.problems import InvalidToken, Unauthorized
from app.collections.access import CollectionForbidden, CollectionNotFound, Visitor
from app.collections.page import EXAMPLE_PAGE, missing_page, share_page
from app.collections.schemas import (
    MAX_ID,
    CollectedMovie,
    CollectedMoviePage,
    CollectedMovieQuery,
    Collection,
    CollectionChanges,
    CollectionPage,
    CollectionQuery,
    NewCollection,
)
from app.collections.service import Collections, shared
from app.core.database_errors import DatabaseUnavailable, QueryTooSlow, WriteConflict
from app.core.http import refuse_repeated_parameters
from app.core.pagination import Paging
from app.core.problems import BodyTooLarge, FieldError, InvalidInput, UnsupportedMediaType, responses

router = APIRouter(prefix="/collections", tags=["collections"], responses=responses(DatabaseUnavailable, QueryTooSlow))
_UNKNOWN = FieldError(field="movie_ids", message="No movies have these ids: 999", code="unknown")
_NOT_SEEN = (CollectionNotFound, Unauthorized, InvalidToken, CollectionForbidden)
_BODY = (InvalidInput, UnsupportedMediaType, BodyTooLarge, WriteConflict)
CollectionId = Annotated[int, Path(ge=1, le=MAX_ID, description="The collection's id.", examples=[1])]


async def open_collections(request: Request, caller: OptionalCaller) -> Collections:
    """The collections, as the caller sees them."""
    return Collections(request.state.database, Visitor.of(caller))


Service = Annotated[Collections, Depends(open_collections, scope="function")]


@router.get(
    "/",
    operation_id="listCollections",
    summary="Browse collections",
    responses=responses(InvalidInput, Unauthorized, InvalidToken),
    dependencies=[Depends(refuse_repeated_parameters)],
)
async def list_collections(
    collections: Service, paging: Paging, query: Annotated[CollectionQuery, Query()]
) -> CollectionPage:
    """The public ones and the caller's own; for staff all. All filters can be combined."""
    page, count = await collections.page(query, paging.limit, paging.offset)
    return CollectionPage.create([Collection.model_validate(row) for row in page], paging, total=count)


@router.post(
    "/",
    operation_id="createCollection",
    summary="Make a collection",
    status_code=201,
    responses=responses(Unauthorized, InvalidToken, *_BODY, fault=_UNKNOWN),
)
async def create_collection(_caller: RequiredCaller, collections: Service, body: NewCollection) -> Collection:
    """The caller's, private unless told."""
    return Collection.model_validate(await collections.add(body))


@router.get("/{id:id}/", operation_id="getCollection", summary="One collection", responses=responses(*_NOT_SEEN))
async def get_collection(collections: Service, id: CollectionId) -> Collection:  # noqa: A002 - the path's name
    """A private one is shown to its owner and staff: it is 401 without a token, and 403 for anybody else."""
    return Collection.model_validate(await collections.get(id))


@router.patch(
    "/{id:id}/",
    operation_id="changeCollection",
    summary="Change a collection",
    responses=responses(*_NOT_SEEN, *_BODY, fault=_UNKNOWN),
)
async def change_collection(
    _caller: RequiredCaller,
    collections: Service,
    id: CollectionId,  # noqa: A002 - the path's name
    body: CollectionChanges,
) -> Collection:
    """What is not sent stays as it is; `movie_ids` takes the place of all movies at once. For its owner and staff."""
    return Collection.model_validate(await collections.change(id, body))


@router.delete(
    "/{id:id}/",
    operation_id="deleteCollection",
    summary="Delete a collection",
    status_code=204,
    responses=responses(*_NOT_SEEN, WriteConflict),
)
async def delete_collection(_caller: RequiredCaller, collections: Service, id: CollectionId) -> None:  # noqa: A002 - the path's name
    """For its owner and staff. Its movies stay in the catalogue."""
    await collections.delete(id)


@router.get(
    "/{id:id}/movies/",
    operation_id="listCollectionMovies",
    summary="The movies of a collection",
    responses=responses(InvalidInput, *_NOT_SEEN),
    dependencies=[Depends(refuse_repeated_parameters)],
)
async def list_collection_movies(
    collections: Service,
    id: CollectionId,  # noqa: A002 - the path's name
    paging: Paging,
    query: Annotated[CollectedMovieQuery, Query()],
) -> CollectedMoviePage:
    """In the collection's order unless another is asked for. All filters can be combined."""
    page, count = await collections.movies(id, query, paging.limit, paging.offset)
    return CollectedMoviePage.create([CollectedMovie.model_validate(row) for row in page], paging, total=count)


@router.post(
    "/{id:id}/subscribe/",
    operation_id="subscribeToCollection",
    summary="Follow a collection",
    status_code=204,
    responses=responses(*_NOT_SEEN, WriteConflict),
)
async def subscribe_to_collection(caller: RequiredCaller, collections: Service, id: CollectionId) -> None:  # noqa: A002 - the path's name
    """204 always, also where it was followed before, and where it is the caller's own, which nothing is done for."""
    await collections.subscribe(caller.id, id)


@router.delete(
    "/{id:id}/subscribe/",
    operation_id="unsubscribeFromCollection",
    summary="Follow a collection no longer",
    status_code=204,
    responses=responses(*_NOT_SEEN, WriteConflict),
)
async def unsubscribe_from_collection(caller: RequiredCaller, collections: Service, id: CollectionId) -> None:  # noqa: A002 - the path's name
    """204 always, also where it was not followed."""
    await collections.unsubscribe(caller.id, id)


@router.post(
    "/{id:id}/clone/",
    operation_id="cloneCollection",
    summary="Copy a collection",
    status_code=201,
    responses=responses(*_NOT_SEEN, WriteConflict),
)
async def clone_collection(_caller: RequiredCaller, collections: Service, id: CollectionId) -> Collection:  # noqa: A002 - the path's name
    """The caller's own private copy, with the same movies in the same order."""
    return Collection.model_validate(await collections.clone(id))


@router.get(
    "/{id:id}/page/",
    operation_id="getCollectionPage",
    summary="A public collection as a page to share",
    response_class=HTMLResponse,
    responses=responses(CollectionNotFound)
    | {200: {"content": {"text/html": {"schema": {"type": "string", "example": EXAMPLE_PAGE}}}}},
)
async def get_collection_page(request: Request, id: CollectionId) -> HTMLResponse:  # noqa: A002 - the path's name
    """For people, and for what shows previews of links. A private collection has none, for nobody.

    Where there is none, a browser (`Accept: text/html`) gets a page that says so.
    """
    try:
        return share_page(await shared(request.state.database, id), str(request.url_for("get_collection_page", id=id)))
    except CollectionNotFound:
        if "text/html" not in request.headers.get("accept", ""):
            raise
        return missing_page()
