"""The staff's pages in a real browser that is cut off from the network."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, async_playwright, expect
from sqlalchemy import URL

from tests.admin.conftest import ADA, BOSS, PASSWORD
from tests.conftest import SECRET_KEY
from tests.processes import Service, running


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome", "/usr/bin/chromium")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("no browser: Chromium was not found")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program, args=quiet)
        yield chromium
        await chromium.close()


@pytest.fixture
def service(tmp_path: Path, staffed_url: URL) -> Iterator[Service]:
    """The service, as a process, with an administrator and a user."""
    environment = {"SECRET_KEY": SECRET_KEY, "DATABASE_URL": staffed_url.render_as_string(hide_password=False)}
    with running("serve", tmp_path, RUN_JOBS="false", **environment) as service:
        yield service


class Watch:
    """A page on which every request to somewhere else fails, and what went wrong on it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []

    async def begin(self) -> None:
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await self.page.route("**/*", self._cut_off)

    async def _cut_off(self, route: Route) -> None:
        if route.request.url.startswith((self.url, "data:")):
            await route.continue_()
        else:
            self.elsewhere.append(route.request.url)
            await route.abort()


@pytest.fixture
async def watch(browser: Browser, service: Service) -> AsyncIterator[Watch]:
    """An administrator, logged in."""
    context = await browser.new_context(base_url=service.url)
    watch = Watch(await context.new_page(), service.url)
    await watch.begin()
    page = watch.page
    await page.goto("/admin/")
    await page.get_by_label("Email address").fill(BOSS)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Users")).to_be_visible()
    yield watch
    assert watch.elsewhere == []
    await context.close()


async def test_staff_change_a_users_tier_and_the_user_has_it(watch: Watch, service: Service, tmp_path: Path) -> None:
    page = watch.page
    async with httpx.AsyncClient(base_url=service.url) as api:
        access = (await api.post("/token/", json={"email": ADA, "password": PASSWORD})).json()["access"]
        headers = {"Authorization": f"Bearer {access}"}
        await page.get_by_role("row", name=ADA).get_by_label("Edit").click()
        await page.get_by_label("Tier").select_option("Premium")
        await page.screenshot(path=tmp_path / "edit.png")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text(f'The item "{ADA}" was changed successfully.')).to_be_visible()
        await expect(page.get_by_role("row", name=ADA)).to_contain_text("Premium")
        await page.screenshot(path=tmp_path / "list.png")
        info = (await api.get("/users/personal-info/", headers=headers)).json()
        assert info["account_tier"]["code"] == "premium"

        # The script's requests carry the token, and the refusal reaches the page; then one that is no refusal.
        for name, answer in ((BOSS, "You cannot delete your own account here."), (ADA, f'"{ADA}" was successfully')):
            await page.get_by_role("row", name=name).get_by_label("Delete").click()
            confirmed = page.get_by_role("button", name="Yes, delete")
            await expect(confirmed).to_be_visible()
            await asyncio.sleep(0.5)  # the dialog fades in, and hears nothing before
            await confirmed.click()
            await expect(page.get_by_text(answer)).to_be_visible()
        assert (await api.get("/users/personal-info/", headers=headers)).status_code == 401
    assert watch.complaints == ["Failed to load resource: the server responded with a status of 400 (Bad Request)"]
    assert (tmp_path / "list.png").stat().st_size > 10_000


async def test_no_page_breaks_the_rules_that_are_set_for_it(watch: Watch) -> None:
    page = watch.page
    for path in (
        "users/list",
        "users/detail?pk=1",
        "users/edit?pk=1",
        "tiers/list",
        "tiers/create",
        "tiers/edit?pk=1",
        "movies/detail?pk=1",
        "movies/edit?pk=1",
    ):
        await page.goto(f"/admin/{path}")
        await page.wait_for_load_state("networkidle")
    await page.goto("/admin/movies/list")
    await page.get_by_label("Page size").select_option("50")
    await expect(page.get_by_text("Showing 1 to 50")).to_be_visible()
    assert watch.complaints == []
    # The menu is in the page twice: here for wide screens, and in the sidebar for narrow ones.
    menu = page.get_by_role("banner")
    await menu.get_by_label("Open user menu").click()
    await menu.get_by_role("button", name="Logout").click()
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
