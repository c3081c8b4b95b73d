"""The staff's pages in a real browser that is cut off from the network."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.admin.conftest import ADA, BOSS, PASSWORD
from tests.browsers import Watch, watched
from tests.conftest import SECRET_KEY, new_database
from tests.processes import Service, running


@pytest.fixture(scope="module")
async def service(
    administrator: AsyncEngine, staffed: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """The service, as a process, with an administrator and a user."""
    async with new_database(administrator, staffed) as url:
        environment = {"SECRET_KEY": SECRET_KEY, "DATABASE_URL": url.render_as_string(hide_password=False)}
        with running("serve", tmp_path_factory.mktemp("service"), RUN_JOBS="false", **environment) as service:
            yield service


@pytest.fixture
async def watch(browser: Browser, service: Service) -> AsyncIterator[Watch]:
    """An administrator, logged in."""
    watch = await watched(browser, service.url)
    page = watch.page
    await page.goto("/admin/")
    await page.get_by_label("Email address").fill(BOSS)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Users")).to_be_visible()
    yield watch
    assert watch.elsewhere == []
    await page.context.close()


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


async def test_the_refresh_button_says_what_has_come_of_it(watch: Watch, tmp_path: Path) -> None:
    page = watch.page
    await page.goto("/admin/top-movies/list")
    await page.get_by_text("Refresh", exact=True).click()
    await expect(page.get_by_text("ANTHROPIC_API_KEY is not set: the most liked movies are shown.")).to_be_visible()
    await page.screenshot(path=tmp_path / "top.png")
    assert watch.complaints == ["Failed to load resource: the server responded with a status of 400 (Bad Request)"]
