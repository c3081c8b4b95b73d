"""Collections as files: in for their owner and staff, out for whoever sees them."""

import asyncio
import csv
import io
from typing import Any

import pytest

from tests.collections.conftest import contents, made, movie_ids_of
from tests.doubles.omdb import OmdbDouble
from tests.imports.lists import begin, csv_of, imported, progress, send, worker
from tests.movies.conftest import title
from tests.movies.people import People, Person
from tests.problem_documents import fields, problem

HEAT, ALIEN, PSYCHO = "tt0113277", "tt0078748", "tt0054215"


def into(collection: dict[str, Any]) -> str:
    return f"/collections/{collection['id']}/import/"


def out_of(collection: dict[str, Any], form: str = "csv") -> str:
    return f"/collections/{collection['id']}/export/?format={form}"


async def ids(reader: Person, collection: dict[str, Any]) -> list[str]:
    return [movie["imdb_id"] for movie in await contents(reader, collection["id"], "limit=100")]


async def staff(people: People) -> Person:
    return await people.new("staff@example.com", is_staff=True)


async def test_titles_come_behind_those_that_are_there_in_the_file_s_order(people: People) -> None:
    first = await people.movie_ids("-imdb_rating", 3)
    collection = await made(people.ada, movie_ids=list(first))
    page = await people.service.client.get("/movies/?limit=50&ordering=title")
    wanted = [movie["imdb_id"] for movie in page.json()["results"] if movie["id"] not in first]
    shown = await imported(people.ada, csv_of(*wanted[:20], "tt9999999", *wanted[20:]), into(collection))
    assert (shown["status"], shown["added"], [row["row"] for row in shown["not_found"]]) == ("done", len(wanted), [21])
    assert (await ids(people.ada, collection))[3:] == wanted
    assert (await movie_ids_of(people.ada, collection["id"]))[:3] == list(first)
    found = (await people.ada.get(f"/collections/{collection['id']}/")).json()
    assert found["movies_count"] == 3 + len(wanted)
    assert found["updated_at"] > collection["updated_at"]
    assert await people.ada.queued() == []


async def test_the_order_holds_where_some_are_looked_up_a_day_later(people: People) -> None:
    (first,) = await people.movie_ids("-imdb_rating", 1)
    collection = await made(people.ada, movie_ids=[first])
    new = [f"tt80000{number}" for number in range(10, 14)]
    file = [new[0], HEAT, new[1], new[2], ALIEN, new[3]]
    async with (
        OmdbDouble(title(imdb_id) for imdb_id in new) as omdb,
        worker(people.service.url, omdb, import_daily_lookups=2) as work,
    ):
        import_id = await begin(people.ada, csv_of(*file), into(collection))
        assert await work(import_id) is not None
        assert (await ids(people.ada, collection))[1:] == [new[0], HEAT, new[1], ALIEN]
        await people.service.execute("UPDATE upstream_lookups SET day = day - 1")
        await work(import_id)
    assert (await ids(people.ada, collection))[1:] == file
    assert (await progress(people.ada, import_id, into(collection)))["added"] == 6
    await people.service.execute("DELETE FROM movies WHERE imdb_id LIKE 'tt80000%'")
    await people.service.execute("DELETE FROM upstream_lookups")


async def test_what_is_found_after_the_owner_put_others_behind_comes_behind_those(people: People) -> None:
    first, *others = await people.movie_ids("-imdb_rating", 9)
    collection = await made(people.ada, movie_ids=[first])
    async with (
        OmdbDouble([title("tt8000010"), title("tt8000011")]) as omdb,
        worker(people.service.url, omdb, import_daily_lookups=1) as work,
    ):
        import_id = await begin(people.ada, csv_of("tt8000010", "tt8000011"), into(collection))
        assert await work(import_id) is not None
        (_, found) = await movie_ids_of(people.ada, collection["id"])
        answer = await people.service.ask(
            "PATCH", f"/collections/{collection['id']}/", people.ada.access, movie_ids=[found, *others, first]
        )
        assert answer.status_code == 200
        await people.service.execute("UPDATE upstream_lookups SET day = day - 1")
        await work(import_id)
    shown = await ids(people.ada, collection)
    assert (shown[0], shown[-1], len(shown)) == ("tt8000010", "tt8000011", 11)
    await people.service.execute("DELETE FROM movies WHERE imdb_id LIKE 'tt80000%'")
    await people.service.execute("DELETE FROM upstream_lookups")


async def test_what_is_in_it_already_keeps_its_place(people: People) -> None:
    collection = await made(people.ada)
    await imported(people.ada, csv_of(HEAT, ALIEN), into(collection))
    shown = await imported(people.ada, csv_of(PSYCHO, ALIEN, PSYCHO), into(collection))
    assert (shown["added"], shown["already_there"]) == (1, 2)
    assert await ids(people.ada, collection) == [HEAT, ALIEN, PSYCHO]


