"""Account tiers, as staff change them."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.admin.administration import Administration
from tests.admin.conftest import Site, words

TIER = {"name": "Free", "daily_ai_search_limit": "3"}


async def default_tier(site: Site) -> object:
    return await site.scalar("SELECT code FROM account_tiers WHERE is_default")


async def test_a_tiers_limits_show_at_its_users_accounts(site: Site) -> None:
    boss, access = await site.boss(), (await site.tokens())["access"]
    saved = await boss.send(
        "/admin/tiers/edit?pk=1", name="Gratis", daily_ai_search_limit="5", is_default="on", throttle_exempt="on"
    )
    assert saved.status_code == 303
    info = (await site.personal_info(access)).json()
    assert info["account_tier"] == {"code": "free", "name": "Gratis", "daily_ai_search_limit": 5}
    assert await site.scalar("SELECT throttle_exempt FROM account_tiers WHERE id = 1")
    shown = await boss.shown("/admin/tiers/list")
    assert "Showing 1 to 3 of 3 entries" in shown
    assert "Gratis" in await boss.shown("/admin/tiers/detail?pk=1")


async def test_another_default_unmakes_the_old_one_and_the_last_stays(site: Site) -> None:
    boss = await site.boss()
    refused = await boss.send("/admin/tiers/edit?pk=1", **TIER)
    assert refused.status_code == 422
    assert "One tier must be the default. Make another the default instead." in words(refused)
    assert await default_tier(site) == "free"
    premium = {"name": "Premium", "daily_ai_search_limit": "30", "is_default": "on"}
    assert (await boss.send("/admin/tiers/edit?pk=2", **premium)).status_code == 303
    assert await default_tier(site) == "premium"
    new = await site.api.post("/signup/", json={"email": "eve@example.com", "password": "a short swim at noon"})
    assert await site.scalar(f"SELECT account_tier_id FROM users WHERE id = {new.json()['id']}") == 2


async def test_of_two_that_are_made_the_default_at_once_one_is_refused(site: Site) -> None:
    boss = await site.boss()
    form = {"csrftoken": await boss.token("/admin/tiers/edit?pk=3"), "name": "Admin", "daily_ai_search_limit": "9"}
    async with site.database.transaction() as session:
        await session.execute(text("UPDATE account_tiers SET is_default = (id = 2) WHERE id IN (1, 2)"))
        sending = asyncio.create_task(boss.client.post("/admin/tiers/edit?pk=3", data={**form, "is_default": "on"}))
        await asyncio.sleep(0.3)
    refused = await sending
    assert refused.status_code == 422
    assert "Another tier was made the default at the same moment. Try again." in words(refused)
    assert await default_tier(site) == "premium"


async def test_a_tier_is_added_and_deleted_while_nobody_is_in_it(site: Site) -> None:
    boss = await site.boss()
    family = {"code": "family", "name": "Family", "daily_ai_search_limit": "7"}
    assert (await boss.send("/admin/tiers/create", **family)).status_code == 303
    taken = await boss.send("/admin/tiers/create", **family)
    assert taken.status_code == 422
    assert "There is a tier with this code." in words(taken)
    await boss.send("/admin/users/edit?pk=2", account_tier_id="4", is_active="on")
    in_use = await boss.delete("tiers", 4)
    assert (in_use.status_code, in_use.json()["msg"]) == (400, "There are users in this tier. Give them another first.")
    await boss.send("/admin/users/edit?pk=2", account_tier_id="1", is_active="on")
    assert (await boss.delete("tiers", 4)).status_code == 200
    assert await site.scalar("SELECT count(*) FROM account_tiers") == 3


async def test_the_default_tier_is_not_deleted(site: Site) -> None:
    boss = await site.boss()
    await site.execute("UPDATE users SET account_tier_id = 3")
    refused = await boss.delete("tiers", 1)
    assert refused.json()["msg"] == "One tier must be the default. Make another the default instead."
    assert await default_tier(site) == "free"


async def test_bad_values_are_errors_at_their_fields(site: Site) -> None:
    boss = await site.boss()
    for field, value in (
        ("code", "Upper"),
        ("code", "a b"),
        ("code", ""),
        ("code", "x" * 33),
        ("name", ""),
        ("name", "a\x00b"),
        ("name", "x" * 30_000),
        ("daily_ai_search_limit", "-1"),
        ("daily_ai_search_limit", str(2**31)),
        ("daily_ai_search_limit", "many"),
        ("daily_ai_search_limit", ""),
    ):
        good = {"code": "good", "name": "Good", "daily_ai_search_limit": "7"}
        refused = await boss.send("/admin/tiers/create", **{**good, field: value})
        assert refused.status_code == 422, (field, value)
        assert f'id="{field}-error"' in refused.text
    assert await site.scalar("SELECT count(*) FROM account_tiers") == 3


async def test_a_violation_that_nobody_foresaw_is_no_refusal(site: Site) -> None:
    with pytest.raises(IntegrityError):
        await Administration(site.database).change_tier(1, by=1, daily_ai_search_limit=-1)


async def test_only_what_can_be_searched_offers_a_search(site: Site) -> None:
    boss = await site.boss()
    offered = {
        key: 'type="search"' in (await boss.client.get(f"/admin/{key}/list")).text
        for key in ("tiers", "users", "movies")
    }
    assert offered == {"tiers": False, "users": True, "movies": True}
