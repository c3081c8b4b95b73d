"""Users, as staff change them."""

import asyncio

import pytest
from sqlalchemy import text

from app.admin.administration import Administration, Refused
from app.admin.staff import StaffSessions
from tests.admin.conftest import ADA, Site, Visitor, words
from tests.conftest import SECRET_KEY

EDIT = "/admin/users/edit?pk=2"


async def test_a_new_tier_shows_at_the_users_own_account(site: Site) -> None:
    boss = await site.boss()
    access = (await site.tokens())["access"]
    assert (await site.personal_info(access)).json()["account_tier"]["code"] == "free"
    saved = await boss.send(EDIT, account_tier_id="2", is_active="on")
    assert (saved.status_code, saved.headers["location"]) == (303, "https://localhost/admin/users/list")
    info = (await site.personal_info(access)).json()  # the session goes on
    assert info["account_tier"] == {"code": "premium", "name": "Premium", "daily_ai_search_limit": 30}
    assert f'The item "{ADA}" was changed successfully.' in await boss.shown("/admin/users/list")


async def test_deactivation_ends_every_token_and_session_at_once(site: Site) -> None:
    boss, pair = await site.boss(), await site.tokens()
    await boss.send(EDIT, account_tier_id="1")
    assert (await site.personal_info(pair["access"])).status_code == 401
    assert await site.scalar("SELECT count(*) FROM token_families WHERE user_id = 2") == 0
    await boss.send(EDIT, account_tier_id="1", is_active="on")
    assert (await site.personal_info(pair["access"])).status_code == 401
    assert (await site.api.post("/token/refresh/", json={"refresh": pair["refresh"]})).status_code == 401
    assert (await site.personal_info((await site.tokens())["access"])).status_code == 200


async def test_staff_lock_themselves_out_by_no_form(site: Site) -> None:
    boss = await site.boss()
    for sent, message in (
        ({"is_staff": "on"}, "You cannot deactivate your own account."),
        ({"is_active": "on"}, "You cannot take staff from your own account."),
    ):
        refused = await boss.send("/admin/users/edit?pk=1", account_tier_id="3", **sent)
        assert refused.status_code == 422
        assert message in words(refused)
    refused = await boss.delete("users", 1)
    assert (refused.status_code, refused.json()) == (400, {"msg": "You cannot delete your own account here."})
    assert await boss.is_in()
    assert (await boss.send("/admin/users/edit?pk=1", account_tier_id="1", is_active="on", is_staff="on")).is_redirect


async def test_a_tier_that_is_none_is_an_error_at_its_field(site: Site) -> None:
    boss = await site.boss()
    for tier in ("99", "x", str(2**70), "\x00"):
        refused = await boss.send(EDIT, account_tier_id=tier, is_active="on")
        assert refused.status_code == 422
        assert "There is no such tier any more." in words(refused)
    assert "This field is required." in words(await boss.send(EDIT, is_active="on"))
    upload = await boss.client.post(
        EDIT, data={"csrftoken": await boss.token(EDIT)}, files={"account_tier_id": ("1", b"1")}
    )
    assert upload.status_code == 422
    assert await site.scalar("SELECT is_active FROM users WHERE id = 2")


async def test_a_tier_deleted_in_between_is_an_error_at_its_field(site: Site) -> None:
    with pytest.raises(Refused, match="There is no such tier any more") as refusal:
        await Administration(site.database).change_user(2, by=1, tier_id=99, is_active=True, is_staff=False)
    assert refusal.value.field == "account_tier_id"


async def test_what_proves_who_somebody_is_cannot_be_sent_and_is_never_shown(site: Site) -> None:
    boss = await site.boss()
    before = await site.scalar("SELECT users::text FROM users WHERE id = 2")
    await boss.send(
        EDIT,
        account_tier_id="1",
        is_active="on",
        email="eve@example.com",
        password="x",
        google_subject="1",
        session_version="9",
        email_verified="on",
        id="7",
    )
    assert await site.scalar("SELECT users::text FROM users WHERE id = 2") == before
    found = await site.scalar("SELECT password FROM users WHERE id = 2")
    for path in ("/admin/users/list", "/admin/users/detail?pk=2", EDIT, "/admin/_api/users/relation-lookup?pks=2"):
        page = (await boss.client.get(path)).text
        assert ADA in page
        assert "argon2" not in page
        assert found not in page
    assert (await boss.client.get("/admin/_api/users/relation-lookup?q=ada")).json()["total"] == 1
    assert (await boss.client.get("/admin/_api/users/relation-lookup?pks=x")).json()["total"] == 0


