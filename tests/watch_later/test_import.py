"""Files on their way into the watch-later list."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.doubles.omdb import OmdbDouble
from tests.imports import exports_of_others as others
from tests.imports.lists import IMPORT, begin, csv_of, imported, progress, send, worker
from tests.movies.people import People, Person
from tests.problem_documents import fields, problem

HEAT, ALIEN = "tt0113277", "tt0078748"
NOWHERE = "tt9999999"


async def queue(person: Person) -> list[tuple[str, str]]:
    return [(movie["imdb_id"], movie["added_at"]) for movie in await person.queued("limit=100")]


async def ids(person: Person) -> list[str]:
    return [imdb_id for imdb_id, _ in await queue(person)]


def answered(shown: dict[str, Any]) -> tuple[int, int, int, int]:
    return shown["total"], shown["added"], shown["already_there"], len(shown["not_found"])


async def test_an_import_is_queued_and_then_done(people: People) -> None:
    answer = await send(people.ada, csv_of(f"{HEAT},Heat,1995", ",Nobody Knows This,1999", ",,"))
    assert answer.status_code == 202
    shown = answer.json()
    assert shown == {
        "id": shown["id"],
        "status": "queued",
        "total": 2,
        "added": 0,
        "already_there": 0,
        "not_found": [],
        "created_at": shown["created_at"],
        "finished_at": None,
    }
    assert await progress(people.ada, shown["id"]) == shown
    async with worker(people.service.url) as work:
        assert await work(shown["id"]) is None
        done = await progress(people.ada, shown["id"])
        assert await work(shown["id"]) is None
    assert done == {
        **shown,
        "status": "done",
        "added": 1,
        "not_found": [{"row": 2, "title": "Nobody Knows This", "year": 1999}],
        "finished_at": done["finished_at"],
    }
    assert done["created_at"] <= done["finished_at"]
    assert await progress(people.ada, shown["id"]) == done
    assert await ids(people.ada) == [HEAT]
    assert await ids(people.grace) == []


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (others.IMDB, {HEAT: "2024-01-31T00:00:00Z", "tt0903747": "2024-02-01T00:00:00Z"}),
        (others.LETTERBOXD, {HEAT: "2023-05-01T00:00:00Z", "tt0060196": "2023-05-02T00:00:00Z"}),
        (others.TRAKT, {HEAT: "2022-03-04T05:06:07Z"}),
        (others.TRAKT_JSON, {HEAT: "2022-03-04T05:06:07Z"}),
    ],
)
async def test_what_others_export_is_added_with_its_dates(people: People, file: str, expected: dict[str, str]) -> None:
    shown = await imported(people.ada, file)
    assert answered(shown) == (len(expected), len(expected), 0, 0), shown
    assert dict(await queue(people.ada)) == expected


async def test_without_dates_the_list_shows_the_file_s_order_also_in_many_batches(people: People) -> None:
    movies = await people.service.client.get("/movies/?limit=100&ordering=title")
    wanted = [movie["imdb_id"] for movie in movies.json()["results"]]
    shown = await imported(people.ada, csv_of(*wanted))
    assert answered(shown) == (100, 100, 0, 0)
    assert await ids(people.ada) == wanted
    assert all(added_at <= shown["created_at"] for _, added_at in await queue(people.ada))


async def test_rows_of_one_day_are_shown_in_the_file_s_order(people: People) -> None:
    movies = await people.service.client.get("/movies/?limit=20&ordering=-title")
    wanted = [movie["imdb_id"] for movie in movies.json()["results"]]
    rows = "".join(f"{imdb_id},2024-01-31\n" for imdb_id in wanted)
    await imported(people.ada, f"Const,Created\n{rows}")
    assert await ids(people.ada) == wanted
    assert {added_at[:10] for _, added_at in await queue(people.ada)} == {"2024-01-31"}


async def test_what_is_there_already_stays_as_it_is_and_a_title_twice_in_the_file_comes_once(people: People) -> None:
    await imported(people.ada, f"Const,Created\n{HEAT},2020-01-01\n")
    shown = await imported(people.ada, f"Const,Title,Year,Created\n{HEAT},,,\n{ALIEN},,,\n{ALIEN},,,\n,alien,1979,\n")
    assert answered(shown) == (4, 1, 3, 0)
    assert (await queue(people.ada))[1] == (HEAT, "2020-01-01T00:00:00Z")


async def test_counts_are_true_afterwards(people: People) -> None:
    await imported(people.ada, csv_of(HEAT, HEAT, ALIEN))
    (movie,) = (await people.ada.get(f"/movies/?imdb_id={HEAT}")).json()["results"]
    assert (movie["is_watch_later"], movie["watch_later_count"]) == (True, 1)


async def test_another_user_s_import_is_404(people: People) -> None:
    import_id = await begin(people.ada, csv_of(HEAT))
    problem(await people.grace.get(f"{IMPORT}{import_id}/"), 404, "import_not_found")
    problem(await people.ada.get(f"{IMPORT}{import_id + 1}/"), 404, "import_not_found")
    problem(await people.ada.get(f"{IMPORT}{2**63}/"), 404)
    problem(await people.ada.get(f"{IMPORT}x/"), 404)
    problem(await people.service.client.get(f"{IMPORT}{import_id}/"), 401, "not_authenticated")


async def test_one_import_a_user_runs_at_a_time_also_of_many_sent_at_once(people: People) -> None:
    answers = await asyncio.gather(*(send(people.ada, csv_of(HEAT)) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7
    problem(next(answer for answer in answers if answer.status_code == 409), 409, "import_running")
    await begin(people.grace, csv_of(HEAT))
    assert await people.service.value("SELECT count(*) FROM list_import_rows") == 2
    assert await people.service.value("SELECT count(*) FROM jobs WHERE entrypoint = 'list_import'") >= 2


async def test_five_imports_a_day_and_a_refused_file_is_none_of_them(people: People) -> None:
    for _ in range(5):
        assert (await send(people.ada, "no list")).status_code == 422
        await imported(people.ada, csv_of(HEAT))
    answer = await send(people.ada, csv_of(HEAT))
    problem(answer, 429, "import_limit_reached")
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert 0 < int(answer.headers["Retry-After"]) <= (midnight - now).total_seconds() + 60
    await begin(people.grace, csv_of(HEAT))
    await people.service.execute(
        "UPDATE list_imports SET created_at = date_trunc('day', now(), 'UTC') - interval '1 second'"
        " WHERE id = (SELECT min(id) FROM list_imports)"
    )
    await begin(people.ada, csv_of(HEAT))


async def test_whoever_is_not_logged_in_is_told_so_before_the_file_is_read(people: People) -> None:
    client = people.service.client
    problem(await client.post(IMPORT, files={"file": ("x", b"no list")}), 401, "not_authenticated")
    headers = {"Authorization": "Bearer x"}
    problem(await client.post(IMPORT, files={"file": ("x", b"no list")}, headers=headers), 401, "invalid_token")


async def upload(person: Person, content: bytes | AsyncIterator[bytes], kind: str | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {person.access}"} | ({"Content-Type": kind} if kind else {})
    return await person.service.client.post(IMPORT, content=content, headers=headers)


def form(*parts: tuple[str, bytes], end: bytes = b"--x--\r\n") -> bytes:
    return (
        b"".join(b"--x\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (d.encode(), c) for d, c in parts) + end
    )


FORM = "multipart/form-data; boundary=x"
FILE = ('name="file"; filename="a.csv"', b"Const\ntt0113277\n")


async def test_a_body_of_another_type_is_415(people: People) -> None:
    for kind in (
        "text/csv",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/mixed; boundary=x",
        "",
        None,
    ):
        answer = await upload(people.ada, form(FILE), kind)
        assert "multipart/form-data" in problem(answer, 415, "unsupported_media_type", case=kind)["detail"]


@pytest.mark.parametrize(
    ("body", "kind"),
    {
        "no part": (form(), FORM),
        "nothing": (b"", FORM),
        "a part of another name": (form(('name="list"; filename="a.csv"', FILE[1])), FORM),
        "a field in place of a file": (form(('name="file"', FILE[1])), FORM),
        "two files": (form(FILE, FILE), FORM),
        "a second file of another name": (form(FILE, ('name="more"; filename="b.csv"', b"x")), FORM),
        "many fields": (form(*[('name="a"', b"x")] * 30, FILE), FORM),
        "no boundary": (form(FILE), "multipart/form-data"),
        "another boundary": (form(FILE), "multipart/form-data; boundary=y"),
        "a part without a name": (form(('filename="a.csv"', FILE[1])), FORM),
        "a form that breaks off": (form(FILE, end=b"")[:-9], FORM),
        "an unnamed empty file": (form(('name="file"; filename=""', b"")), FORM),
        "a large field": (form(('name="a"', b"x" * 1_100_000), FILE), FORM),
    }.items(),
    ids=lambda case: case if isinstance(case, str) else "",
)
# Starlette leaves the file of a part that breaks off to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_form_without_exactly_one_file_is_422_and_names_it(
    people: People, body: str, kind: tuple[bytes, str]
) -> None:
    assert fields(await upload(people.ada, *kind), case=body) == {"file"}
    assert await people.service.value("SELECT count(*) FROM list_imports") == 0


async def test_other_fields_of_the_form_are_no_fault(people: People) -> None:
    answer = await upload(
        people.ada, form(('name="token"', b"x"), FILE), "Multipart/Form-Data; charset=x-none; boundary=x"
    )
    assert answer.status_code == 202


async def test_a_file_of_2_mb_is_taken_and_more_is_413(people: People) -> None:
    row = b"tt0113277," + b"x" * 990 + b"\n"
    whole = (b"Const,Title\n" + row * 2_200)[: 2 * 1024 * 1024]
    assert (await send(people.ada, whole)).status_code == 202
    problem(await send(people.grace, whole + b"x"), 413, "body_too_large")
    problem(await send(people.grace, whole + row * 1_000), 413, "body_too_large")


async def test_a_body_without_a_length_is_refused_as_it_arrives(people: People) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield form(('name="file"; filename="a.csv"', b"Const\n"), end=b"")[:-2]
        for _ in range(1_000):
            sent += 1
            yield b"tt0113277\n" * 1_000

    problem(await upload(people.ada, endless(), FORM), 413, "body_too_large")
    assert sent < 300


async def test_what_is_larger_than_other_operations_take_is_413_there_as_before(people: People) -> None:
    problem(await people.ada.post("/watch_later/create/", movie="x" * 150_000), 413, "body_too_large")
    assert (await people.ada.post("/watch_later/import", file="x" * 150_000)).status_code == 307


async def test_a_user_who_is_deleted_while_the_file_is_read_begins_nothing(people: People) -> None:
    async def slow() -> AsyncIterator[bytes]:
        body = form(FILE)
        yield body[:40]
        await people.service.execute("DELETE FROM users WHERE id = :id", id=people.ada.id)
        yield body[40:]

    problem(await upload(people.ada, slow(), FORM), 401, "invalid_token")


async def test_a_user_who_was_deleted_meanwhile_ends_what_was_begun(people: People) -> None:
    import_id = await begin(people.ada, csv_of(HEAT))
    await people.service.execute("DELETE FROM users WHERE id = :id", id=people.ada.id)
    async with worker(people.service.url) as work:
        assert await work(import_id) is None
    assert await people.service.value("SELECT count(*) FROM list_imports") == 0


async def test_an_import_and_the_deletion_of_its_user_do_not_stand_in_each_other_s_way(people: People) -> None:
    movies = await people.service.client.get("/movies/?limit=100")
    wanted = [movie["imdb_id"] for movie in movies.json()["results"]]
    async with worker(people.service.url) as work:
        for number in range(6):
            somebody = await people.new(f"p{number}@example.com")
            import_id = await begin(somebody, csv_of(*wanted))
            deleted = people.service.execute("DELETE FROM users WHERE id = :id", id=somebody.id)
            await asyncio.gather(work(import_id), deleted)
    assert await people.service.value("SELECT count(*) FROM watch_later") == 0
    assert await people.service.value("SELECT sum(watch_later_count) FROM movie_counts") == 0


async def test_two_workers_at_one_import_add_and_count_nothing_twice(people: People) -> None:
    movies = await people.service.client.get("/movies/?limit=100")
    wanted = [movie["imdb_id"] for movie in movies.json()["results"]]
    import_id = await begin(people.ada, csv_of(*wanted))
    async with worker(people.service.url) as work, worker(people.service.url) as other:
        await asyncio.gather(work(import_id), other(import_id))
    assert answered(await progress(people.ada, import_id)) == (100, 100, 0, 0)


async def test_movies_that_are_deleted_meanwhile_end_nothing(people: People) -> None:
    await people.service.execute(
        "INSERT INTO movies (imdb_id, title, folded_title, title_keys) VALUES ('tt0000009', 'Gone', 'gone', '{gone}')"
    )
    import_id = await begin(people.ada, csv_of(HEAT, "tt0000009", ALIEN))

    async def delete() -> None:
        await people.service.execute("DELETE FROM movies WHERE imdb_id = 'tt0000009'")

    async with worker(people.service.url) as work:
        await asyncio.gather(work(import_id), delete())
    shown = await progress(people.ada, import_id)
    assert shown["status"] == "done"
    assert sum(answered(shown)[1:]) == 3


def numbers(rows: Iterable[dict[str, Any]]) -> list[int]:
    return [row["row"] for row in rows]


async def test_without_a_key_what_is_not_stored_is_not_found(people: People) -> None:
    shown = await imported(people.ada, csv_of(NOWHERE, ",Unheard Of,2001", f"{HEAT},Heat,1995"))
    assert shown["status"] == "done"
    assert shown["not_found"] == [
        {"row": 1, "title": NOWHERE, "year": None},
        {"row": 2, "title": "Unheard Of", "year": 2001},
    ]


async def test_with_no_budget_nobody_is_asked(people: People, omdb: OmdbDouble) -> None:
    import_id = await begin(people.ada, csv_of(NOWHERE))
    async with worker(people.service.url, omdb, import_daily_lookups=0) as work:
        assert await work(import_id) is None
    assert omdb.calls == []
    assert numbers((await progress(people.ada, import_id))["not_found"]) == [1]
