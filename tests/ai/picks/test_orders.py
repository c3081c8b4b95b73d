"""What is ordered of Claude where no worker is there to do it, and what one does that comes later."""

import pytest
from sqlalchemy import URL

from tests.ai.picks.conftest import ORDERED, Cinema, cinema, with_claude
from tests.ai.picks.test_recommendations import LATER, YESTERDAY
from tests.doubles.claude_titles import TitlesByClaude

LONG_AGO = (
    "UPDATE jobs SET payload = convert_to(regexp_replace(convert_from(payload, 'utf8'), '20..-', '2020-'), 'utf8')"
    " WHERE entrypoint = 'recommend'"
)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET is_active = false",
        "DELETE FROM users",
        "DELETE FROM likes",
        "UPDATE recommendations SET source = 'claude'",
        LONG_AGO,
    ],
    ids=["deactivated", "deleted", "likes nothing any more", "has it already", "asked long ago"],
)
async def test_claude_is_not_asked_where_nobody_waits_for_the_answer_any_more(
    keyless: Cinema, picks_url: URL, claude: TitlesByClaude, change: str
) -> None:
    await keyless.films("One", "Other")
    pair = await keyless.user(await keyless.film("Liked"))
    async with cinema(picks_url, **with_claude(claude) | {"run_jobs": False}) as asking:
        await asking.recommended(pair)
    assert await keyless.value(ORDERED) == 1
    await keyless.execute(change)
    async with cinema(picks_url, **with_claude(claude)):
        await keyless.idle()
    assert claude.calls == []


async def test_without_a_worker_the_catalogue_answers_anew_every_day_and_one_job_waits(
    keyless: Cinema, picks_url: URL, claude: TitlesByClaude
) -> None:
    await keyless.films(*(f"Film {n}" for n in range(5)))
    pair = await keyless.user(await keyless.film("Liked"))
    async with cinema(picks_url, **with_claude(claude) | {"run_jobs": False}) as asking:
        for _ in range(3):
            assert len(await asking.recommended(pair)) == 5
            await asking.film("Of the next day")
            assert len(await asking.recommended(pair)) == 6
            await asking.execute("DELETE FROM movies WHERE title = 'Of the next day'")
            await asking.execute(YESTERDAY)
            await asking.execute(LATER)
    assert await keyless.value(ORDERED) == 1
    assert claude.calls == []


async def test_without_a_worker_the_top_is_what_is_liked_most(
    keyless: Cinema, picks_url: URL, claude: TitlesByClaude
) -> None:
    await keyless.films("One", "Other")
    async with cinema(picks_url, **with_claude(claude) | {"run_jobs": False}) as asking:
        for _ in range(3):
            assert await asking.top() == ["Other", "One"]
            await asking.execute(LATER)
    assert await keyless.value(ORDERED) == 1
