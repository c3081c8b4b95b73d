"""A file that comes as a form, over HTTP."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Path, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from app.core.problems import BodyTooLarge
from app.imports.files import read_file
from app.imports.problems import NoMultipart, UnreadableFile
from app.imports.rows import FileRow

MAX_FILE_BYTES = 2 * 1024 * 1024
# Around the file the form has its boundaries, and perhaps other fields.
MAX_UPLOAD_BYTES = MAX_FILE_BYTES + 64 * 1024
_MOST_FIELDS = 20
ImportId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The import's id.", examples=[12])]
UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "contentMediaType": "application/octet-stream",
                            "description": "A CSV as IMDb, Letterboxd or Trakt exports it, or as this service does; up "
                            "to 2 MB and 5,000 rows.",
                        }
                    },
                    "example": {"file": "Const,Created,Title,Year\ntt1375666,2026-01-02,Inception,2010\n"},
                }
            }
        },
    }
}


async def uploaded_rows(request: Request) -> list[FileRow]:
    """The rows of the file in the request's form. It is for a dependency that knows the caller before it reads a file.

    Raises:
        NoMultipart: the body is no form that could hold a file.
        InvalidInput: there is not exactly one file, or it cannot be read.
        BodyTooLarge: it is over the limit.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise NoMultipart
    content = await _file(request)
    if len(content) > MAX_FILE_BYTES:
        raise BodyTooLarge
    return await asyncio.to_thread(read_file, content)


async def _file(request: Request) -> bytes:
    try:
        async with request.form(max_files=1, max_fields=_MOST_FIELDS) as form:
            files = [part for part in form.getlist("file") if isinstance(part, UploadFile)]
            if len(files) != 1:
                raise UnreadableFile("Send one file, in a part of this name", "missing")
            return await files[0].read()
    except HTTPException as error:
        if error.status_code != HTTPStatus.BAD_REQUEST:  # what Starlette says of a form that cannot be read
            raise
        raise UnreadableFile(error.detail.rstrip("."), "unreadable") from None
