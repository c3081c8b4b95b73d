"""Collections, as staff see and change them."""

from typing import Any

from tests.accounts import claims, signed
from tests.admin.conftest import Site, words

EDIT = "/admin/collections/edit?pk=1"


def owner() -> dict[str, str]:
    """Ada's token, as a header."""
    return {"Authorization": f"Bearer {signed(claims(2))}"}


async def make(site: Site, *named: str) -> None:
    """Collections of Ada's."""
    for name in named:
        body = {"name": name, "description": "Plans.", "design": "midnight", "movie_ids": [3, 1, 2]}
        assert (await site.api.post("/collections/", json=body, headers=owner())).status_code == 201


async def collection(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = (await site.api.get("/collections/1/", headers=owner())).json()
    return found


async def test_private_ones_are_listed_with_their_owners_address_and_found_by_name(site: Site) -> None:
    boss = await site.boss()
    await make(site, "Heists", "Amélie & co.", "Capers")
    everything = await boss.shown("/admin/collections/list")
    assert "Showing 1 to 3 of 3 entries" in everything
    assert "ada@example.com" in everything
    assert everything.index("Capers") < everything.index("Heists")
    for sort in ("subscribers_count__desc", "subscribers_count__asc", "created_at__asc"):
        assert "Showing 1 to 3 of 3" in await boss.shown(f"/admin/collections/list?sort={sort}")
    found = await boss.shown("/admin/collections/list?q=amelie")
    assert "Showing 1 to 1 of 1 entries" in found
    assert "Amélie & co." in found
    for nothing in ("heists%20amelie", "%25", "x" * 5000):
        assert "of 0 entries" in await boss.shown(f"/admin/collections/list?q={nothing}")
    detail = await boss.shown("/admin/collections/detail?pk=1")
    assert "ada@example.com" in detail
    assert "Plans." in detail


async def test_a_change_is_the_apis_and_leaves_the_movies_alone(site: Site) -> None:
    boss = await site.boss()
    await make(site, "Heists")
    before = await collection(site)
    saved = await boss.send(EDIT, name=" Capers ", description="One\r\nTwo", design="", is_public="on")
    assert saved.status_code == 303
    after = await collection(site)
    changed = {"name": "Capers", "description": "One\nTwo", "design": None, "is_public": True}
    assert after == {**before, **changed, "updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]
    assert (await site.api.get("/collections/?search=capers")).json()["count"] == 1
    await boss.send(EDIT, name="Capers", description="One\nTwo", design="")
    assert (await site.api.get("/collections/1/")).status_code == 401


async def test_bad_texts_are_errors_at_their_fields(site: Site) -> None:
    boss = await site.boss()
    await make(site, "Heists")
    before = await collection(site)
    for field, value in (
        ("name", ""),
        ("name", "  "),
        ("name", "a\x00b"),
        ("name", "x" * 256),
        ("description", "x" * 1001),
        ("design", "x" * 256),
    ):
        refused = await boss.send(EDIT, **{"name": "Good", field: value})
        assert refused.status_code == 422, (field, value)
        assert f'id="{field}-error"' in refused.text, (field, value)
    assert await collection(site) == before


async def test_a_deleted_collection_is_gone(site: Site) -> None:
    boss = await site.boss()
    await make(site, "Heists")
    token = await boss.token(EDIT)
    assert (await boss.delete("collections", 1)).status_code == 200
    assert (await site.api.get("/collections/1/")).status_code == 404
    assert (await boss.client.get("/admin/collections/detail?pk=1")).status_code == 404
    late = await boss.client.post(EDIT, data={"csrftoken": token, "name": "Late"})
    assert late.status_code == 404
    assert await site.scalar("SELECT count(*) FROM movies") == 464


async def test_what_a_name_holds_is_text_and_no_page(site: Site) -> None:
    boss = await site.boss()
    await make(site, "<script>alert(1)</script>")
    for path in ("/admin/collections/list", "/admin/collections/detail?pk=1", EDIT):
        page = await boss.client.get(path)
        assert "<script>alert(1)" not in page.text
        assert "<script>alert(1)</script>" in words(page) or path == EDIT
