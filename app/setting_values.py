"""What the text of a setting may say: lists, networks, rates, addresses."""

import re
from typing import Annotated

from limits import RateLimitItem, parse_many
from pydantic import AfterValidator, BeforeValidator, InstanceOf, IPvAnyNetwork, SecretStr
from pydantic_settings import NoDecode
from redis.asyncio import ConnectionPool
from sqlalchemy import URL, make_url

# A throttle keeps the time of each entry, so this many times in memory for each of its keys.
MOST_IN_A_WINDOW = 10_000
LONGEST_WINDOW_SECONDS = 31 * 24 * 3600
# Loopback, and what no router of the internet carries: RFC 1918, RFC 4193, and IPv6's link-local addresses.
PRIVATE_NETWORKS = ("127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")
LIBPQ_ONLY = ("channel_binding", "connect_timeout", "gssencmode", "keepalives")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PAGE = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?([/?#][a-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*)?",
    re.IGNORECASE | re.ASCII,
)


def _split(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


_COMMA_SEPARATED = NoDecode, BeforeValidator(_split)
Strings = Annotated[list[str], *_COMMA_SEPARATED]
Secrets = Annotated[list[SecretStr], *_COMMA_SEPARATED]
Networks = Annotated[list[IPvAnyNetwork], *_COMMA_SEPARATED]


def _rates(value: object) -> object:
    if not isinstance(value, str):
        return value
    fault = "must read like 10/minute (second, minute, hour or day), from 1 to 10000 of them"
    try:
        rates = parse_many(value)
    except ValueError:
        raise ValueError(fault) from None
    if not all(1 <= r.amount <= MOST_IN_A_WINDOW and 1 <= r.get_expiry() <= LONGEST_WINDOW_SECONDS for r in rates):
        raise ValueError(fault)
    return rates


def _redis_url(value: SecretStr) -> SecretStr:
    try:
        ConnectionPool.from_url(value.get_secret_value()).make_connection()  # type: ignore[no-untyped-call]
    except (TypeError, ValueError):  # its text may hold a part of the URL
        raise ValueError("is no URL of the form redis://user:password@host:port/0 (or rediss://, unix://)") from None
    return value


RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
Rates = Annotated[list[InstanceOf[RateLimitItem]], NoDecode, BeforeValidator(_rates)]


def web_origin(url: str) -> str | None:
    """The origin of a page's address (RFC 6454): scheme, host and port; None where browsers could read it otherwise.

    So there is no user, and no character that an address cannot have (RFC 3986), such as a backslash or a blank: what
    one parser takes for the host, another takes for something else.

    >>> web_origin("https://App.example.com:443/page?a=b")
    'https://app.example.com'
    >>> web_origin("https://app.example.com@evil.example/")
    """
    match = _PAGE.fullmatch(url)
    if match is None:
        return None
    scheme, host, port = match["scheme"].lower(), match["host"].lower(), int(match["port"] or 0)
    return f"{scheme}://{host}" + (f":{port}" if port and port != _DEFAULT_PORTS[scheme] else "")


def asyncpg_url(text: str) -> URL:
    """`text` as an SQLAlchemy URL for asyncpg, whatever PostgreSQL driver it names.

    Managed databases put libpq's parameters into their URLs: `sslmode` is asyncpg's `ssl`, others it does not have.

    Raises:
        sqlalchemy.exc.ArgumentError: `text` is no URL.
    """
    url = make_url(text)
    if url.get_backend_name() in {"postgres", "postgresql"}:
        url = url.set(drivername="postgresql+asyncpg")
    sslmode = url.query.get("sslmode")
    url = url.difference_update_query(["sslmode", *LIBPQ_ONLY])
    return url.update_query_dict({"ssl": sslmode}) if sslmode else url
