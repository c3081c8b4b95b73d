"""HTTP as proxies and clients speak it: redirects, forwarded headers, hosts, HEAD, ids in paths."""

from collections.abc import AsyncIterator
from ipaddress import ip_network

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

import app.core.http as ours
from tests.log_lines import log_lines
from tests.problem_documents import fields, problem
from tests.sample_application import connecting_from, sample_application

PROXY, STRANGER = "127.0.0.1", "203.0.113.9"
HOSTS = ["localhost", "api.example.com", "*.films.example", "[::1]", "[2001:db8::1]"]


@pytest.fixture(scope="module")
async def client(administrator: AsyncEngine, filled: str) -> AsyncIterator[httpx.AsyncClient]:
    async with sample_application(administrator, filled, allowed_hosts=HOSTS) as (_, client):
        yield client


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/movies", "/movies/"),
        ("/movies?title=a%20b&limit=3", "/movies/?title=a%20b&limit=3"),
        ("/movies/1", "/movies/1/"),
        ("/movies/search", "/movies/search/"),
        ("/structures", "/structures/"),
        ("/api/schema", "/api/schema/"),
        ("/health/live/", "/health/live"),
        ("/health/ready/", "/health/ready"),
    ],
)
async def test_a_path_of_the_other_form_leads_to_the_canonical_one(
    client: httpx.AsyncClient, path: str, location: str
) -> None:
    for method in ("GET", "HEAD", "POST"):
        response = await client.request(method, path)
        assert (response.status_code, response.headers["Location"]) == (307, f"http://localhost{location}"), method


async def test_a_redirected_search_arrives_with_its_body(client: httpx.AsyncClient) -> None:
    response = await client.post("/movies/search", json={"expression": "inception"}, follow_redirects=True)
    assert [movie["title"] for movie in response.json()] == ["Inception"]


async def test_the_root_leads_to_the_documentation(client: httpx.AsyncClient) -> None:
    response = await client.get("/", follow_redirects=True)
    assert response.status_code == 200
    assert response.url.path == "/api/swagger/"


FORWARDED = {
    "both": ({"x-forwarded-proto": "https", "x-forwarded-host": "api.example.com"}, "https://api.example.com"),
    "only the scheme": ({"x-forwarded-proto": "https"}, "https://localhost"),
    "only the host": ({"x-forwarded-host": "api.example.com"}, "http://api.example.com"),
    "a port": ({"x-forwarded-host": "api.example.com:8443"}, "http://api.example.com:8443"),
    "an IPv6 host": ({"x-forwarded-host": "[::1]"}, "http://[::1]"),
    "an IPv6 host with a port": ({"x-forwarded-host": "[2001:db8::1]:8443"}, "http://[2001:db8::1]:8443"),
    "an allowed subdomain": ({"x-forwarded-host": "a.films.example"}, "http://a.films.example"),
    "the nearest proxy's of several": (
        {"x-forwarded-proto": "http, https", "x-forwarded-host": "evil.example, api.example.com"},
        "https://api.example.com",
    ),
    "no such scheme": ({"x-forwarded-proto": "gopher"}, "http://localhost"),
    "an empty scheme": ({"x-forwarded-proto": ""}, "http://localhost"),
    "an empty host": ({"x-forwarded-host": " "}, "http://localhost"),
    "a scheme with more behind it": ({"x-forwarded-proto": "https://evil.example"}, "http://localhost"),
}


@pytest.mark.parametrize("case", FORWARDED)
async def test_scheme_and_host_are_those_that_a_trusted_proxy_tells(client: httpx.AsyncClient, case: str) -> None:
    headers, base = FORWARDED[case]
    redirect = await client.get("/movies?limit=3", headers=headers)
    assert (redirect.status_code, redirect.headers["Location"]) == (307, f"{base}/movies/?limit=3")
    page = (await client.get("/movies/?limit=3&offset=3", headers=headers)).json()
    assert page["next"] == f"{base}/movies/?limit=3&offset=6"
    assert page["previous"] == f"{base}/movies/?limit=3&offset=0"


@pytest.mark.parametrize("case", FORWARDED)
async def test_what_a_stranger_forwards_is_ignored(client: httpx.AsyncClient, case: str) -> None:
    async with connecting_from(client, STRANGER) as stranger:
        redirect = await stranger.get("/movies", headers=FORWARDED[case][0])
    assert redirect.headers["Location"] == "http://localhost/movies/"


REFUSED_HOSTS = [
    "evil.example",
    "localhost.evil.example",
    "evil.example/localhost",
    "localhost@evil.example",
    "films.example",  # only what is below it
    "evilfilms.example",
    "localhost:port",
    "localhost:99999",
    "localhost:",
    "localhost:80:80",
    "::1",
    "[::1",
    "[::2]",
    "",
    " ",
    "local host",
    "localhost, api.example.com",
    "http://localhost",
    "*",
]


@pytest.mark.parametrize("host", REFUSED_HOSTS)
async def test_a_host_that_is_none_of_ours_is_refused(client: httpx.AsyncClient, host: str) -> None:
    problem(await client.get("/movies/", headers={"host": host}), 400, "unknown_host")
    problem(await client.get("/movies", headers={"host": host}), 400, "unknown_host")
    problem(await client.get("/nowhere/", headers={"host": host}), 400, "unknown_host")
    nearest = host.rpartition(",")[2].strip()
    if nearest not in {"", "api.example.com"}:
        problem(await client.get("/movies", headers={"x-forwarded-host": host}), 400, "unknown_host")