async def test_users_come_in_pages_and_are_found_by_a_part_of_their_address(site: Site) -> None:
    boss = await site.boss()
    await site.execute(
        "INSERT INTO users (email, account_tier_id) SELECT 'u' || n || '@example.com', 1 FROM generate_series(1, 60) n"
    )
    assert "Showing 1 to 25 of 62 entries" in await boss.shown("/admin/users/list")
    last = await boss.shown("/admin/users/list?page=3&sort=email__asc")
    assert "Showing 51 to 62 of 62 entries" in last
    assert "u9@example.com" in last
    assert "Showing 1 to 50 of 62 entries" in await boss.shown("/admin/users/list?page_size=50")
    assert "of 62 entries" in await boss.shown(f"/admin/users/list?page={2**64}")
    found = await boss.shown("/admin/users/list?q=DA%40exam")
    assert "of 1 entries" in found
    assert ADA in found
    for nothing in ("%25", "_", "a%00b", "x" * 30_000):
        assert "of 0 entries" in await boss.shown(f"/admin/users/list?q={nothing}")
    assert (await boss.client.get("/admin/users/list?filter=email:eq:x")).status_code == 400
    assert (await boss.client.get("/admin/users/list?page_size=100000")).status_code == 400


async def test_nothing_is_taken_out_or_brought_in_by_the_dozen(site: Site) -> None:
    boss = await site.boss()
    headers = {"X-CSRFToken": await boss.token(EDIT)}
    taken = await boss.client.post("/admin/_api/users/action?name=export&all=1", headers=headers)
    assert taken.status_code == 400
    assert (await boss.client.post("/admin/_api/users/import", headers=headers)).status_code == 403


async def test_a_deleted_user_is_gone_with_all_sessions(site: Site) -> None:
    boss, pair = await site.boss(), await site.tokens()
    assert (await boss.delete("users", 2)).json() == {"redirect": "https://localhost/admin/users/list"}
    assert (await site.personal_info(pair["access"])).status_code == 401
    assert ADA in await boss.shown("/admin/users/list")  # that it was deleted
    assert await site.scalar("SELECT count(*) FROM users") == 1
    assert (await boss.delete("users", 2)).status_code == 200


async def test_a_user_deleted_while_the_form_is_sent_is_not_found(site: Site) -> None:
    boss = await site.boss()
    form = {"csrftoken": await boss.token(EDIT), "account_tier_id": "1", "is_active": "on"}
    async with site.database.transaction() as session:
        await session.execute(text("DELETE FROM users WHERE id = 2"))
        sending = asyncio.create_task(boss.client.post(EDIT, data=form))
        await asyncio.sleep(0.3)  # the row is locked by now, and the form waits for it
        assert not sending.done()
    assert (await sending).status_code == 404


@pytest.mark.parametrize("deleting", [False, True])
async def test_two_who_throw_each_other_out_at_the_same_moment_do_not_both_succeed(
    site: Site, *, deleting: bool
) -> None:
    await site.execute("UPDATE users SET is_staff = true WHERE id = 2")
    version: int = await site.scalar("SELECT session_version FROM users WHERE id = 2")
    boss, ada = await site.boss(), site.visitor()
    ada.carry(StaffSessions([SECRET_KEY]).issue(2, version))

    async def throw_out(who: Visitor, pk: int) -> int:
        if deleting:
            return (await who.delete("users", pk)).status_code
        sent = await who.send(f"/admin/users/edit?pk={pk}", account_tier_id="1", is_active="on")
        return sent.status_code

    async with site.database.transaction() as session:
        await session.execute(text("SELECT FROM users FOR UPDATE"))
        throwing = [asyncio.create_task(throw_out(boss, 2)), asyncio.create_task(throw_out(ada, 1))]
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        while await site.scalar(waiting) != 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert sorted(await asyncio.gather(*throwing)) == ([200, 400] if deleting else [303, 422])
    assert await site.scalar("SELECT count(*) FROM users WHERE is_staff") == 1
