"""The documentation pages in a real browser that is cut off from the network."""

from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Browser, Page, expect
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.browsers import watched
from tests.conftest import SECRET_KEY, new_database
from tests.processes import Service, running


@pytest.fixture(scope="module")
async def service(
    administrator: AsyncEngine, filled: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """The service, as a process."""
    async with new_database(administrator, filled) as url:
        environment = {"SECRET_KEY": SECRET_KEY, "DATABASE_URL": url.render_as_string(hide_password=False)}
        with running("serve", tmp_path_factory.mktemp("service"), **environment) as service:
            yield service


@pytest.fixture
async def page(browser: Browser, service: Service) -> AsyncIterator[Page]:
    """A page on which every request to somewhere else fails."""
    page = (await watched(browser, service.url)).page
    yield page
    await page.context.close()


async def test_swagger_ui_tries_an_operation_out_with_the_network_cut_off(page: Page) -> None:
    await page.goto("/")
    operation = page.locator("#operations-movies-searchMovies")
    await operation.click()
    await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table")
    await expect(answer).to_contain_text("tt1375666")
    await expect(answer).to_contain_text("x-search-source: catalogue")


async def test_redoc_shows_every_operation_with_the_network_cut_off(page: Page) -> None:
    reached: list[str] = []
    page.on("response", lambda response: reached.append(response.url))
    await page.goto("/api/redoc/")
    for summary in ("Browse the catalogue", "One movie", "Search by title"):
        await expect(page.get_by_role("heading", name=summary)).to_be_visible()
    assert {url.split("/")[2] for url in reached} == {page.url.split("/")[2]}


async def test_the_authorize_button_logs_in_and_a_protected_operation_answers(page: Page, service: Service) -> None:
    person = {"email": "ada@example.com", "password": "a long walk at night"}
    async with httpx.AsyncClient(base_url=service.url) as client:
        assert (await client.post("/signup/", json=person)).status_code == 201
    await page.goto("/api/swagger/")
    await page.get_by_role("button", name="Authorize", exact=True).first.click()
    form = page.locator(".auth-container")
    await form.locator("#oauth_username").fill(person["email"])
    await form.locator("#oauth_password").fill(person["password"])
    await form.get_by_role("button", name="Apply given OAuth2 credentials").click()
    await expect(form).to_contain_text("Authorized")
    await page.get_by_role("button", name="Close").click()
    operation = page.locator("#operations-accounts-getPersonalInfo")
    await operation.click()
    await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_role("button", name="Execute").click()
    await expect(operation.locator(".live-responses-table")).to_contain_text(person["email"])
