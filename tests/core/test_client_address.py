"""Who asks: whatever stands in `X-Forwarded-For`, and whatever is configured, against Python's own `ipaddress`."""

import asyncio
import ipaddress
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from app.core.client_address import client_address, read_address
from app.core.http import ForwardedHeaders
from app.settings import Settings
from tests.conftest import SECRET_KEY

Address = IPv4Address | IPv6Address

PEER = "192.0.2.1"
ADDRESSES = st.one_of(st.ip_addresses(), st.ip_addresses(v=4), st.ip_addresses(network="192.0.2.0/29"))
NETWORKS = st.builds(
    lambda address, bits: (
        ipaddress.ip_network((int(address), bits % (address.max_prefixlen + 1)), strict=False)
        if address.version == 4
        else ipaddress.IPv6Network((int(address), bits % 129), strict=False)
    ),
    ADDRESSES,
    st.integers(0, 128),
)
PIECES = "0 1 255 256 . : :: [ ] % / fe80 ffff eth0 , - 192.0.2.1 2001:db8::1 \u0661 \udcff \t "
SCRAWLS = st.one_of(st.text(max_size=20), st.lists(st.sampled_from(PIECES.split(" ")), max_size=9).map("".join))


def same(address: Address) -> Address:
    """An IPv4 address that is written as an IPv6 one is itself."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def written(address: Address, port: int | None) -> str:
    """As a proxy writes it: RFC 7239 section 6, and how those do it that came before."""
    if port is None:
        return str(address)
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def asked_by(peer: str, trusted: list[Any], *headers: str) -> str:
    """The address that the application sees."""
    seen: list[Scope] = []

    async def application(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    sent = [(b"x-forwarded-for", header.encode("utf-8", "surrogateescape")) for header in headers]
    scope = {"type": "http", "scheme": "http", "client": (peer, 1), "headers": sent}
    asyncio.run(ForwardedHeaders(application, trusted)(scope, None, None))  # type: ignore[arg-type]
    host: str = seen[0]["client"][0]
    return host


@settings(deadline=None)
@given(ADDRESSES, st.none() | st.integers(0, 65535), st.sampled_from(["", " ", "\t "]))
def test_an_address_is_read_however_a_proxy_writes_it(address: Address, port: int | None, blank: str) -> None:
    assert read_address(f"{blank}{written(address, port)}{blank}") == same(address)


@settings(deadline=None)
@given(SCRAWLS)
@example("[::1")
@example("1.2.3.4:80:80")
@example("fe80::1%" + "x" * 9000)
def test_what_is_no_address_is_none(text: str) -> None:
    found = read_address(text)
    hop = text.strip()
    assert found is None or found in {
        same(ipaddress.ip_address(spelling))
        for spelling in (hop, hop.partition(":")[0], hop[1:].partition("]")[0])
        if is_address(spelling)
    }


@settings(deadline=None)
@given(st.lists(ADDRESSES, max_size=6), st.lists(NETWORKS, max_size=3))
def test_the_client_is_the_first_from_the_right_that_is_no_trusted_proxy(
    hops: list[Address], trusted: list[Any]
) -> None:
    def is_trusted(address: Address) -> bool:
        return any(address.version == network.version and address in network for network in trusted)

    way = [ipaddress.ip_address(PEER), *map(same, reversed(hops))]
    strangers = [hop for hop in way if not is_trusted(hop)]
    assert asked_by(PEER, trusted, ", ".join(map(str, hops))) == str((strangers or way[-1:])[0])


@settings(deadline=None)
@given(st.lists(SCRAWLS, max_size=3), ADDRESSES)
def test_what_a_client_writes_itself_stands_left_of_its_address_and_is_not_read(
    claims: list[str], client: Address
) -> None:
    trusted = [ipaddress.ip_network(f"{PEER}/32")]
    seen = asked_by(PEER, trusted, *claims, str(client))
    assert seen == str(same(client)) or same(client) in trusted[0]


@settings(deadline=None)
@given(ADDRESSES, st.integers(0, 2**64 - 1))
def test_a_site_of_ipv6_is_one_client_and_every_other_address_is_its_own(address: Address, below: int) -> None:
    def client(host: Address) -> str:
        return client_address(Request({"type": "http", "client": (str(host), 1)}))

    if isinstance(same(address), IPv4Address):
        assert client(address) == str(same(address))
        return
    neighbour = IPv6Address(int(address) >> 64 << 64 | below)
    other = IPv6Address(int(address) ^ 1 << 64)
    if not neighbour.ipv4_mapped:
        assert client(neighbour) == client(address)
        assert ipaddress.ip_network(client(address)).prefixlen == 64
    assert client(other) != client(address)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(SCRAWLS, NETWORKS.map(str), ADDRESSES.map(str)), max_size=3))
def test_networks_are_those_of_the_standard_library_or_stop_the_start(texts: list[str]) -> None:
    items = [text.strip() for text in ",".join(texts).split(",") if text.strip()]
    try:
        expected: list[Any] | None = [ipaddress.ip_network(item) for item in items]
    except ValueError:
        expected = None
    if expected is None:
        with pytest.raises(ValidationError, match="trusted_proxies"):
            Settings(_env_file=None, secret_key=SECRET_KEY, trusted_proxies=",".join(texts))
    else:
        configured = Settings(_env_file=None, secret_key=SECRET_KEY, trusted_proxies=",".join(texts))
        assert configured.trusted_proxies == expected
