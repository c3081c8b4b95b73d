"""The watch-later list over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from app.auth.caller import RequiredCaller
from app.auth.problems import InvalidToken, Unauthorized
from app.core.database_errors import DatabaseUnavailable, QueryTooSlow, WriteConflict
from app.core.http import refuse_repeated_parameters
from app.core.pagination import Paging
from app.core.problems import BodyTooLarge, FieldError, InvalidInput, NotFound, UnsupportedMediaType, responses
from app.movies.router import MovieId
from app.watch_later.schemas import Entry, NewEntry, QueuedMovie, QueuedMoviePage, QueueQuery, QueueStatistics
from app.watch_later.service import Queue

router = APIRouter(
    prefix="/watch_later",
    tags=["watch later"],
    responses=responses(DatabaseUnavailable, QueryTooSlow, Unauthorized, InvalidToken),
)
_UNKNOWN = FieldError(field="movie", message="There is no movie with the id 999", code="unknown")


async def open_queue(request: Request, caller: RequiredCaller) -> Queue:
    """The caller's list."""
    return Queue(request.state.database, caller.id)


Service = Annotated[Queue, Depends(open_queue, scope="function")]


@router.get(
    "/list/",
    operation_id="listWatchLater",
    summary="The caller's watch-later list",
    responses=responses(InvalidInput),
    dependencies=[Depends(refuse_repeated_parameters)],
)
async def list_watch_later(queue: Service, paging: Paging, query: Annotated[QueueQuery, Query()]) -> QueuedMoviePage:
    """Filtered and ordered as the catalogue, and by `added_at`; what was added last comes first."""
    movies, count = await queue.page(query, paging.limit, paging.offset)
    return QueuedMoviePage.create([QueuedMovie.model_validate(movie) for movie in movies], paging, total=count)


@router.post(
    "/create/",
    operation_id="addToWatchLater",
    summary="Put a movie on the list",
    status_code=201,
    responses=responses(InvalidInput, UnsupportedMediaType, BodyTooLarge, WriteConflict, fault=_UNKNOWN)
    | {200: {"model": Entry, "description": "It was on the list before."}},
)
async def add_to_watch_later(queue: Service, body: NewEntry, response: Response) -> Entry:
    """201 the first time; 200 with the same body where it is on the list already."""
    entry, is_new = await queue.add(body.movie)
    response.status_code = 201 if is_new else 200
    return entry


@router.delete(
    "/{id:id}/destroy/",
    operation_id="removeFromWatchLater",
    summary="Take a movie off the list",
    status_code=204,
    responses=responses(NotFound, WriteConflict),
)
async def remove_from_watch_later(queue: Service, id: MovieId) -> None:  # noqa: A002 - the path's name
    """204 always, also where the movie was not on the list."""
    await queue.remove(id)


@router.get("/statistics/", operation_id="getWatchLaterStatistics", summary="The list in numbers")
async def get_watch_later_statistics(queue: Service) -> QueueStatistics:
    """By IMDb rating, and by genre."""
    return await queue.statistics()
