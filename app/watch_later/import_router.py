"""The watch-later list as a file, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from app.auth.caller import RequiredCaller
from app.auth.problems import InvalidToken, Unauthorized
from app.core.database_errors import DatabaseUnavailable, QueryTooSlow, WriteConflict
from app.core.http import refuse_repeated_parameters
from app.core.problems import BodyTooLarge, InvalidInput, responses
from app.imports.downloads import DOWNLOAD, FORMAT_FAULT, ChosenFormat, download
from app.imports.problems import FILE_FAULT, ImportLimitReached, ImportNotFound, ImportRunning, NoMultipart
from app.imports.rows import FileRow
from app.imports.schemas import ImportProgress
from app.imports.service import ListImports
from app.imports.uploads import MAX_UPLOAD_BYTES, UPLOAD, ImportId, uploaded_rows
from app.watch_later.imports import queue_pages

router = APIRouter(
    prefix="/watch_later",
    tags=["watch later"],
    responses=responses(DatabaseUnavailable, QueryTooSlow, Unauthorized, InvalidToken),
)


async def open_imports(request: Request) -> ListImports:
    """The application's imports."""
    return ListImports(request.state.database)


async def read_upload(request: Request, _caller: RequiredCaller) -> list[FileRow]:
    """The file, read only once the caller is known."""
    return await uploaded_rows(request)


Service = Annotated[ListImports, Depends(open_imports)]
Upload = Annotated[list[FileRow], Depends(read_upload, scope="function")]


@router.post(
    "/import/",
    operation_id="importWatchLater",
    summary="Put a file's titles on the list",
    status_code=202,
    responses=responses(
        *(InvalidInput, NoMultipart, BodyTooLarge, ImportRunning, ImportLimitReached, WriteConflict), fault=FILE_FAULT
    ),
    openapi_extra=UPLOAD,
    max_body_size=MAX_UPLOAD_BYTES,
)
async def import_watch_later(caller: RequiredCaller, rows: Upload, imports: Service) -> ImportProgress:
    """A CSV as IMDb, Letterboxd or Trakt exports it, or what this service has exported.

    Titles that are stored are added at once, the others are looked up behind this answer; `GET` the import to see how
    far it is. One at a time, five a day.
    """
    return await imports.begin(caller.id, rows, "watch_later")


@router.get(
    "/import/{id:id}/",
    operation_id="getWatchLaterImport",
    summary="How far an import is",
    responses=responses(ImportNotFound),
)
async def get_watch_later_import(caller: RequiredCaller, imports: Service, id: ImportId) -> ImportProgress:  # noqa: A002 - the path's name
    """What was added, what was there already, and which rows were not found. It can be seen for 30 days."""
    return await imports.of_user(id, caller.id)


@router.get(
    "/export/",
    operation_id="exportWatchLater",
    summary="Download the list",
    responses=responses(InvalidInput, fault=FORMAT_FAULT) | DOWNLOAD,
    response_class=StreamingResponse,
    dependencies=[Depends(refuse_repeated_parameters)],
)
async def export_watch_later(request: Request, caller: RequiredCaller, form: ChosenFormat = "csv") -> StreamingResponse:
    """The whole list, the latest first, as CSV with IMDb's columns or as JSON. The import takes it back."""
    return await download(queue_pages(request.state.database, caller.id), form, "watch-later")
