"""Who gets in, and who is out at once."""

from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import URL

from app.admin.staff import StaffSessions
from tests.admin.conftest import ADA, BOSS, BOSS_VERSION, PASSWORD, Site, running_site, words
from tests.conftest import SECRET_KEY

NOT_IN = "There is no active staff account with this email address and password."


async def test_staff_log_in_and_out_and_the_cookies_are_theirs_alone(site: Site) -> None:
    visitor = site.visitor()
    asked = await visitor.client.get("/admin/movies/list?q=x", headers={"X-Forwarded-Host": "localhost"})
    assert asked.status_code == 303
    login = asked.headers["location"]
    assert login == "https://localhost/admin/login?next=https%3A%2F%2Flocalhost%2Fadmin%2Fmovies%2Flist%3Fq%3Dx"
    form = {"csrftoken": await visitor.token(login), "username": BOSS.upper(), "password": PASSWORD}
    entered = await visitor.client.post(login, data=form)
    assert (entered.status_code, entered.headers["location"]) == (303, "https://localhost/admin/movies/list?q=x")
    for cookie in [*asked.headers.get_list("set-cookie"), *entered.headers.get_list("set-cookie")]:
        assert {"HttpOnly", "Secure", "Path=/admin", "SameSite=Lax"} <= set(cookie.split("; ")), cookie
    assert entered.headers["cache-control"] == "no-store"
    assert (await visitor.client.get("/admin/login")).headers["location"] == "https://localhost/admin/"
    assert (await visitor.client.get("/admin/")).headers["location"] == "https://localhost/admin/users/list"
    assert (await visitor.client.head("/admin/users/list")).status_code == 200

    left = await visitor.client.post("/admin/logout", data={"csrftoken": await visitor.token("/admin/users/edit?pk=1")})
    assert left.headers["location"] == "https://localhost/admin/login"
    assert not await visitor.is_in()


async def test_in_debug_the_cookies_work_without_https(staffed_url: URL) -> None:
    async with running_site(staffed_url, debug=True, secret_key="") as site:
        visitor = site.visitor(base_url="http://localhost")
        entered = await visitor.log_in()
        assert "Secure" not in entered.headers["set-cookie"]
        assert await visitor.is_in()


async def test_a_login_leads_to_no_other_site_and_no_other_room(site: Site) -> None:
    for elsewhere in (
        "https://evil.example/admin/",
        "//evil.example/admin/",
        "/\\evil.example/admin/",
        "https://localhost@evil.example/admin/",
        "/movies/",
        "/admin/../movies/",
        "/admin/%252e%252e/movies/",
        "/admin/.%252e/movies/",
        "/admin/\\..\\movies/",
        "javascript:alert(1)",
    ):
        visitor = site.visitor()
        entered = await visitor.send(f"/admin/login?next={elsewhere}", username=BOSS, password=PASSWORD)
        assert entered.headers["location"] == "https://localhost/admin/"


async def test_who_is_not_staff_is_told_no_more_than_a_stranger(site: Site) -> None:
    visitor = site.visitor()
    attempts = [
        (ADA, PASSWORD),
        (BOSS, "a wrong one"),
        ("nobody@example.com", PASSWORD),
        ("", PASSWORD),
        ("a\x00b@example.com", PASSWORD),
        (BOSS, "x" * 2000),
    ]
    for email, password in attempts:
        refused = await visitor.log_in(email, password)
        assert refused.status_code == 400
        assert NOT_IN in words(refused)
        assert not await visitor.is_in()


async def test_a_deactivated_administrator_does_not_get_in(site: Site) -> None:
    await site.execute("UPDATE users SET is_active = false WHERE id = 1")
    assert NOT_IN in words(await site.visitor().log_in())


async def test_attempts_are_throttled_together_with_those_at_the_api(staffed_url: URL) -> None:
    async with running_site(staffed_url, throttle_login="3/minute") as site:
        await site.tokens(BOSS, "wrong")
        visitor = site.visitor()
        statuses = [(await visitor.log_in(BOSS, "wrong")).status_code for _ in range(3)]
        assert statuses == [400, 400, 429]
        refused = await visitor.log_in()
        assert refused.headers["content-type"].startswith("text/html")
        assert int(refused.headers["retry-after"]) > 0


async def test_a_forged_or_old_cookie_opens_nothing(site: Site) -> None:
    signed = StaffSessions([SECRET_KEY]).issue(1, BOSS_VERSION)
    ours, forged = site.visitor(), site.visitor()
    ours.carry(signed)
    assert await ours.is_in()
    for cookie in (
        "",
        "1",
        "[1,2]",
        signed[:-2],
        StaffSessions(["another key, which is long enough, too"]).issue(1, 2),
        str(URLSafeTimedSerializer(SECRET_KEY).dumps([1, 2])),
        StaffSessions([SECRET_KEY]).issue(1, 1),  # an earlier session version
        StaffSessions([SECRET_KEY]).issue(2, 1),  # not staff
        StaffSessions([SECRET_KEY]).issue(99, 1),
    ):
        forged.carry(cookie)
        assert not await forged.is_in(), cookie


async def test_sessions_outlive_a_change_of_the_key_that_names_the_old_one(staffed_url: URL) -> None:
    changed = "the next key, of more than 32 bytes"
    async with running_site(staffed_url, secret_key=changed, secret_key_fallbacks=SECRET_KEY) as site:
        visitor = site.visitor()
        visitor.carry(StaffSessions([SECRET_KEY]).issue(1, BOSS_VERSION))
        assert await visitor.is_in()
        assert StaffSessions([SECRET_KEY]).read(StaffSessions([changed]).issue(1, 2)) is None


async def test_a_new_password_ends_the_session_at_once(site: Site) -> None:
    visitor = await site.boss()
    access = (await site.tokens(BOSS))["access"]
    assert await visitor.is_in()
    changed = await site.api.patch(
        "/users/change_password/",
        json={"old_password": PASSWORD, "new_password": "a short swim at noon"},
        headers={"Authorization": f"Bearer {access}"},
    )
    assert changed.status_code == 200
    assert not await visitor.is_in()


async def test_who_is_deactivated_or_no_longer_staff_is_out_at_once(site: Site) -> None:
    boss = await site.boss()
    await boss.send("/admin/users/edit?pk=2", account_tier_id="1", is_active="on", is_staff="on")
    for left in ({"is_staff": "on"}, {"is_active": "on"}):
        other = site.visitor()
        await other.log_in(ADA)
        assert await other.is_in()
        await boss.send("/admin/users/edit?pk=2", account_tier_id="1", **left)
        assert not await other.is_in()
        await boss.send("/admin/users/edit?pk=2", account_tier_id="1", is_active="on", is_staff="on")
        assert not await other.is_in()  # nor does the old session come back


async def test_the_login_page_knows_nobody_but_who_asks(site: Site) -> None:
    await site.boss()
    assert (await site.visitor().client.get("/admin/login")).status_code == 200
