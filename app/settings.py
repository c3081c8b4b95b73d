"""Every setting of the service, once.

A value comes from the environment, else from a `.env` file in the working directory, else from its default here.
`load_settings` stops the start with one clear line when a value is unsafe or contradicts another.
"""

from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, IPvAnyNetwork, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

# 256 bits: RFC 7518 section 3.2 asks an HS256 key for at least as many bits as its hash has.
SECRET_KEY_MIN_BYTES = 32
LIBPQ_ONLY = ("channel_binding", "connect_timeout", "gssencmode", "keepalives")
SAMPLE_SECRETS = ("change", "django-insecure", "example", "replace", "sample", "secret", "your-")


def _split(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


_COMMA_SEPARATED = NoDecode, BeforeValidator(_split)
Strings = Annotated[list[str], *_COMMA_SEPARATED]
Networks = Annotated[list[IPvAnyNetwork], *_COMMA_SEPARATED]
Provider = Literal["imdb", "omdb", "catalogue"]


class Settings(BaseSettings):
    """The service's settings; a field's name in capitals is the variable's name."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", populate_by_name=True)

    debug: bool = False
    secret_key: SecretStr = Field(SecretStr(""), validation_alias=AliasChoices("SECRET_KEY", "DJANGO_KEY"))
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    data_dir: Path = Path(".data")

    allowed_hosts: Strings = ["localhost", "127.0.0.1", "[::1]"]
    cors_allowed_origins: Strings = []
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
            return self
        if not key:
            raise ValueError("SECRET_KEY is not set (at least 32 random bytes; `openssl rand -hex 32` makes one)")
        if len(key.encode()) < SECRET_KEY_MIN_BYTES:
            raise ValueError(f"SECRET_KEY is shorter than {SECRET_KEY_MIN_BYTES} bytes")
        if key.lower().startswith(SAMPLE_SECRETS):
            raise ValueError("SECRET_KEY is a sample value; make one of your own (`openssl rand -hex 32`)")
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
