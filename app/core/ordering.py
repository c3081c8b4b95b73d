"""`ordering=` of a list: a comma-separated list of fields, `-` for descending."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_core import PydanticCustomError
from sqlalchemy import ColumnElement, UnaryExpression


def ordering_check(*allowed: str) -> Callable[[str], str]:
    """A validator of `ordering` values whose fields are all among `allowed`; its error names those."""

    def check(ordering: str) -> str:
        fields = [term.strip().removeprefix("-") for term in ordering.split(",")]
        if not set(fields) <= set(allowed):
            raise PydanticCustomError(
                "unknown_ordering",
                "Lists can be ordered by {allowed}, each with a leading - for descending",
                {"allowed": ", ".join(allowed)},
            )
        return ordering

    return check


def order_fields(ordering: str) -> set[str]:
    """The fields of a checked `ordering`."""
    return {term.strip().removeprefix("-") for term in ordering.split(",")}


def order_by(
    ordering: str, columns: Mapping[str, ColumnElement[Any]], tie: ColumnElement[Any], *, backwards: bool = False
) -> Sequence[UnaryExpression[Any]]:
    """The ORDER BY of a checked `ordering`: total, and with the unknown last in both directions.

    Ties break by `tie` in the direction of the first field, so that one index serves both. `backwards`, the last row
    comes first.
    """
    directions: dict[str, bool] = {}
    for term in ordering.split(","):
        directions.setdefault(term.strip().removeprefix("-"), term.strip().startswith("-"))
    keys = [(columns[field], descending) for field, descending in directions.items()]
    if getattr(keys[0][0], "unique", False):
        del keys[1:]  # nothing ties there, and its index ends with it
    else:
        keys.append((tie, keys[0][1]))
    return [_sorted(column, descending=descending, backwards=backwards) for column, descending in keys]


def _sorted(column: ColumnElement[Any], *, descending: bool, backwards: bool) -> UnaryExpression[Any]:
    key = column.desc() if descending != backwards else column.asc()
    # Where nothing can be unknown it goes unsaid: PostgreSQL reads an index backwards only for the mirrored order.
    if not getattr(column, "nullable", True):
        return key
    return key.nulls_first() if backwards else key.nulls_last()
