"""A collection of the Django service, as this service keeps one."""

from typing import Any

from asyncpg import Record

from app.core.text import fold
from app.takeover.findings import Findings


def staged_collection(row: Record, findings: Findings) -> dict[str, Any]:
    """The values of a collection; none is lost for its name."""
    values = dict(row)
    if not values["name"].strip():
        values["name"] = "Untitled"
        findings.change("collections", "without a name: called Untitled", values["id"])
    for text in ("description", "design"):
        values[text] = values[text] if values[text].strip() else None
    return {**values, "folded_name": fold(values["name"])}
