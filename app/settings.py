"""Every setting of the service, once.

A value comes from the environment, else from a `.env` file in the working directory, else from its default here.
`load_settings` stops the start with one clear line when a value is unsafe or contradicts another.
"""

import re
import secrets
from email.utils import parseaddr
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from limits import parse_many
from pydantic import AliasChoices, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL
from sqlalchemy.exc import ArgumentError

from app.setting_values import PRIVATE_NETWORKS, Networks, Rates, RedisUrl, Secrets, Strings, asyncpg_url, web_origin

# 256 bits: RFC 7518 section 3.2 asks an HS256 key for at least as many bits as its hash has.
SECRET_KEY_MIN_BYTES = 32
# As browsers write it (RFC 6454 section 6.1): no path, and no slash at its end.
ORIGIN = re.compile(r"https?://[^/?#@\s]+", re.IGNORECASE)
SAMPLE_SECRETS = ("change", "django-insecure", "example", "replace", "sample", "secret", "your-")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
Provider = Literal["imdb", "omdb", "catalogue"]


class Settings(BaseSettings):
    """The service's settings; a field's name in capitals is the variable's name."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", populate_by_name=True)

    debug: bool = False
    secret_key: SecretStr = Field(SecretStr(""), validation_alias=AliasChoices("SECRET_KEY", "DJANGO_KEY"))
    secret_key_fallbacks: Secrets = []
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
    sql_guard: Literal["off", "log", "error"] = Field(
        "log", description="Tell of a request's slow or repeated SQL; `error` fails a request that repeats a statement."
    )
    slow_sql_milliseconds: int = Field(500, ge=1)
    repeated_sql: int = Field(10, ge=1, description="A request may execute one statement so often.")
    redis_url: RedisUrl | None = Field(None, description="The throttles of all processes count there.")

    movie_search_provider: Literal["auto", "imdb", "omdb", "catalogue"] = "auto"
    imdb_api_key: SecretStr | None = None
    imdb_api_url: str = "https://api.collectapi.com/imdb"
    omdb_api_key: SecretStr | None = None
    omdb_api_url: str = "https://www.omdbapi.com"
    title_ttl_days: int = Field(30, ge=1, le=36_500, description="A stored title is fetched anew after so many days.")
    unrated_title_ttl_hours: int = Field(
        24, ge=1, le=876_000, description="The same for a title without an IMDb rating."
    )

    import_daily_lookups: int = Field(
        500,
        ge=0,
        le=10_000_000,
        description="Upstream calls of all imports together in a day (UTC); 0: what is not stored is not found.",
    )

    metrics_enabled: bool = True
    metrics_allowed_networks: Networks = [*map(ip_network, PRIVATE_NETWORKS)]

    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str = "https://api.anthropic.com"
    anthropic_model: str = Field("claude-sonnet-5-5", description="One that knows structured outputs and effort.")
    max_prompt_tokens_length: int = Field(1000, ge=1, description="An AI search in more tokens finds nothing.")
    ai_timeout_seconds: float = Field(30, ge=1, le=600, description="An AI search ends within this.")

    throttle_search_ua: Rates = Field(
        parse_many("10/day"), max_length=1, description="Searches by one User-Agent from one address."
    )
    throttle_search_ip: Rates = Field(parse_many("20/day"), max_length=1, description="Searches from one address.")
    throttle_ai_ua: Rates = Field(
        parse_many("2/day"), max_length=1, description="AI searches by one User-Agent from one address."
    )
    throttle_ai_ip: Rates = Field(parse_many("6/day"), max_length=1, description="AI searches from one address.")
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
    def _anthropic_has_an_address(self) -> Self:
        if not web_origin(self.anthropic_base_url):
            raise ValueError("ANTHROPIC_BASE_URL is no address (https://api.anthropic.com)")
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
