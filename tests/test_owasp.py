"""An attack for each of OWASP's API Security Top 10 (2023): https://owasp.org/API-Security/editions/2023/en/0x11-t10/"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from tests.accounts import ADA, PASSWORD, claims, opened, signed
from tests.conftest import ROOT, make_settings, started
from tests.doubles.omdb import OmdbDouble
from tests.doubles.server import Reply
from tests.movies.conftest import title, with_omdb
from tests.movies.people import People, Person, people, people_url, shared_people
from tests.problem_documents import problem

# Where a person in a browser begins, and what only operators read.
UNDOCUMENTED = {"/", "/metrics", "/api/swagger/", "/api/swagger/oauth2-redirect", "/api/redoc/"}
__all__ = ["people", "people_url", "shared_people"]


async def private_collection(owner: Person) -> int:
    made = await owner.post("/collections/", name="Only mine", description="secret plans", is_public=False)
    assert made.status_code == 201, made.text
    collection_id: int = made.json()["id"]
    return collection_id


async def test_1_the_id_of_somebody_elses_object_opens_nothing(people: People) -> None:
    collection_id = await private_collection(people.grace)
    base = f"/collections/{collection_id}/"
    for method, path in (
        ("GET", base),
        ("GET", f"{base}movies/"),
        ("GET", f"{base}export/"),
        ("POST", f"{base}clone/"),
        ("POST", f"{base}subscribe/"),
        ("DELETE", base),
        ("GET", f"{base}page/"),
    ):
        answer = await people.service.ask(method, path, people.ada.access)
        assert answer.status_code in {403, 404}, (method, path, answer.status_code)
        assert "secret plans" not in answer.text
    patched = await people.service.ask("PATCH", base, people.ada.access, name="Mine now")
    problem(patched, 403)
    assert (await people.grace.get(base)).json()["name"] == "Only mine"


async def test_2_no_token_but_our_own_says_who_somebody_is(people: People) -> None:
    good = claims(people.ada.id)
    forgeries = {
        "another key": signed(good, "k" * 32),
        "no algorithm": signed(good, alg="none").rpartition(".")[0] + ".",
        "expired": signed(claims(people.ada.id, exp=1)),
        "another issuer": signed(claims(people.ada.id, iss="django")),
        "a refresh token": signed(claims(people.ada.id, token_type="refresh")),
        "an older session": signed(claims(people.ada.id, session_version=0)),
        "nobody": signed(claims(2**62)),
    }
    for case, token in forgeries.items():
        answer = await people.service.client.get("/watch_later/list/", headers={"Authorization": f"Bearer {token}"})
        problem(answer, 401, "invalid_token", case=case)
    assert (await people.ada.get("/watch_later/list/")).status_code == 200


async def test_3_what_a_body_may_not_set_it_does_not_set(people: People) -> None:
    client = people.service.client
    more = {"is_staff": True, "email_verified": True, "account_tier_id": 3, "id": 1}
    made = await client.post("/signup/", json={"email": "mallory@example.com", "password": PASSWORD, **more})
    assert made.json()["email_verified"] is False
    row = "SELECT is_staff::text || email_verified || (account_tier_id = 1) FROM users WHERE email = :email"
    assert await people.service.value(row, email="mallory@example.com") == "falsefalsetrue"
    made = await people.ada.post("/collections/", name="Mine", owner_id=people.grace.id, subscribers_count=9)
    assert (made.json()["owner_id"], made.json()["subscribers_count"]) == (people.ada.id, 0)
    text = (await client.get("/movies/?limit=100")).text + (await people.ada.get("/users/personal-info/")).text
    assert "argon2" not in text
    assert "session_version" not in text


async def test_4_nobody_has_the_service_do_without_bounds(people: People) -> None:
    client = people.service.client
    assert (await client.post("/movies/search/", content=b"{" + b" " * 10_000_000)).status_code == 413
    assert len((await client.get("/movies/?limit=100000")).json()["results"]) == 100
    deep = await client.post("/signup/", content="[" * 60_000, headers={"Content-Type": "application/json"})
    assert deep.status_code == 422
    long = await client.get("/movies/", params={"search": "a " * 120})
    assert long.status_code in {200, 422}
    assert (await client.get("/movies/?offset=9223372036854775807")).json()["results"] == []


async def test_5_a_user_does_nothing_that_staff_do(people: People) -> None:
    collection_id = await private_collection(people.grace)
    staff = await people.new("staff@example.com", is_staff=True)
    assert (await staff.get(f"/collections/{collection_id}/")).status_code == 200
    problem(await people.ada.get(f"/collections/{collection_id}/"), 403)
    # A token opens no page of the staff's, not even the staff's own token; only a login there does.
    for person in (people.ada, staff):
        page = await person.get("/admin/users/list")
        assert page.status_code in {302, 303, 307}, page.status_code
        assert "/admin/login" in page.headers["Location"]
    await people.service.execute("UPDATE users SET is_staff = false WHERE id = :id", id=staff.id)
    problem(await staff.get(f"/collections/{collection_id}/"), 403)


async def test_6_what_costs_or_tells_is_counted(people: People) -> None:
    limits: dict[str, Any] = {"throttle_login": "2/minute", "throttle_signup": "1/minute", "throttle_reset": "1/minute"}
    async with opened(people.service.url, **limits) as service:
        assert (await service.post("/token/", email=ADA, password="x")).status_code == 401
        assert (await service.post("/token/", email=ADA, password="y")).status_code == 401
        problem(await service.post("/token/", email=ADA, password="z"), 429, "throttled")
        assert (await service.post("/users/reset_password/", email=ADA)).status_code == 202
        problem(await service.post("/users/reset_password/", email=ADA), 429, "throttled")
        assert (await service.post("/signup/", email="m1@example.com", password=PASSWORD)).status_code == 201
        problem(await service.post("/signup/", email="m2@example.com", password=PASSWORD), 429, "throttled")


async def test_7_no_address_from_a_request_is_opened(people: People, omdb: OmdbDouble) -> None:
    async with opened(people.service.url, **with_omdb(omdb)) as service:
        for address in ("http://169.254.169.254/latest/", f"http://127.0.0.1:{omdb.port}/stolen", "file:///etc/passwd"):
            await service.post("/movies/search/", expression=address)
            answer = await service.client.get("/accounts/google/login/", params={"next": address})
            assert answer.status_code in {422, 503}
    assert {call.path for call in omdb.calls} == {"/"}


async def test_8_a_default_deployment_is_closed(people: People) -> None:
    client = people.service.client
    problem(await client.get("/movies/", headers={"Host": "evil.example"}), 400, "unknown_host")
    answer = await client.get("/movies/", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers
    for path in ("/movies/", "/nowhere", "/api/schema/", "/admin/login"):
        answer = await client.get(path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert "Content-Security-Policy" in answer.headers, path
        assert "server" not in answer.headers, path


async def test_9_every_route_is_in_the_document(people: People) -> None:
    async with started(make_settings(people.service.url)) as (app, client):
        document = (await client.get("/api/schema/")).json()
    routes = list(leaves(app.routes))
    assert {route.path_format for route in routes if route.include_in_schema} == set(document["paths"])
    assert {route.path_format for route in routes if not route.include_in_schema} <= UNDOCUMENTED


def leaves(routes: Sequence[BaseRoute]) -> Iterator[APIRoute]:
    """The operations among routes, those of included routers too."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from leaves(included.routes)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"Title": "' + b"A" * 300_000 + b'"}',
        json.dumps({**title("tt9000001"), "Title": 7, "Plot": ["x"], "Ratings": {"a": 1}}).encode(),
        json.dumps({**title("tt9000001"), "imdbID": "tt1' OR 1=1"}).encode(),
        b"\xff\xfe\x00",
    ],
    ids=["deep", "large", "of other types", "an id that is none", "no text"],
)
async def test_10_what_upstream_sends_harms_nobody(people: People, omdb: OmdbDouble, body: bytes) -> None:
    omdb.found["qzxqzx"] = ["tt9000001"]
    omdb.replies["tt9000001"] = Reply(body)
    async with opened(people.service.url, **with_omdb(omdb)) as service:
        answer = await service.post("/movies/search/", expression="qzxqzx")
        assert (answer.status_code, answer.json()) == (200, [])
        assert (await service.client.get("/movies/?imdb_id=tt9000001")).json()["count"] == 0


def test_what_the_threat_model_names_is_there() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    named = re.findall(r"`(app/[a-z_/]+\.py):(\w+)`", text)
    assert len(named) > 10
    for file, name in named:
        code = (ROOT / file).read_text()
        assert re.search(rf"^ *(async def|def|class) {name}\b", code, re.MULTILINE), (file, name)
    numbers = {int(number) for number in re.findall(r"^(\d+)\. \*\*", text, re.MULTILINE)}
    tests = {name.split("_")[1] for name in globals() if name.startswith("test_")}
    assert numbers == {int(number) for number in tests if number.isdigit()} == set(range(1, 11))