async def test_its_owner_and_staff_may_import_and_nobody_else_sees_that(people: People) -> None:
    client = people.service.client
    for is_public in (True, False):
        collection = await made(people.ada, is_public=is_public)
        problem(await send(people.grace, "no list", into(collection)), 403, "not_the_owner")
        problem(await client.post(into(collection), files={"file": b"x"}), 401, "not_authenticated")
    clerk = await staff(people)
    import_id = await begin(clerk, csv_of(HEAT), into(collection))
    async with worker(people.service.url) as work:
        await work(import_id)
    assert await ids(people.ada, collection) == [HEAT]
    for reader in (people.ada, clerk):
        assert (await progress(reader, import_id, into(collection)))["added"] == 1
    problem(await people.grace.get(f"{into(collection)}{import_id}/"), 403, "not_the_owner")
    problem(await client.get(f"{into(collection)}{import_id}/"), 401, "not_authenticated")
    for path in (into(await made(people.ada)), "/watch_later/import/"):
        problem(await people.ada.get(f"{path}{import_id}/"), 404, "import_not_found")
    problem(await clerk.get(f"/watch_later/import/{import_id}/"), 404, "import_not_found")


async def test_an_import_of_the_watch_later_list_is_none_of_a_collection(people: People) -> None:
    collection = await made(people.ada)
    import_id = await begin(people.ada, csv_of(HEAT))
    problem(await people.ada.get(f"{into(collection)}{import_id}/"), 404, "import_not_found")
    problem(await send(people.ada, csv_of(HEAT), into(collection)), 409, "import_running")


async def test_a_collection_that_is_not_there_is_404(people: People) -> None:
    nowhere = {"id": 2**62}
    problem(await send(people.ada, csv_of(HEAT), into(nowhere)), 404, "collection_not_found")
    problem(await people.ada.get(f"{into(nowhere)}1/"), 404, "collection_not_found")
    problem(await people.ada.get(out_of(nowhere)), 404, "collection_not_found")
    for number in (2**63, 0, "x"):
        problem(await people.ada.get(out_of({"id": number})), 404)


async def test_a_collection_that_is_deleted_ends_its_import_which_still_counts_for_the_day(people: People) -> None:
    async with worker(people.service.url) as work:
        for _ in range(5):
            collection = await made(people.ada)
            import_id = await begin(people.ada, csv_of(HEAT), into(collection))
            assert (await people.ada.delete(f"/collections/{collection['id']}/")).status_code == 204
            assert await work(import_id) is None
    assert await people.service.value("SELECT array_agg(DISTINCT status) FROM list_imports") == ["failed"]
    assert await people.ada.queued() == []
    problem(await send(people.ada, csv_of(HEAT)), 429, "import_limit_reached")


async def test_an_import_and_the_deletion_of_its_collection_do_not_stand_in_each_other_s_way(people: People) -> None:
    page = await people.service.client.get("/movies/?limit=100")
    wanted = [movie["imdb_id"] for movie in page.json()["results"]]
    async with worker(people.service.url) as work:
        for _ in range(5):
            collection = await made(people.ada)
            import_id = await begin(people.ada, csv_of(*wanted), into(collection))
            deleted = people.ada.delete(f"/collections/{collection['id']}/")
            _, answer = await asyncio.gather(work(import_id), deleted)
            assert answer.status_code == 204
    assert await people.service.value("SELECT count(*) FROM collection_movies") == 0


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_what_is_exported_is_imported_again_the_same(people: People, form: str) -> None:
    every = await people.service.value("SELECT array_agg(imdb_id ORDER BY title) FROM movies")
    collection, copy = await made(people.ada), await made(people.grace)
    rows = "".join(f"{imdb_id},2024-01-31\n" for imdb_id in every)
    await imported(people.ada, f"Const,Created\n{rows}", into(collection))
    await people.service.execute("UPDATE collection_movies SET position = position / 7")
    answer = await people.ada.get(out_of(collection, form))
    assert answer.headers["Content-Disposition"] == f'attachment; filename="collection-{collection["id"]}.{form}"'
    shown = await imported(people.grace, answer.content, into(copy))
    assert (shown["added"], shown["not_found"]) == (len(every), [])
    assert await ids(people.grace, copy) == await ids(people.ada, collection)
    dates = "SELECT count(DISTINCT date_trunc('second', added_at)) FROM collection_movies"
    assert await people.service.value(dates) == 1


async def test_a_collection_is_exported_for_whoever_sees_it(people: People) -> None:
    client = people.service.client
    movie_ids = list(await people.movie_ids(count=1))
    public = await made(people.ada, is_public=True, movie_ids=movie_ids)
    private = await made(people.ada, movie_ids=movie_ids)
    for reader in (people.ada, people.grace, client):
        answer = await reader.get(out_of(public))
        assert answer.status_code == 200
        assert len(list(csv.reader(io.StringIO(answer.text, newline="")))) == 2
    assert (await people.ada.get(out_of(private))).status_code == 200
    assert (await (await staff(people)).get(out_of(private))).status_code == 200
    problem(await people.grace.get(out_of(private)), 403, "not_the_owner")
    problem(await client.get(out_of(private)), 401, "not_authenticated")
    assert fields(await people.ada.get(out_of(private, "xml"))) == {"format"}
