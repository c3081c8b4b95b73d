"""Whether the service runs, and whether it can do its work."""

from pathlib import Path
from typing import ClassVar, Literal

from alembic.script import ScriptDirectory
from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

import migrations
from app.core.database import DatabaseUnavailable, Reading
from app.core.problems import Problem, responses

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
    try:
        revision = (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar()
    except ProgrammingError:  # no such table
        raise NotMigrated from None
    # A revision that this code does not know is a newer one: while a new release is rolled out, the old still serves.
    if revision is None or revision in OUTDATED:
        raise NotMigrated
    return Health()


def _outdated_revisions() -> set[str]:
    history = ScriptDirectory(str(Path(migrations.__file__).parent))
    return {step.revision for step in history.walk_revisions()} - set(history.get_heads())


OUTDATED = _outdated_revisions()