@pytest.mark.parametrize("hosts", [("localhost", "evil.example"), ("evil.example", "localhost"), ("localhost",) * 2])
async def test_two_hosts_are_one_too_many(client: httpx.AsyncClient, hosts: tuple[str, str]) -> None:
    problem(await client.get("/movies/", headers=[("host", host) for host in hosts]), 400, "unknown_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost:8000", "api.example.com", "x.y.films.example"])
async def test_a_host_of_ours_is_served(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/health/ready", headers={"host": host})).status_code == 200


async def test_a_domain_may_be_allowed_with_a_dot_and_every_host_with_a_star(
    administrator: AsyncEngine, filled: str
) -> None:
    async with sample_application(administrator, filled, allowed_hosts=[".films.example"]) as (_, client):
        assert (await client.get("/structures/", headers={"host": "a.films.example"})).status_code == 200
        problem(await client.get("/structures/", headers={"host": "localhost"}), 400, "unknown_host")
    async with sample_application(administrator, filled, allowed_hosts=["*"]) as (_, client):
        assert (await client.get("/structures/", headers={"host": "any.example:81"})).status_code == 200
        problem(await client.get("/structures/", headers={"host": "no host"}), 400, "unknown_host")


async def test_a_stranger_that_forwards_is_told_of_once_in_the_log(administrator: AsyncEngine, filled: str) -> None:
    async with sample_application(administrator, filled) as (_, client), connecting_from(client, STRANGER) as stranger:
        with log_lines() as lines:
            await stranger.get("/health/live")
            assert [line for line in lines if line["level"] == "WARNING"] == []
            for _ in range(3):
                await stranger.get("/health/live", headers={"x-forwarded-for": "10.0.0.1"})
            await client.get("/health/live", headers={"x-forwarded-for": "10.0.0.1"})
        (warning,) = [line for line in lines if line["level"] == "WARNING"]
    assert "TRUSTED_PROXIES" in warning["event"]
    assert warning["peer"] == STRANGER


async def show_client(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the client's address as the application has it."""
    request = Request(scope)
    await JSONResponse(request.client.host if request.client else None)(scope, receive, send)


TRUSTED = [ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("::1/128"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        (PROXY, None, PROXY),
        (PROXY, "198.51.100.7", "198.51.100.7"),
        (PROXY, "6.6.6.6, 198.51.100.7", "198.51.100.7"),  # what stands further left, the client may have written
        (PROXY, "198.51.100.7, 10.1.1.1, 127.0.0.2", "198.51.100.7"),
        (PROXY, "10.2.2.2, 10.1.1.1", "10.2.2.2"),
        (PROXY, "198.51.100.7:4711", "198.51.100.7"),
        (PROXY, "2001:db8::7", "2001:db8::7"),
        (PROXY, "[2001:db8::7]", "2001:db8::7"),
        (PROXY, "[2001:db8::7]:4711", "2001:db8::7"),
        (PROXY, "::ffff:198.51.100.7", "198.51.100.7"),
        (PROXY, "198.51.100.7, unknown", PROXY),
        (PROXY, "unknown, 10.1.1.1", "10.1.1.1"),
        (PROXY, "", PROXY),
        (PROXY, " , ,", PROXY),
        (PROXY, "999.1.1.1", PROXY),
        (PROXY, "1.2.3.4.5\0", PROXY),
        ("::1", "198.51.100.7", "198.51.100.7"),
        ("::ffff:127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("fd00::3", "2001:db8::7, fd00::4", "2001:db8::7"),
        (STRANGER, "198.51.100.7", STRANGER),
        ("2001:db8::1", "198.51.100.7", "2001:db8::1"),
        ("testclient", "198.51.100.7", "testclient"),
        (None, "198.51.100.7", "198.51.100.7"),  # a Unix socket: the peer is on this machine
    ],
)
async def test_the_clients_address_is_read_from_the_right_past_trusted_proxies(
    peer: str | None, forwarded: str | None, expected: str
) -> None:
    served = ours.ForwardedHeaders(show_client, TRUSTED)

    async def from_peer(scope: Scope, receive: Receive, send: Send) -> None:
        await served({**scope, "client": (peer, 50000) if peer else None}, receive, send)

    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(from_peer), base_url="http://localhost") as client:
        assert (await client.get("/", headers=headers)).json() == expected


async def test_forwarded_addresses_may_come_in_several_headers() -> None:
    served = ours.ForwardedHeaders(show_client, TRUSTED)
    headers = [("x-forwarded-for", "6.6.6.6, 198.51.100.7"), ("x-forwarded-for", "10.1.1.1")]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://localhost") as client:
        assert (await client.get("/", headers=headers)).json() == "198.51.100.7"


async def test_a_repeated_parameter_is_refused_and_named(client: httpx.AsyncClient) -> None:
    assert fields(await client.get("/movies/?limit=1&limit=2")) == {"limit"}
    assert fields(await client.get("/movies/?title=a&year=1&year=2&title=a&type=movie")) == {"title", "year"}
    assert (await client.get("/structures/?a=1&a=1")).status_code == 200  # where none is read, none is refused


def test_an_id_in_a_path_is_written_as_it_is_read() -> None:
    router = Router()
    router.mount("/movies/{id:id}", show_client, name="movie")
    assert router.url_path_for("movie", id=10, path="/") == "/movies/10/"
