"""The watch-later list as a file, and back again."""

import csv
import io
from typing import Any

import pytest

from tests.imports.lists import EXPORT, csv_of, imported
from tests.movies.people import People, Person
from tests.problem_documents import fields, problem

KINDS = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


async def queue(person: Person) -> list[tuple[str, str]]:
    return [(movie["imdb_id"], movie["added_at"]) for movie in await person.queued("limit=100")]


async def fill(people: People, count: int) -> list[dict[str, Any]]:
    page = await people.service.client.get(f"/movies/?limit={count}&ordering=title")
    movies: list[dict[str, Any]] = page.json()["results"]
    await imported(people.ada, csv_of(*(movie["imdb_id"] for movie in movies)))
    return movies


@pytest.mark.parametrize("form", KINDS)
async def test_what_is_exported_is_imported_again_the_same(people: People, form: str) -> None:
    every = await people.service.value("SELECT array_agg(imdb_id ORDER BY title) FROM movies")
    await imported(people.ada, csv_of(*every))
    await people.service.execute("UPDATE watch_later SET added_at = '2024-01-31' WHERE movie_id % 2 = 0")
    answer = await people.ada.get(f"{EXPORT}?format={form}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == KINDS[form]
    assert answer.headers["Content-Disposition"] == f'attachment; filename="watch-later.{form}"'
    assert answer.headers["Cache-Control"] == "no-store"
    shown = await imported(people.grace, answer.content)
    assert (shown["added"], shown["total"], shown["not_found"]) == (len(every), len(every), [])
    before, after = await queue(people.ada), await queue(people.grace)
    assert [imdb_id for imdb_id, _ in after] == [imdb_id for imdb_id, _ in before]
    assert [added_at[:19] for _, added_at in after] == [added_at[:19] for _, added_at in before]


async def test_the_csv_has_the_columns_of_imdb_and_is_the_default(people: People) -> None:
    await fill(people, 3)
    answer = await people.ada.get(EXPORT)
    assert answer.headers["Content-Type"] == KINDS["csv"]
    assert answer.text.startswith("Position,Const,Created,Title,URL,Title Type,Year\r\n")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    movies = await people.ada.queued()
    assert [row["Position"] for row in rows] == ["1", "2", "3"]
    for row, movie in zip(rows, movies, strict=True):
        assert row["Const"] == movie["imdb_id"]
        assert row["Created"] == movie["added_at"]
        assert row["Title"] == movie["title"]
        assert row["URL"] == f"https://www.imdb.com/title/{movie['imdb_id']}/"
        assert row["Title Type"] == {"movie": "Movie", "series": "TV Series"}[movie["type"]]
        assert row["Year"] == movie["year"][:4]


async def test_the_json_is_an_array_of_titles(people: People) -> None:
    (movie,) = await fill(people, 1)
    (exported,) = (await people.ada.get(f"{EXPORT}?format=json")).json()
    ((_, added_at),) = await queue(people.ada)
    assert exported == {**{key: movie[key] for key in ("imdb_id", "title", "year", "type")}, "added_at": added_at}


@pytest.mark.parametrize("form", KINDS)
async def test_an_empty_list_is_an_empty_file(people: People, form: str) -> None:
    answer = await people.ada.get(f"{EXPORT}?format={form}")
    assert answer.status_code == 200
    assert answer.text.strip() == ("[]" if form == "json" else "Position,Const,Created,Title,URL,Title Type,Year")


async def test_a_title_that_is_a_formula_is_neutralised_and_comes_back(people: People) -> None:
    await people.service.execute(
        "INSERT INTO movies (imdb_id, title, folded_title, title_keys)"
        " VALUES ('tt0000007', '=cmd|'' /C calc''!A0, \"quoted\"', 'x', '{x}')"
    )
    await imported(people.ada, csv_of("tt0000007"))
    text = (await people.ada.get(EXPORT)).text
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["Title"] == "'=cmd|' /C calc'!A0, \"quoted\""
    await people.service.execute("DELETE FROM movies WHERE imdb_id = 'tt0000007'")
    shown = await imported(people.grace, text)
    assert shown["not_found"] == [{"row": 1, "title": "=cmd|' /C calc'!A0, \"quoted\"", "year": None}]


async def test_head_answers_as_get_does_without_the_body(people: People) -> None:
    await fill(people, 2)
    headers = {"Authorization": f"Bearer {people.ada.access}"}
    answer = await people.service.client.head(EXPORT, headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Type"] == KINDS["csv"]


async def test_another_format_is_422_and_nobody_is_401(people: People) -> None:
    for query in ("format=xml", "format=", "format=csv&format=json", "format=CSV%00"):
        assert fields(await people.ada.get(f"{EXPORT}?{query}"), case=query) == {"format"}
    problem(await people.service.client.get(EXPORT), 401, "not_authenticated")
