"""Every setting of the service, once.

A value comes from the environment, else from a `.env` file in the working directory, else from its default here.
`load_settings` stops the start with one clear line when a value is unsafe or contradicts another.
"""

import re
import secrets
from email.utils import parseaddr
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from limits import RateLimitItem, parse_many
from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    InstanceOf,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

# 256 bits: RFC 7518 section 3.2 asks an HS256 key for at least as many bits as its hash has.
SECRET_KEY_MIN_BYTES = 32
# As browsers write it (RFC 6454 section 6.1): no path, and no slash at its end.
ORIGIN = re.compile(r"https?://[^/?#@\s]+", re.IGNORECASE)
LIBPQ_ONLY = ("channel_binding", "connect_timeout", "gssencmode", "keepalives")
SAMPLE_SECRETS = ("change", "django-insecure", "example", "replace", "sample", "secret", "your-")


def _split(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


_COMMA_SEPARATED = NoDecode, BeforeValidator(_split)
Strings = Annotated[list[str], *_COMMA_SEPARATED]
Networks = Annotated[list[IPvAnyNetwork], *_COMMA_SEPARATED]
Provider = Literal["imdb", "omdb", "catalogue"]
# A throttle keeps the time of each entry, so this many times in memory for each of its keys.
MOST_IN_A_WINDOW = 10_000
LONGEST_WINDOW_SECONDS = 31 * 24 * 3600


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


Rates = Annotated[list[InstanceOf[RateLimitItem]], NoDecode, BeforeValidator(_rates)]

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PAGE = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?([/?#][a-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*)?",
    re.IGNORECASE | re.ASCII,
)


class Settings(BaseSettings):
    """The service's settings; a field's name in capitals is the variable's name."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", populate_by_name=True)

    debug: bool = False
    secret_key: SecretStr = Field(SecretStr(""), validation_alias=AliasChoices("SECRET_KEY", "DJANGO_KEY"))
    secret_key_fallbacks: Annotated[list[SecretStr], *_COMMA_SEPARATED] = []
    access_token_minutes: int = Field(60, ge=1)
    refresh_token_days: int = Field(7, ge=1)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    data_dir: Path = Path(".data")

    allowed_hosts: Strings = ["localhost", "127.0.0.1", "[::1]"]
    cors_allowed_origins: Strings = []
    csrf_trusted_origins: Strings = Field([], description="Beside its own, the admin's forms are taken from these.")
    trusted_proxies: Networks = [IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")]

    database_url: SecretStr | None = None
    db_name: str | None = None
    db_user: str | None = None
    db_password: SecretStr | None = None
    db_host: str = "localhost"
    db_port: int = Field(5432, ge=1, le=65535)
    db_pool_size: int = Field(8, ge=1, le=200)

    movie_search_provider: Literal["auto", "imdb", "omdb", "catalogue"] = "auto"
    imdb_api_key: SecretStr | None = None
    imdb_api_url: str = "https://api.collectapi.com/imdb"
    omdb_api_key: SecretStr | None = None
    omdb_api_url: str = "https://www.omdbapi.com"
    title_ttl_days: int = Field(30, ge=1, le=36_500, description="A stored title is fetched anew after so many days.")
    unrated_title_ttl_hours: int = Field(
        24, ge=1, le=876_000, description="The same for a title without an IMDb rating."
    )

    throttle_login: Rates = Field(
        parse_many("30/minute,10/minute"),
        max_length=2,
        description="Attempts from an address; after a comma, failures for one account from it. One is for both.",
    )
    throttle_signup: Rates = Field(parse_many("20/hour"), max_length=1, description="Signups from an address.")
    throttle_reset: Rates = Field(
        parse_many("20/hour,5/hour"),
        max_length=2,
        description="Reset and verification mails asked for from an address; after a comma, those to one account.",
    )

    frontend_url: str | None = None
    oauth_redirect_origins: Strings = []
    google_client_id: str | None = None
    google_client_secret: SecretStr | None = None
    google_discovery_url: str = "https://accounts.google.com/.well-known/openid-configuration"
    email_host: str | None = None
    email_port: int = Field(587, ge=1, le=65535)
    email_host_user: str | None = None
    email_host_password: SecretStr | None = None
    email_use_tls: bool = Field(default=True, description="Insist on STARTTLS; on port 465 it is TLS from the start.")
    email_from: str | None = None
    email_folder: Path | None = Field(None, description="Without EMAIL_HOST: mails are written here, to be read.")
    run_jobs: bool = Field(default=True, description="Work behind the request is done in the web process too.")

    @property
    def mail_sender(self) -> str:
        """The From header: as set, else the mail server's user where that is an address."""
        user = self.email_host_user or ""
        return self.email_from or f"Movie Finder <{user if '@' in user else 'movie-finder@localhost'}>"

    @property
    def search_provider(self) -> Provider:
        """Who answers a search first: as set, or with `auto` the first whose key is set."""
        if self.movie_search_provider != "auto":
            return self.movie_search_provider
        if self.imdb_api_key:
            return "imdb"
        return "omdb" if self.omdb_api_key else "catalogue"

    @cached_property
    def database(self) -> URL | None:
        """Where PostgreSQL is, for asyncpg; None asks for the embedded one."""
        if self.database_url:
            return asyncpg_url(self.database_url.get_secret_value())
        if self.db_name:
            password = self.db_password.get_secret_value() if self.db_password else None
            return URL.create("postgresql+asyncpg", self.db_user, password, self.db_host, self.db_port, self.db_name)
        return None

    @model_validator(mode="after")
    def _secret_key_is_safe(self) -> Self:
        key = self.secret_key.get_secret_value()
        if self.debug:
            self.secret_key = SecretStr(key or secrets.token_hex(32))  # for as long as this process runs
            return self
        if not key:
            raise ValueError("SECRET_KEY is not set (at least 32 random bytes; `openssl rand -hex 32` makes one)")
        if len(key.encode()) < SECRET_KEY_MIN_BYTES:
            raise ValueError(f"SECRET_KEY is shorter than {SECRET_KEY_MIN_BYTES} bytes")
        if key.lower().startswith(SAMPLE_SECRETS):
            raise ValueError("SECRET_KEY is a sample value; make one of your own (`openssl rand -hex 32`)")
        return self

    @model_validator(mode="after")
    def _csrf_trusted_origins_are_origins(self) -> Self:
        if not all(ORIGIN.fullmatch(origin) for origin in self.csrf_trusted_origins):
            raise ValueError("CSRF_TRUSTED_ORIGINS holds what is no origin (https://example.com, without a path)")
        return self

    @model_validator(mode="after")
    def _database_url_is_readable(self) -> Self:
        try:
            url = self.database
        except (ArgumentError, ValueError):  # SQLAlchemy lets some of Python's own through, with a part of the URL
            raise ValueError("DATABASE_URL is no URL of the form postgresql://user:password@host:port/name") from None
        if url is not None and url.get_backend_name() != "postgresql":
            raise ValueError("DATABASE_URL must name a PostgreSQL database")
        return self

    @model_validator(mode="after")
    def _provider_has_its_key(self) -> Self:
        keys = {"imdb": self.imdb_api_key, "omdb": self.omdb_api_key}
        if keys.get(self.movie_search_provider, True) is None:
            name = self.movie_search_provider
            raise ValueError(f"MOVIE_SEARCH_PROVIDER={name} needs {name.upper()}_API_KEY")
        return self

    @model_validator(mode="after")
    def _mail_settings_agree(self) -> Self:
        if bool(self.email_host_user) != bool(self.email_host_password):
            raise ValueError("EMAIL_HOST_USER and EMAIL_HOST_PASSWORD go together")
        address = parseaddr(self.mail_sender)[1]
        if not all(address.rpartition("@")) or not self.mail_sender.isprintable():
            raise ValueError("EMAIL_FROM is no address (name@example.com, or Name <name@example.com>)")
        if self.frontend_url and not web_origin(self.frontend_url):
            raise ValueError("FRONTEND_URL is no address of a page (https://app.example.com)")
        return self

    @model_validator(mode="after")
    def _google_settings_agree(self) -> Self:
        if bool(self.google_client_id) != bool(self.google_client_secret):
            raise ValueError("GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET go together")
        for origin in self.oauth_redirect_origins:
            if not web_origin(origin) or urlsplit(origin).path.strip("/"):
                raise ValueError("OAUTH_REDIRECT_ORIGINS holds what is no origin (https://app.example.com)")
        # Who answers there says who somebody is.
        host = urlsplit(web_origin(self.google_discovery_url) or "").hostname
        if not self.google_discovery_url.startswith("https://") and not self.debug and host not in LOOPBACK:
            raise ValueError("GOOGLE_DISCOVERY_URL must begin with https://")
        return self


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


def load_settings() -> Settings:
    """The settings, or the end of the process with one line a fault; no line shows a value."""
    try:
        return Settings()
    except ValidationError as error:
        faults = [_fault(e["loc"], e["msg"]) for e in error.errors(include_url=False, include_input=False)]
        raise SystemExit("\n".join(faults)) from None


def _fault(location: tuple[int | str, ...], message: str) -> str:
    reason = message.removeprefix("Value error, ")
    name = str(location[0]).upper() if location else ""
    return f"movie-finder: {name}: {reason}" if name else f"movie-finder: {reason}"
