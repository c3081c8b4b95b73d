"""The page to share in a real browser, of which every request is answered here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.collections.conftest import made
from tests.movies.people import People

POSTER = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="90"><rect width="60" height="90" fill="teal"/></svg>'
)


@dataclass
class Visit:
    """A page that was opened, what was asked of others for it, and what the browser had to say."""

    page: Page
    asked: list[dict[str, str]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@asynccontextmanager
async def visit(
    browser: Browser, people: People, path: str, *, posters_load: bool, **options: Any
) -> AsyncIterator[Visit]:
    """Open a page of the service."""
    context = await browser.new_context(base_url="http://localhost", **options)
    visit = Visit(await context.new_page())

    async def answer(route: Route) -> None:
        request = route.request
        if request.url.startswith("http://localhost/"):
            served = await people.service.client.get(request.url, headers=await request.all_headers())
            await route.fulfill(status=served.status_code, headers=dict(served.headers), body=served.content)
            return
        visit.asked.append({"url": request.url, **await request.all_headers()})
        if posters_load:
            await route.fulfill(body=POSTER, content_type="image/svg+xml")
        else:
            await route.abort()

    visit.page.on("console", lambda message: visit.complaints.append(message.text))
    await visit.page.route("**/*", answer)
    await visit.page.goto(path, wait_until="networkidle")
    yield visit
    await context.close()


@pytest.fixture
async def path(people: People) -> str:
    """The page of a collection with two posters, and with films that have none."""
    ids = list(await people.movie_ids(count=4))
    await people.service.execute("UPDATE movies SET poster = NULL")
    await people.service.execute(
        "UPDATE movies SET poster = 'https://posters.example/' || id WHERE id IN (:a, :b)", a=ids[0], b=ids[2]
    )
    collection = await made(people.ada, "W" * 120, description="Plans.", is_public=True, movie_ids=ids)
    return f"/collections/{collection['id']}/page/"


async def test_it_is_whole_with_everything_from_elsewhere_cut_off(browser: Browser, people: People, path: str) -> None:
    phone = {"width": 320, "height": 640}
    async with visit(browser, people, path, posters_load=False, viewport=phone) as visited:
        page = visited.page
        # Chromium tells of each poster that did not load, and of nothing else: of no violation of the policy.
        assert len(visited.asked) >= 2
        assert {message for message in visited.complaints if "net::ERR_FAILED" not in message} == set()
        for drawn in await page.locator(".drawn").all():
            await expect(drawn).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") == 320
        assert await page.locator("ol").evaluate("list => getComputedStyle(list).display") == "grid"


async def test_posters_are_shown_and_their_servers_learn_nothing(browser: Browser, people: People, path: str) -> None:
    async with visit(browser, people, path, posters_load=True, java_script_enabled=True) as visited:
        shown = visited.page.locator(".poster img")
        assert await shown.count() == 2
        for poster in await shown.all():
            await expect(poster).to_be_visible()
            box, frame = await poster.bounding_box(), await poster.locator("..").bounding_box()
            assert box == frame
        assert visited.complaints == []
        assert {request["url"].partition("example/")[0] for request in visited.asked} == {"https://posters."}
        assert all("referer" not in request and "cookie" not in request for request in visited.asked)


async def test_it_needs_no_script_and_follows_the_readers_colours(browser: Browser, people: People, path: str) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        async with visit(
            browser, people, path, posters_load=True, color_scheme=scheme, java_script_enabled=False
        ) as visited:
            await expect(visited.page.get_by_role("heading", level=2)).to_have_count(4)
            await expect(visited.page.locator(".poster img").first).to_be_visible()
            body = visited.page.locator("body")
            grounds.add(await body.evaluate("body => getComputedStyle(body).backgroundColor"))
    assert len(grounds) == 2


async def test_where_there_is_none_the_page_says_so(browser: Browser, people: People) -> None:
    async with visit(browser, people, "/collections/987654321/page/", posters_load=False) as visited:
        await expect(visited.page.get_by_role("heading", level=1)).to_contain_text("no such collection")
        assert visited.asked == []
