"""A real browser that is cut off from the network, as a person has it before them."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, Route, async_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium; whoever wants to be a stranger to the others opens a context."""
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no browser: Chromium was not found")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program, args=QUIET)
        yield chromium
        await chromium.close()


class Watch:
    """A page on which every request to somewhere else fails, and what went wrong on it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []

    async def begin(self) -> None:
        """Cut the page off, and listen."""
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await self.page.route("**/*", self._cut_off)

    async def _cut_off(self, route: Route) -> None:
        if route.request.url.startswith((self.url, "data:")):
            await route.continue_()
        else:
            self.elsewhere.append(route.request.url)
            await route.abort()


async def watched(browser: Browser, url: str) -> Watch:
    """A page of a stranger's at the service there."""
    context = await browser.new_context(base_url=url)
    watch = Watch(await context.new_page(), url)
    await watch.begin()
    return watch
