"""A list as a download, over HTTP."""

from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import StreamingResponse

from app.core.problems import FieldError
from app.imports.exports import MEDIA_TYPES, Pages, begun, written
from app.imports.schemas import ExportedTitle, Format

ChosenFormat = Annotated[Format, Query(alias="format", description="The file's format.")]
FORMAT_FAULT = FieldError(field="format", message="Input should be 'csv' or 'json'", code="literal_error")
DOWNLOAD: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The list. The file can be imported again.",
        "model": list[ExportedTitle],
        "content": {
            "text/csv": {
                "schema": {
                    "type": "string",
                    "example": "Position,Const,Created,Title,URL,Title Type,Year\r\n"
                    "1,tt1375666,2026-01-02T00:00:00Z,Inception,https://www.imdb.com/title/tt1375666/,Movie,2010\r\n",
                }
            }
        },
    }
}


async def download(pages: Pages, form: Format, name: str) -> StreamingResponse:
    """The pages as a file of this name, sent as they are read."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"', "Cache-Control": "no-store"}
    return StreamingResponse(written(await begun(pages), form), headers=headers, media_type=MEDIA_TYPES[form])
