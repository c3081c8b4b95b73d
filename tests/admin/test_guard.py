"""Forms from elsewhere, the browser's rules, and errors as pages."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import ValidationError
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.admin.guard import Guard
from tests.admin.conftest import ORIGIN, Site, running_site, words
from tests.conftest import make_settings

EDIT = "/admin/users/edit?pk=2"
CHANGE = {"account_tier_id": "2", "is_active": "on"}


async def tier_of_ada(site: Site) -> int:
    tier: int = await site.scalar("SELECT account_tier_id FROM users WHERE id = 2")
    return tier


async def test_a_form_without_the_pages_token_changes_nothing(site: Site) -> None:
    boss, stranger = await site.boss(), site.visitor()
    # The cookie, and a token that we made for somebody else.
    for token in (None, "", "wrong", await stranger.token()):
        refused = await boss.client.post(EDIT, data={**CHANGE, **({"csrftoken": token} if token is not None else {})})
        assert refused.status_code == 403
        assert "This form has expired" in words(refused)
    boss.client.cookies.delete("starlette_admin_csrftoken")
    assert (await boss.client.post(EDIT, data={**CHANGE, "csrftoken": "x"})).status_code == 403
    assert await tier_of_ada(site) == 1


async def test_a_form_from_another_site_changes_nothing_even_with_the_token(site: Site) -> None:
    boss = await site.boss()
    form = {**CHANGE, "csrftoken": await boss.token(EDIT)}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost"},
        {"Referer": "https://evil.example/admin/"},
    ):
        refused = await boss.client.post(EDIT, data=form, headers=headers)
        assert refused.status_code == 403
        assert "sent from a page elsewhere" in words(refused)
    assert await tier_of_ada(site) == 1
    assert (await boss.client.post(EDIT, data=form, headers={"Origin": ORIGIN})).status_code == 303
    assert (await boss.client.post(EDIT, data=form, headers={"Referer": f"{ORIGIN}/admin/x"})).status_code == 303
    assert await tier_of_ada(site) == 2


async def test_behind_a_proxy_the_outer_origin_counts(staffed_url: URL) -> None:
    async with running_site(
        staffed_url, allowed_hosts="films.example,localhost", csrf_trusted_origins="https://Shop.example:8443"
    ) as site:
        proxy = {"Host": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "films.example"}
        visitor = site.visitor(headers=proxy)
        asked = await visitor.client.get("/admin/")
        assert asked.headers["location"].startswith("https://films.example/admin/login?next=https%3A%2F%2Ffilms.ex")
        form = {"csrftoken": await visitor.token(), "username": "x@example.com", "password": "x"}
        for origin, status in (
            ("https://films.example", 400),
            ("https://shop.example:8443", 400),
            ("http://films.example", 403),
            ("https://shop.example", 403),
        ):
            assert (
                await visitor.client.post("/admin/login", data=form, headers={"Origin": origin})
            ).status_code == status
        assert (await visitor.client.get("/admin/", headers={"X-Forwarded-Host": "evil.example"})).status_code == 400


@pytest.mark.parametrize("origin", ["films.example", "https://films.example/", "https://films.example/x", "*"])
def test_a_trusted_origin_that_is_none_stops_the_start(origin: str) -> None:
    with pytest.raises(ValidationError, match="CSRF_TRUSTED_ORIGINS"):
        make_settings(make_url("postgresql://localhost/x"), csrf_trusted_origins=origin)


async def test_pages_load_only_what_is_ours(site: Site) -> None:
    boss = await site.boss()
    for path in ("/admin/users/list", "/admin/users/edit?pk=1", "/admin/movies/detail?pk=1", "/admin/nothing"):
        page = await boss.client.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "http" not in policy
        assert "script-src 'self' 'nonce-" in policy
        assert "rsms.me" not in page.text
    static = await site.visitor().client.get("/admin/static/js/sa-dom.js")
    assert static.status_code == 200
    assert "cache-control" not in static.headers


def is_page(response: httpx.Response, status: int) -> bool:
    return response.status_code == status and response.headers["content-type"].startswith("text/html")


async def test_errors_are_pages(site: Site) -> None:
    boss = await site.boss()
    for path in ("/admin/nothing", "/admin/nothing/list", "/admin/static/nothing", "/admin/users/edit?pk=99"):
        assert is_page(await boss.client.get(path), 404)
    for pk in ("x", "0", "-1", str(2**63), "", "9" * 5000):
        assert is_page(await boss.client.get(f"/admin/users/detail?pk={pk}"), 404)
    for path in ("/admin/users/create", "/admin/movies/create"):
        assert is_page(await boss.client.get(path), 403)
    wrong = await boss.client.put("/admin/users/list", headers={"X-CSRFToken": await boss.token(EDIT)})
    assert is_page(wrong, 405)
    assert "GET" in wrong.headers["allow"]

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    large = await boss.client.post(EDIT, content=endless(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert is_page(large, 413)
    broken = await boss.client.post(EDIT, content=b"x", headers={"Content-Type": "multipart/form-data"})
    assert is_page(broken, 400)


async def test_faults_are_pages_that_do_not_show_them(site: Site, administrator: AsyncEngine) -> None:
    boss = await site.boss()
    await site.execute("ALTER TABLE account_tiers RENAME is_default TO renamed")
    failed = await boss.client.get("/admin/tiers/list")
    assert is_page(failed, 500)
    assert "is_default" not in failed.text
    await site.execute("ALTER TABLE account_tiers RENAME renamed TO is_default")
    assert is_page(await boss.client.get("/admin/tiers/list"), 200)

    async with administrator.connect() as connection:
        name = site.database.engine.url.database
        await connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        await connection.execute(
            text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        )
        away = await boss.client.get("/admin/tiers/list")
        assert is_page(away, 503)
        assert away.headers["retry-after"] == "5"
        await connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
    assert is_page(await boss.client.get("/admin/tiers/list"), 200)


async def test_an_answer_that_breaks_off_is_not_patched_with_a_page() -> None:
    async def breaking(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    async def never(_request: Request, _error: Exception) -> Response:
        raise AssertionError

    guard = Guard(breaking, trusted_origins=(), secure=True, error_page=never)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url=ORIGIN)
    with pytest.raises(RuntimeError):
        await client.get("/admin/")


async def test_there_are_no_websockets(site: Site) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/admin/x", "query_string": b"", "headers": [], "subprotocols": []}
    app: ASGIApp = site.api._transport.app  # type: ignore[attr-defined]
    await app(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]
