"""`ordering=` becomes an ORDER BY that is total and has the unknown last in both directions."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.ordering import order_by, ordering_check

THINGS = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("sure", Integer, nullable=False),
    Column("unsure", Text(collation="C")),
    Column("single", Text(collation="C"), nullable=False, unique=True),
    prefixes=["TEMPORARY"],
)
ROWS = [
    {"id": number, "sure": number % 3, "unsure": (None, "a", "b", "B")[number % 4], "single": chr(80 - number)}
    for number in (7, 3, 11, 1, 9, 2, 12, 5, 8, 4, 10, 6)
]
COLUMNS = {"sure": THINGS.c.sure, "unsure": THINGS.c.unsure, "single": THINGS.c.single}


def sorted_rows(ordering: str) -> list[int]:
    """The ids in the order that is asked for, by sorting once for each key, the last first."""
    rows = sorted(ROWS, key=lambda row: int(row["id"] or 0), reverse=ordering.startswith("-"))
    terms = ordering.split(",")
    for position in reversed(range(len(terms))):
        field, descending = terms[position].removeprefix("-"), terms[position].startswith("-")
        if any(term.removeprefix("-") == field for term in terms[:position]):
            continue  # what was said of a field first, stands
        known: list[dict[str, Any]] = [row for row in rows if row[field] is not None]
        unknown = [row for row in rows if row[field] is None]
        rows = sorted(known, key=lambda row: row[field], reverse=descending) + unknown
    return [int(row["id"] or 0) for row in rows]


async def test_every_combination_sorts_in_the_database_as_it_reads(administrator: AsyncEngine) -> None:
    terms = [f"{sign}{field}" for field in COLUMNS for sign in ("", "-")]
    orderings = [",".join(chosen) for length in (1, 2, 3) for chosen in itertools.product(terms, repeat=length)]
    async with administrator.connect() as connection:
        await connection.run_sync(THINGS.create)
        await connection.execute(insert(THINGS), ROWS)
        for ordering in orderings:
            query = select(THINGS.c.id).order_by(*order_by(ordering, COLUMNS, THINGS.c.id))
            assert list(await connection.scalars(query)) == sorted_rows(ordering), ordering


def test_where_nothing_can_be_unknown_the_order_is_a_plain_one_that_an_index_serves_backwards() -> None:
    orders = [str(key) for key in order_by("-sure", COLUMNS, THINGS.c.id)]
    assert orders == ["things.sure DESC", "things.id DESC"]
    assert str(order_by("unsure", COLUMNS, THINGS.c.id)[0]) == "things.unsure ASC NULLS LAST"


def test_what_is_unique_needs_nothing_after_it_so_that_its_own_index_serves() -> None:
    assert [str(key) for key in order_by("-single,sure", COLUMNS, THINGS.c.id)] == ["things.single DESC"]


@pytest.mark.parametrize("ordering", ["sure", "-sure", "unsure,-sure", " sure , -unsure ", "sure,-sure"])
def test_known_fields_pass_the_check_as_they_are(ordering: str) -> None:
    assert ordering_check("sure", "unsure")(ordering) == ordering


@pytest.mark.parametrize(
    "ordering", ["other", "sure,other", "--sure", "+sure", "sure,", ",", "-", "SURE", "sure unsure"]
)
def test_an_unknown_field_is_refused_with_the_names_of_those_allowed(ordering: str) -> None:
    with pytest.raises(PydanticCustomError, match="sure, unsure") as refusal:
        ordering_check("sure", "unsure")(ordering)
    assert refusal.value.type == "unknown_ordering"


TERMS = st.lists(st.sampled_from([*COLUMNS, "-", ",", " ", "other", "\x00", "DESC", ";", "\u2212"]), max_size=8).map(
    "".join
)


@settings(deadline=None)
@given(TERMS | st.text(max_size=20))
def test_whatever_is_asked_for_is_an_order_that_is_total_or_a_refusal(ordering: str) -> None:
    try:
        ordering_check(*COLUMNS)(ordering)
    except PydanticCustomError:
        assert not {term.strip().removeprefix("-") for term in ordering.split(",")} <= set(COLUMNS)
        return
    keys = [str(key) for key in order_by(ordering, COLUMNS, THINGS.c.id)]
    columns = [key.split()[0] for key in keys]
    assert len(set(columns)) == len(columns)
    assert columns[-1] in {"things.id", "things.single"}, "nothing ties there"
    assert set(columns) <= {f"things.{name}" for name in (*COLUMNS, "id")}
