"""The staff's page of the top movies."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import URL

from tests.admin.conftest import Site, Visitor, running_site
from tests.doubles.claude_titles import KEY, TitlesByClaude
from tests.doubles.server import Reply

PAGE = "/admin/top-movies/list"


@pytest.fixture
async def claude() -> AsyncIterator[TitlesByClaude]:
    async with TitlesByClaude("Seven Samurai", "No such film", "Casablanca") as server:
        yield server


@pytest.fixture
async def asking(staffed_url: URL, claude: TitlesByClaude) -> AsyncIterator[Site]:
    async with running_site(staffed_url, anthropic_api_key=KEY, anthropic_base_url=claude.url) as site:
        yield site


async def refresh(visitor: Visitor) -> httpx.Response:
    """Press the button, as the list's script does."""
    headers = {"X-CSRFToken": await visitor.token("/admin/users/edit?pk=1")}
    return await visitor.client.post("/admin/_api/top-movies/action?name=refresh", headers=headers)


async def test_the_page_shows_what_clients_are_shown(site: Site) -> None:
    boss = await site.boss()
    shown = await boss.shown(PAGE)
    for movie in (await site.api.get("/movies/top/")).json():
        assert movie["title"] in shown
    movie_id = await site.scalar("SELECT id FROM movies WHERE title = 'Seven Samurai'")
    await site.execute(f"INSERT INTO likes (user_id, movie_id) VALUES (2, {movie_id})")
    assert "Seven Samurai 1954" in await boss.shown(PAGE)
    assert "Seven Samurai" in await boss.shown(f"/admin/top-movies/detail?pk={movie_id}")
    assert (await boss.client.get("/admin/top-movies/detail?pk=999999")).status_code == 404


async def test_the_button_has_claude_choose_and_says_how_many_there_are(asking: Site, claude: TitlesByClaude) -> None:
    boss = await asking.boss()
    answer = await refresh(boss)
    assert answer.status_code == 200, answer.text
    shown = await boss.shown(PAGE)
    assert "Claude has chosen the top movies anew: 2." in shown
    assert await asking.scalar("SELECT to_char(min(generated_at), 'YYYY-MM-DD HH24:MI') FROM top_movies") in shown
    titles = [movie["title"] for movie in (await asking.api.get("/movies/top/")).json()]
    assert titles[:2] == ["Seven Samurai", "Casablanca"]
    assert len(titles) == 10
    assert len(claude.calls) == 1


async def test_the_button_says_why_nothing_has_come_of_it(site: Site, asking: Site, claude: TitlesByClaude) -> None:
    def message(answer: httpx.Response) -> Any:  # noqa: ANN401
        assert answer.status_code == 400
        return answer.json()["msg"]

    assert message(await refresh(await site.boss())).startswith("ANTHROPIC_API_KEY is not set")
    boss = await asking.boss()
    claude.always = Reply(b"{}", 401)
    assert message(await refresh(boss)) == "Claude gave no answer (claude: refused): the movies stay as they are."
    await asking.execute("INSERT INTO leases VALUES ('top:refresh', now() + interval '1 minute')")
    assert message(await refresh(boss)) == "The top movies are being refreshed at this moment."


async def test_the_button_takes_no_forged_form_and_no_stranger(asking: Site, claude: TitlesByClaude) -> None:
    path = "/admin/_api/top-movies/action?name=refresh"
    assert (await (await asking.boss()).client.post(path)).status_code == 403
    stranger = asking.visitor()
    headers = {"X-CSRFToken": await stranger.token()}
    assert (await stranger.client.post(path, headers=headers)).status_code in {303, 401, 403}
    assert claude.calls == []


async def test_places_are_neither_edited_nor_deleted_nor_added_by_hand(site: Site) -> None:
    boss = await site.boss()
    assert (await boss.client.get("/admin/top-movies/edit?pk=1")).status_code == 403
    assert (await boss.client.get("/admin/top-movies/create")).status_code == 403
    answer = await boss.delete("top-movies", 1)
    assert answer.status_code == 400
    assert await site.scalar("SELECT count(*) FROM movies WHERE id = 1") == 1
