"""The top movies by Claude: once a week, whoever asks."""

import asyncio

import pytest
from sqlalchemy import URL

from app.ai.advice import Advisor
from app.ai.top import NotRefreshed, TopRenewal
from app.core.jobs import enqueue
from app.settings import Settings
from app.upstream.services import upstream_services
from tests.ai.picks.conftest import Cinema, with_claude
from tests.ai.picks.test_recommendations import LATER, OVERLOADED
from tests.conftest import make_settings
from tests.doubles.claude_titles import TitlesByClaude

CHOSEN = "SELECT count(*) > 0 FROM top_movies WHERE generated_at > now() - interval '1 hour'"


def ago(days: int) -> str:
    return f"UPDATE top_movies SET generated_at = now() - interval '{days} days'"


@pytest.fixture(autouse=True)
async def catalogue(service: Cinema) -> None:
    await service.films(*(f"Film {n:02}" for n in range(15)))


@pytest.fixture
def settings(picks_url: URL, claude: TitlesByClaude) -> Settings:
    return make_settings(picks_url, **with_claude(claude))


async def test_a_hundred_clients_are_answered_at_once_and_ask_claude_once(
    service: Cinema, claude: TitlesByClaude
) -> None:
    claude.titles = ["Film 03", "Film 01"]
    with claude.held():
        answers = await asyncio.gather(*(service.top() for _ in range(100)))
    assert {tuple(titles) for titles in answers} == {tuple(f"Film {n:02}" for n in range(14, 4, -1))}
    await service.until(CHOSEN)
    top = await service.top()
    assert top[:2] == ["Film 03", "Film 01"]
    assert len(top) == len(set(top)) == 10
    assert len(claude.calls) == 1
    assert set(claude.questions[0]) == {"date"}
    assert await service.value("SELECT count(*) FROM ai_usage") == 0


async def test_a_choice_holds_for_a_week_and_is_served_while_the_next_is_made(
    service: Cinema, claude: TitlesByClaude
) -> None:
    claude.titles = ["Film 03"]
    await service.top()
    await service.until(CHOSEN)
    await service.idle()
    await service.execute(ago(6))
    await service.execute(LATER)
    await service.top()
    await service.idle()
    assert len(claude.calls) == 1
    await service.execute(ago(8))
    claude.titles = ["Film 05"]
    with claude.held():
        assert (await service.top())[0] == "Film 03"
    await service.until(CHOSEN)
    assert (await service.top())[0] == "Film 05"
    await service.idle()
    assert len(claude.calls) == 2


async def test_where_claude_fails_the_old_choice_stays_for_another_week_and_claude_is_left_alone_for_a_while(
    service: Cinema, claude: TitlesByClaude
) -> None:
    claude.titles = ["Film 03"]
    await service.top()
    await service.until(CHOSEN)
    await service.idle()
    claude.always = OVERLOADED
    await service.execute(ago(8))
    await service.execute(LATER)
    for _ in range(3):
        assert (await service.top())[0] == "Film 03"
        await service.idle()
    assert len(claude.calls) == 1 + 2  # the client tries an overload once more
    await service.execute(ago(15))
    assert (await service.top())[0] == "Film 14"


async def test_a_deleted_film_leaves_the_top_and_the_next_liked_fills_it_up(
    service: Cinema, claude: TitlesByClaude
) -> None:
    claude.titles = [f"Film {n:02}" for n in range(10)]
    await service.top()
    await service.until(CHOSEN)
    assert await service.top() == claude.titles
    await service.fans(**{"Film 12": 1})
    await service.execute("DELETE FROM movies WHERE title = 'Film 04'")
    assert await service.top() == [t for t in claude.titles if t != "Film 04"] + ["Film 12"]


async def test_the_weeks_job_chooses_anew_but_not_twice_on_one_day(service: Cinema, claude: TitlesByClaude) -> None:
    for age, calls in ((None, 1), (None, 1), (3, 2)):
        if age:
            await service.execute(ago(age))
        claude.titles = ["Film 03"]
        async with service.database.transaction() as session:
            await enqueue(session, "refresh_top")
        await service.idle()
        assert len(claude.calls) == calls


async def test_two_refreshes_at_once_are_one_and_the_other_is_told(
    service: Cinema, claude: TitlesByClaude, settings: Settings
) -> None:
    claude.titles = ["Film 03", "Film 02"]
    async with upstream_services(settings) as upstream:
        renewal = TopRenewal(service.database, Advisor.configured(service.database, upstream))
        with claude.held():
            first = asyncio.create_task(renewal.refresh())
            await claude.asked(1)
            for _ in range(3):
                with pytest.raises(NotRefreshed, match="are being refreshed at this moment"):
                    await renewal.refresh()
        assert await first == 2
        assert len(claude.calls) == 1
        claude.titles = []
        with pytest.raises(NotRefreshed, match="no film that could be found"):
            await renewal.refresh()
    assert (await service.top())[:2] == ["Film 03", "Film 02"]


async def test_a_refresh_that_was_killed_is_done_by_another_once_its_lease_is_over(
    service: Cinema, claude: TitlesByClaude, settings: Settings
) -> None:
    await service.execute("INSERT INTO leases VALUES ('top:refresh', now() + interval '1 minute')")
    claude.titles = ["Film 03"]
    async with upstream_services(settings) as upstream:
        renewal = TopRenewal(service.database, Advisor.configured(service.database, upstream))
        with pytest.raises(NotRefreshed):
            await renewal.refresh()
        await service.execute(LATER)
        assert await renewal.refresh() == 1
