"""The pages of the documentation come from the service itself."""

import re

import httpx

ASSET = re.compile(r"""(?:href|src|spec-url)="([^"]*)"|url: '([^']*)'""")


async def test_the_pages_name_only_assets_of_the_service_and_those_are_served(empty_client: httpx.AsyncClient) -> None:
    for page, needed in (("/api/swagger/", {"css", "js", "png"}), ("/api/redoc/", {"js", "png"})):
        response = await empty_client.get(page)
        assert response.status_code == 200, page
        assert response.headers["Content-Type"] == "text/html; charset=utf-8", page
        assert "Movie Finder API" in response.text, page
        assets = {first or second for first, second in ASSET.findall(response.text)}
        assert "/api/schema/" in assets, page
        assert {asset.rpartition(".")[2] for asset in assets} >= needed, page
        for asset in assets:
            assert asset.startswith("/api/"), (page, asset)
            served = await empty_client.get(asset)
            assert served.status_code == 200, (page, asset)
            assert len(served.content) > 500, (page, asset)
        assert "//" not in re.sub(r"<!--.*?-->|// [^\n]*", "", response.text, flags=re.DOTALL), page


async def test_the_assets_call_for_no_font_or_script_from_elsewhere(empty_client: httpx.AsyncClient) -> None:
    for asset in ("swagger-ui.css",):
        style = (await empty_client.get(f"/api/static/{asset}")).text
        assert not re.search(r"@import|url\((?!['\"]?data:)", style), asset


async def test_the_document_is_sent_as_it_is_asked_for_again(empty_client: httpx.AsyncClient) -> None:
    first, second = [await empty_client.get("/api/schema/") for _ in range(2)]
    assert first.headers["Content-Type"] == "application/json"
    assert first.content == second.content


async def test_nothing_outside_of_the_assets_is_served_beside_them(empty_client: httpx.AsyncClient) -> None:
    for path in ("../../../etc/passwd", "%2e%2e/%2e%2e/core.py", "..%2fcore.py", "", "x", "%00", "a" * 5000):
        response = await empty_client.get(f"/api/static/{path}")
        assert response.status_code == 404, path
