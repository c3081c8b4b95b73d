"""Statements for what is asked for most: made by SQLAlchemy, compiled once, and run on the driver.

A session costs several times what such a read does itself: docs/performance.md has the figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import Insert, Select
from sqlalchemy.dialects.postgresql.asyncpg import dialect

_DIALECT = dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own is not typed


@dataclass(frozen=True, slots=True)
class DriverStatement:
    """A statement as asyncpg takes it.

    Attributes:
        sql: its text.
        parameters: their names, in order.
        constants: the values of those that are the same at every execution.
        planned_anew: at every execution, for its values. A plan that is kept is one for no values in particular, which
            may read a whole table for a word that is nowhere.
    """

    sql: str
    parameters: tuple[str, ...]
    constants: Mapping[str, object]
    planned_anew: bool

    @classmethod
    def of(cls, made: Select[*tuple[Any, ...]] | Insert, *, planned_anew: bool = False) -> "DriverStatement":
        """The statement that SQLAlchemy has made; its parameters are those that it names itself."""
        compiled = made.compile(dialect=_DIALECT)
        return cls(str(compiled), tuple(compiled.positiontup or ()), compiled.params, planned_anew)

    async def run(self, connection: asyncpg.Connection, values: Mapping[str, object]) -> list[asyncpg.Record]:
        """The rows for these values of the parameters."""
        given = [values[name] if name in values else self.constants[name] for name in self.parameters]
        if self.planned_anew:
            return await (await connection.prepare(self.sql)).fetch(*given)
        return await connection.fetch(self.sql, *given)
