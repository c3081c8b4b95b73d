"""The schema's version: which the code needs, and which a database has."""

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

import migrations

# By the files' names, `0001_catalogue.py`: alembic itself takes half a second to import, at every start.
REVISIONS = sorted(
    file.name.partition("_")[0] for file in (Path(migrations.__file__).parent / "versions").glob("0*.py")
)


async def is_migrated(session: AsyncSession) -> bool:
    """Whether the database's schema is as new as the code.

    A revision that this code does not know is a newer one: while a new release is rolled out, the old one still serves.
    """
    try:
        revision = (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar()
    except ProgrammingError:  # no such table
        return False
    return revision is not None and revision not in REVISIONS[:-1]
