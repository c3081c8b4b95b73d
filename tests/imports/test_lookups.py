"""What is not stored is looked up, within a budget, whatever upstream does."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.imports.budget import LookupBudget
from app.imports.repository import ImportRepository
from tests.doubles.omdb import OmdbDouble, error
from tests.doubles.server import Reply
from tests.imports.lists import begin, csv_of, progress, worker
from tests.movies.conftest import title
from tests.movies.people import People

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
GARBLED, BROKEN = Reply(b"<html>"), Reply(b"busy", 503)
USED_UP = error("Request limit reached!", 401)


def new_ids(count: int, first: int = 8_000_001) -> list[str]:
    return [f"tt{number}" for number in range(first, first + count)]


@pytest.fixture
async def omdb(people: People) -> AsyncIterator[OmdbDouble]:
    """An OMDb with films that are not stored, and a whole budget."""
    async with OmdbDouble(title(imdb_id) for imdb_id in new_ids(60)) as server:
        yield server
    await people.service.execute("DELETE FROM movies WHERE imdb_id LIKE 'tt80000%'")
    await people.service.execute("DELETE FROM upstream_lookups")


async def used(people: People) -> int:
    count: int = await people.service.value("SELECT COALESCE(sum(used), 0) FROM upstream_lookups")
    return count


async def run(
    people: People, content: str, omdb: OmdbDouble, **settings: Any
) -> tuple[dict[str, Any], timedelta | None]:
    """What became of a file after one go, and how long it waits for the next."""
    import_id = await begin(people.ada, content)
    async with worker(people.service.url, omdb, **settings) as work:
        delay = await work(import_id)
    return await progress(people.ada, import_id), delay


def rows(shown: dict[str, Any]) -> list[int]:
    return [row["row"] for row in shown["not_found"]]


async def again(
    people: People, shown: dict[str, Any], omdb: OmdbDouble, **settings: Any
) -> tuple[dict[str, Any], timedelta | None]:
    async with worker(people.service.url, omdb, **settings) as work:
        delay = await work(shown["id"])
    return await progress(people.ada, shown["id"]), delay


async def test_ids_that_are_not_stored_are_looked_up_side_by_side_and_come_in_the_file_s_order(
    people: People, omdb: OmdbDouble
) -> None:
    wanted = new_ids(45)
    omdb.latency = 0.01
    shown, delay = await run(people, csv_of(*wanted, "tt0113277", "tt8999999"), omdb)
    assert (shown["status"], shown["added"], rows(shown), delay) == ("done", 46, [47], None)
    assert sorted(omdb.looked_up) == sorted([*wanted, "tt8999999"])
    assert omdb.most_in_flight > 10
    assert await used(people) == 46
    assert [movie["imdb_id"] for movie in await people.ada.queued("limit=100")] == [*wanted, "tt0113277"]
    await people.service.execute("DELETE FROM watch_later")
    shown, _ = await run(people, csv_of(*wanted), omdb)
    assert (shown["status"], shown["added"]) == ("done", 45)
    assert len(omdb.looked_up) == 46


async def test_titles_that_are_not_stored_are_looked_up_by_name_and_year(people: People, omdb: OmdbDouble) -> None:
    omdb.titles["tt8000001"] = title("tt8000001", Title="The Long Night of the Lighthouse", Year="2001")
    file = (
        "Date,Name,Year,Letterboxd URI\n"
        '2023-05-01,"Long Night of the Lighthouse, The",2001,https://boxd.it/x\n'
        "2023-05-02,Unheard Of,1950,https://boxd.it/y\n"
    )
    shown, _ = await run(people, file, omdb)
    assert (shown["status"], shown["added"], rows(shown)) == ("done", 1, [2])
    assert await used(people) == len(omdb.calls) > 2
    assert [movie["imdb_id"] for movie in await people.ada.queued()] == ["tt8000001"]


async def test_an_id_that_has_moved_is_the_title_that_it_moved_to(people: People, omdb: OmdbDouble) -> None:
    omdb.replies["tt8000001"] = Reply(b'{"imdbID": "tt0113277", "Title": "Heat", "Year": "1995", "Response": "True"}')
    shown, _ = await run(people, csv_of("tt8000001", "tt0113277"), omdb)
    assert (shown["added"], shown["already_there"]) == (1, 1)


async def test_the_budget_of_the_day_is_all_users_together_and_the_rest_waits_for_the_next(
    people: People, omdb: OmdbDouble
) -> None:
    wanted = new_ids(50)
    shown, delay = await run(people, csv_of(*wanted), omdb, import_daily_lookups=30)
    assert (shown["status"], shown["added"], shown["finished_at"], len(omdb.calls)) == ("waiting", 30, None, 30)
    now = datetime.now(UTC)
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    assert delay is not None
    assert timedelta() <= delay - (midnight - now) < timedelta(minutes=6)
    grace = await begin(people.grace, csv_of("tt8000055", "tt0113277"))
    async with worker(people.service.url, omdb, import_daily_lookups=30) as work:
        assert await work(grace) is not None
        assert (await progress(people.grace, grace))["added"] == 1
        await people.service.execute("UPDATE upstream_lookups SET day = day - 1")
        assert await work(shown["id"]) is None
    shown = await progress(people.ada, shown["id"])
    assert (shown["status"], shown["added"], len(omdb.calls)) == ("done", 50, 50)
    assert [movie["imdb_id"] for movie in await people.ada.queued("limit=100")] == wanted


async def test_a_budget_smaller_than_one_title_by_name_can_take_is_still_used(people: People, omdb: OmdbDouble) -> None:
    shown, delay = await run(
        people, ",Unheard Of,1950\n".join(["Const,Title,Year\n", "tt8000001,,\n"]), omdb, import_daily_lookups=2
    )
    assert (shown["status"], delay is not None) == ("waiting", True)
    await people.service.execute("UPDATE upstream_lookups SET day = day - 1")
    shown, delay = await again(people, shown, omdb, import_daily_lookups=2)
    assert (shown["status"], rows(shown), delay) == ("done", [1], None)


async def test_many_at_once_take_no_more_than_there_is(people: People) -> None:
    budget = LookupBudget(people.service.database, 100)
    taken = [calls for _, calls in await asyncio.gather(*(budget.take(9) for _ in range(20)))]
    assert sum(taken) == 100
    day, nothing = await budget.take(1)
    assert nothing == 0
    await budget.hand_back(day, 30)
    assert [calls for _, calls in await asyncio.gather(*(budget.take(20) for _ in range(3)))].count(20) == 1
    assert await used(people) == 100
    await people.service.execute("DELETE FROM upstream_lookups")


@pytest.mark.parametrize("reply", [GARBLED, error("Something went wrong.")])
async def test_an_answer_that_makes_no_sense_is_not_found_for_its_row_and_stops_nothing(
    people: People, omdb: OmdbDouble, reply: Reply
) -> None:
    omdb.replies["tt8000002"] = reply
    shown, delay = await run(people, csv_of(*new_ids(4)), omdb)
    assert (shown["status"], shown["added"], rows(shown), delay) == ("done", 3, [2], None)
    shown, delay = await run(people, csv_of("tt8000002"), omdb)
    assert (shown["status"], rows(shown), delay) == ("done", [1], None)


@pytest.mark.parametrize("reply", [BROKEN, Reply(drop=True)])
async def test_a_title_at_which_upstream_fails_alone_is_tried_three_times_among_others(
    people: People, omdb: OmdbDouble, reply: Reply
) -> None:
    omdb.replies["tt8000002"] = reply
    shown, delay = await run(people, csv_of(*new_ids(60)), omdb)
    assert (shown["status"], shown["added"], rows(shown), delay) == ("done", 59, [2], None)
    assert omdb.looked_up.count("tt8000002") == 9  # three, each of which the client makes three times


async def test_at_the_end_of_a_file_such_a_title_is_waited_for(people: People, omdb: OmdbDouble) -> None:
    omdb.replies["tt8000002"] = BROKEN
    shown, delay = await run(people, csv_of(*new_ids(2)), omdb)
    assert (shown["status"], shown["added"], delay) == ("waiting", 1, MINUTE)
    shown, delay = await again(people, shown, omdb)
    assert (shown["status"], rows(shown), delay) == ("done", [2], None)


async def test_while_upstream_is_away_the_import_waits_for_longer_and_longer(people: People, omdb: OmdbDouble) -> None:
    await begin(people.grace, csv_of("tt0113277"))
    omdb.always = BROKEN
    shown, delay = await run(people, csv_of("tt0113277", *new_ids(3)), omdb)
    assert (shown["status"], shown["added"], rows(shown), delay) == ("waiting", 1, [], MINUTE)
    for ago, expected in ((MINUTE / 2, MINUTE), (7 * MINUTE, 7 * MINUTE), (2 * HOUR, HOUR), (71 * HOUR, HOUR)):
        await people.service.execute("UPDATE list_imports SET progress_at = now() - CAST(:ago AS interval)", ago=ago)
        shown, delay = await again(people, shown, omdb)
        assert shown["status"] == "waiting"
        assert delay is not None
        assert timedelta() <= delay - expected < timedelta(seconds=5)
    omdb.always = None
    shown, delay = await again(people, shown, omdb)
    assert (shown["status"], shown["added"], delay) == ("done", 4, None)


async def test_after_days_it_is_given_up_and_what_was_added_stays(people: People, omdb: OmdbDouble) -> None:
    omdb.always = BROKEN
    shown, _ = await run(people, csv_of("tt0113277", *new_ids(3)), omdb)
    await people.service.execute("UPDATE list_imports SET progress_at = now() - interval '73 hours'")
    shown, delay = await again(people, shown, omdb)
    assert (shown["status"], shown["added"], rows(shown), delay) == ("failed", 1, [], None)
    assert shown["finished_at"]
    assert len(await people.ada.queued()) == 1
    await begin(people.ada, csv_of("tt0113277"))


async def test_a_key_that_is_not_taken_finds_nothing_to_be_unknown(people: People, omdb: OmdbDouble) -> None:
    omdb.always = error("Invalid API key!", 401)
    shown, delay = await run(people, csv_of(*new_ids(3)), omdb)
    assert (shown["status"], rows(shown), delay) == ("waiting", [], MINUTE)


async def test_nonsense_from_upstream_for_everything_is_an_outage(people: People, omdb: OmdbDouble) -> None:
    omdb.always = GARBLED
    shown, delay = await run(people, csv_of(*new_ids(8)), omdb)
    assert (shown["status"], rows(shown), delay) == ("waiting", [], MINUTE)
    omdb.always = None
    shown, delay = await again(people, shown, omdb)
    assert (shown["status"], shown["added"]) == ("done", 8)


async def test_an_outage_in_the_middle_costs_no_row(people: People, omdb: OmdbDouble) -> None:
    wanted = new_ids(60)
    omdb.replies = dict.fromkeys(wanted[10:], BROKEN)
    shown, delay = await run(people, csv_of(*wanted), omdb)
    assert (shown["status"], shown["added"], rows(shown), delay) == ("waiting", 10, [], MINUTE)
    omdb.replies = {}
    shown, delay = await again(people, shown, omdb)
    assert (shown["status"], shown["added"], rows(shown)) == ("done", 60, [])


async def test_where_upstream_s_own_limit_is_used_up_the_import_waits_an_hour(people: People, omdb: OmdbDouble) -> None:
    omdb.replies["tt8000002"] = USED_UP
    shown, delay = await run(people, csv_of(*new_ids(3)), omdb)
    assert (shown["status"], shown["added"], rows(shown), delay) == ("waiting", 2, [], HOUR)
    omdb.replies.clear()
    shown, delay = await again(people, shown, omdb)
    assert (shown["status"], shown["added"], delay) == ("done", 3, None)


async def test_an_import_that_was_ended_while_upstream_was_asked_adds_nothing_more(
    people: People, omdb: OmdbDouble
) -> None:
    omdb.latency = 0.3
    for end in ("UPDATE list_imports SET status = 'failed', finished_at = now()", "DELETE FROM users WHERE id = :id"):
        import_id = await begin(people.ada, csv_of(*new_ids(3)))
        omdb.forget()
        async with worker(people.service.url, omdb) as work:
            going = asyncio.ensure_future(work(import_id))
            await omdb.asked(1)
            await people.service.execute(end, **({"id": people.ada.id} if ":id" in end else {}))
            assert await going is None
        await people.service.execute("DELETE FROM movies WHERE imdb_id LIKE 'tt80000%'")
    assert await people.service.value("SELECT count(*) FROM watch_later") == 0


async def test_old_imports_and_budgets_are_forgotten_and_abandoned_ones_are_ended(
    people: People, omdb: OmdbDouble
) -> None:
    old, _ = await run(people, csv_of("tt0113277"), omdb)
    recent, _ = await run(people, csv_of("tt0113277"), omdb)
    lost = await begin(people.ada, csv_of("tt0113277"))
    waiting = await begin(people.grace, csv_of("tt0113277"))
    change = "UPDATE list_imports SET finished_at = {}, progress_at = {} WHERE id = :id"
    for import_id, finished, moved in (
        (old["id"], "now() - interval '30 days 1 minute'", "now()"),
        (recent["id"], "now() - interval '29 days'", "now()"),
        (lost, "NULL", "now() - interval '7 days 1 minute'"),
        (waiting, "NULL", "now() - interval '6 days'"),
    ):
        await people.service.execute(change.format(finished, moved), id=import_id)
    await people.service.execute("INSERT INTO upstream_lookups VALUES (current_date, 1), (current_date - 9, 1)")
    async with people.service.database.transaction() as session:
        await ImportRepository(session).purge()
    assert (await people.ada.get(f"/watch_later/import/{old['id']}/")).status_code == 404
    assert (await progress(people.ada, recent["id"]))["status"] == "done"
    assert (await progress(people.ada, lost))["status"] == "failed"
    assert (await progress(people.grace, waiting))["status"] == "queued"
    assert await people.service.value("SELECT count(*) FROM upstream_lookups") == 1
