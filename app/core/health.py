"""Whether the service runs, and whether it can do its work."""

from typing import ClassVar, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from app.core.database import Reading
from app.core.database_errors import DatabaseUnavailable
from app.core.problems import Problem, responses
from app.core.schema import is_migrated

LIVE = "/health/live"


class Health(BaseModel):
    """All is well."""

    status: Literal["ok"] = "ok"


class NotMigrated(Problem):
    """The database's schema is older than the code."""

    status = 503
    code = "not_migrated"
    detail = "The database has not been migrated yet."
    headers: ClassVar = {"Retry-After": "5"}


router = APIRouter(tags=["health"])


@router.get(LIVE, operation_id="getLiveness", summary="Is the process alive?")
async def live() -> Health:
    """Always 200 while the process answers at all, whatever the Host."""
    return Health()


@router.get(
    "/health/ready",
    operation_id="getReadiness",
    summary="Can requests be served?",
    responses=responses(DatabaseUnavailable, NotMigrated),
)
async def ready(session: Reading) -> Health:
    """200 when the database answers and its schema is as new as the code."""
    if not await is_migrated(session):
        raise NotMigrated
    return Health()
