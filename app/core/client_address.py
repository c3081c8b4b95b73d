"""Addresses as peers and proxies write them, and the one that a client is counted by."""

import ipaddress
from functools import lru_cache

from starlette.requests import Request

# RFC 6177: a site gets a /64 at least, so one subscriber has 2^64 addresses to come from.
IPV6_SITE_BITS = 64
# An IPv6 address with a zone, brackets and a port, and blanks around it; what is longer is none, and is not kept.
LONGEST = 100


def client_address(request: Request) -> str:
    """Who asks, as an address; an IPv6 network of one subscriber is one client.

    `ForwardedHeaders` has seen to trusted proxies before. A peer on a Unix socket without a proxy's word is "local".

    >>> client_address(Request({"type": "http", "client": ("2001:db8::1:2:3:4", 0)}))
    '2001:db8::/64'
    """
    host = request.client.host if request.client else "local"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:  # as a socket for both families names an IPv4 peer
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), IPV6_SITE_BITS), strict=False))


def read_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address in one hop of `X-Forwarded-For`, which some proxies write with a port."""
    return _read_address(text) if len(text) <= LONGEST else None


# The same peers ask again and again: those in front of the service are few.
@lru_cache(1_000)
def _read_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
