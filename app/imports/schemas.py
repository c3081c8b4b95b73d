"""Imports and exports as clients see them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.movies.schemas import UtcTime

Status = Literal["queued", "running", "waiting", "done", "failed"]
Format = Literal["csv", "json"]

IMPORT: dict[str, Any] = {
    "id": 12,
    "status": "waiting",
    "total": 250,
    "added": 231,
    "already_there": 4,
    "not_found": [{"row": 17, "title": "A Film That Nobody Knows", "year": 1999}],
    "created_at": "2026-01-02T08:00:00Z",
    "finished_at": None,
}


class MissedRow(BaseModel):
    """A row of the file for which no title was found."""

    row: int = Field(description="Counted from the first below the header, which is 1.")
    title: str | None = Field(description="As the file has it; the IMDb id where it has none.")
    year: int | None


class ImportProgress(BaseModel):
    """An import, and how far it is."""

    model_config = ConfigDict(json_schema_extra={"example": IMPORT})

    id: int
    status: Status = Field(
        description="`waiting`: titles that are not stored are looked up within a daily budget; this goes on by itself "
        "once there is more of it, or once the outside service answers again. `failed`: given up; what was added stays."
    )
    total: int = Field(description="The file's rows.")
    added: int
    already_there: int = Field(description="On the list before, or twice in the file.")
    not_found: list[MissedRow] = Field(description="What nobody knows, what names no title, in the file's order.")
    created_at: UtcTime
    finished_at: UtcTime | None


class ExportedTitle(BaseModel):
    """A title of a list, as it is exported."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "imdb_id": "tt1375666",
                "title": "Inception",
                "year": "2010",
                "type": "movie",
                "added_at": "2026-01-02T00:00:00Z",
            }
        }
    )

    imdb_id: str
    title: str
    year: str | None
    type: str | None
    added_at: datetime
