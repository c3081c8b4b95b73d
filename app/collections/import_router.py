"""Collections as files, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import StreamingResponse

from app.auth.caller import OptionalCaller, RequiredCaller
from app.auth.problems import InvalidToken, Unauthorized
from app.collections.access import CollectionForbidden, CollectionNotFound, Visitor
from app.collections.imports import CollectionFiles
from app.core.database_errors import DatabaseUnavailable, QueryTooSlow, WriteConflict
from app.core.http import refuse_repeated_parameters
from app.core.problems import BodyTooLarge, InvalidInput, responses
from app.imports.downloads import DOWNLOAD, FORMAT_FAULT, ChosenFormat, download
from app.imports.problems import FILE_FAULT, ImportLimitReached, ImportNotFound, ImportRunning, NoMultipart
from app.imports.rows import FileRow
from app.imports.schemas import ImportProgress
from app.imports.uploads import MAX_UPLOAD_BYTES, UPLOAD, ImportId, uploaded_rows

router = APIRouter(
    prefix="/collections",
    tags=["collections"],
    responses=responses(
        *(DatabaseUnavailable, QueryTooSlow, Unauthorized, InvalidToken, CollectionForbidden, CollectionNotFound)
    ),
)
CollectionId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The collection's id.", examples=[1])]


async def open_files(request: Request, caller: OptionalCaller) -> CollectionFiles:
    """Collections in and out, as the caller may see and change them."""
    return CollectionFiles(request.state.database, Visitor.of(caller))


Files = Annotated[CollectionFiles, Depends(open_files, scope="function")]


async def read_upload(request: Request, _caller: RequiredCaller, files: Files, id: CollectionId) -> list[FileRow]:  # noqa: A002 - the path's name
    """The file, read only for those who may change the collection."""
    await files.require_change(id)
    return await uploaded_rows(request)


Upload = Annotated[list[FileRow], Depends(read_upload, scope="function")]


@router.post(
    "/{id:id}/import/",
    operation_id="importCollection",
    summary="Put a file's titles into a collection",
    status_code=202,
    responses=responses(
        *(InvalidInput, NoMultipart, BodyTooLarge, ImportRunning, ImportLimitReached, WriteConflict), fault=FILE_FAULT
    ),
    openapi_extra=UPLOAD,
    max_body_size=MAX_UPLOAD_BYTES,
)
async def import_collection(
    caller: RequiredCaller,
    files: Files,
    id: CollectionId,  # noqa: A002 - the path's name
    rows: Upload,
) -> ImportProgress:
    """As for the watch-later list: the file's titles come behind those that are there, in the file's order.

    For the collection's owner and staff. It counts among the caller's five a day.
    """
    return await files.begin(caller.id, id, rows)


@router.get(
    "/{id:id}/import/{job:id}/",
    operation_id="getCollectionImport",
    summary="How far an import into a collection is",
    responses=responses(ImportNotFound),
)
async def get_collection_import(
    _caller: RequiredCaller,
    files: Files,
    id: CollectionId,  # noqa: A002 - the path's name
    job: ImportId,
) -> ImportProgress:
    """For the collection's owner and staff. It can be seen for 30 days."""
    return await files.progress(id, job)


@router.get(
    "/{id:id}/export/",
    operation_id="exportCollection",
    summary="Download a collection",
    responses=responses(InvalidInput, fault=FORMAT_FAULT) | DOWNLOAD,
    response_class=StreamingResponse,
    dependencies=[Depends(refuse_repeated_parameters)],
)
async def export_collection(files: Files, id: CollectionId, form: ChosenFormat = "csv") -> StreamingResponse:  # noqa: A002 - the path's name
    """Its movies in their order, as CSV with IMDb's columns or as JSON, for whoever may see it."""
    return await download(files.pages(id), form, f"collection-{id}")
