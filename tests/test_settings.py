"""Settings: where they come from, and how an unsafe or contradictory one stops the start."""

import os
from ipaddress import ip_network
from pathlib import Path

import pytest

from app.settings import Settings, load_settings

KEY = "k" * 32
NAMES = [name.upper() for name in Settings.model_fields] + ["DJANGO_KEY"]


@pytest.fixture(autouse=True)
def only_a_key_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without any other setting, in a folder without a `.env`."""
    for name in [name for name in os.environ if name.upper() in NAMES]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.chdir(tmp_path)


def load(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    """The settings with these variables set beside the key."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    """What the start is stopped with."""
    with pytest.raises(SystemExit) as stop:
        load(monkeypatch, **variables)
    assert isinstance(stop.value.code, str)  # printed on stderr; the exit status is 1
    return stop.value.code


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "no key": ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
    "a short key": ({"SECRET_KEY": "a-short-one"}, "SECRET_KEY is shorter than 32 bytes"),
    "a key of 31 bytes": ({"SECRET_KEY": "k" * 31}, "SECRET_KEY is shorter than 32 bytes"),
    "a sample key": ({"SECRET_KEY": "Change-Me-" * 4}, "SECRET_KEY is a sample value"),
    "Django's sample key": ({"SECRET_KEY": "django-insecure-" * 3}, "SECRET_KEY is a sample value"),
    "a short key by its old name": ({"SECRET_KEY": "", "DJANGO_KEY": "a-short-one"}, "SECRET_KEY is shorter"),
    "no log level": ({"LOG_LEVEL": "chatty"}, "LOG_LEVEL:"),
    "no truth": ({"DEBUG": "perhaps"}, "DEBUG:"),
    "no port": ({"DB_PORT": "postgres"}, "DB_PORT:"),
    "a port past the last": ({"DB_PORT": "65536"}, "DB_PORT:"),
    "no pool": ({"DB_POOL_SIZE": "0"}, "DB_POOL_SIZE:"),
    "a huge pool": ({"DB_POOL_SIZE": "1000"}, "DB_POOL_SIZE:"),
    "no time to live": ({"TITLE_TTL_DAYS": "0"}, "TITLE_TTL_DAYS:"),
    "no time to live without a rating": ({"UNRATED_TITLE_TTL_HOURS": "-1"}, "UNRATED_TITLE_TTL_HOURS:"),
    "no such provider": ({"MOVIE_SEARCH_PROVIDER": "tmdb"}, "MOVIE_SEARCH_PROVIDER:"),
    "imdb without its key": ({"MOVIE_SEARCH_PROVIDER": "imdb"}, "MOVIE_SEARCH_PROVIDER=imdb needs IMDB_API_KEY"),
    "omdb without its key": (
        {"MOVIE_SEARCH_PROVIDER": "omdb", "IMDB_API_KEY": "x", "OMDB_API_KEY": ""},
        "MOVIE_SEARCH_PROVIDER=omdb needs OMDB_API_KEY",
    ),
    "no address of Claude's": ({"ANTHROPIC_BASE_URL": "s3cret"}, "ANTHROPIC_BASE_URL is no address"),
    "no time for an AI search": ({"AI_TIMEOUT_SECONDS": "0"}, "AI_TIMEOUT_SECONDS:"),
    "two limits for one thing": ({"THROTTLE_AI_UA": "2/day,6/day"}, "THROTTLE_AI_UA:"),
    "no URL": ({"DATABASE_URL": "s3cret-words"}, "DATABASE_URL is no URL"),
    "a URL of another database": ({"DATABASE_URL": "mysql://u:s3cret@h/d"}, "DATABASE_URL must name a PostgreSQL"),
    "a file": ({"DATABASE_URL": "sqlite:///s3cret.db"}, "DATABASE_URL must name a PostgreSQL"),
    "a URL whose host was forgotten": ({"DATABASE_URL": "postgresql://user:s3cret/name"}, "DATABASE_URL is no URL"),
    "a URL whose port is no number": ({"DATABASE_URL": "postgresql://u:p@h:s3cret/name"}, "DATABASE_URL is no URL"),
    "a URL with half an IPv6 address": ({"DATABASE_URL": "postgresql://u:s3cret@[::1/d"}, "DATABASE_URL is no URL"),
    "a proxy by its name": ({"TRUSTED_PROXIES": "127.0.0.1,proxy.s3cret"}, "TRUSTED_PROXIES"),
    "a network with a host in it": ({"TRUSTED_PROXIES": "10.1.2.3/8"}, "TRUSTED_PROXIES"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_setting_stops_the_start_with_one_line_that_names_it(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    variables, beginning = REFUSED[case]
    line = refusal(monkeypatch, **variables)
    assert line.startswith(f"movie-finder: {beginning}")
    assert "\n" not in line


@pytest.mark.parametrize("case", REFUSED)
def test_no_refusal_shows_a_value(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    variables, _ = REFUSED[case]
    line = refusal(monkeypatch, **variables)
    for name, value in variables.items():
        if name != "MOVIE_SEARCH_PROVIDER" and len(value) > 2:
            assert value not in line
    assert "s3cret" not in line
    assert "a-short-one" not in line


def test_each_of_several_faults_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = refusal(monkeypatch, LOG_LEVEL="chatty", DB_PORT="x", DEBUG="perhaps").splitlines()
    assert sorted(line.split(":")[1].strip() for line in lines) == ["DB_PORT", "DEBUG", "LOG_LEVEL"]


def test_the_defaults_suit_a_trial_on_ones_own_machine() -> None:
    settings = load_settings()
    assert settings.debug is False
    assert settings.database is None  # the embedded one
    assert settings.allowed_hosts == ["localhost", "127.0.0.1", "[::1]"]
    assert settings.cors_allowed_origins == []
    assert settings.trusted_proxies == [ip_network("127.0.0.0/8"), ip_network("::1/128")]
    assert settings.search_provider == "catalogue"
    assert settings.log_level == "INFO"


def test_debug_without_a_key_makes_one_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [load(monkeypatch, DEBUG="true", SECRET_KEY="").secret_key.get_secret_value() for _ in range(2)]
    assert len(made[0]) == len(made[1]) == 64
    assert made[0] != made[1]


@pytest.mark.parametrize("key", ["short", "changeme", "django-insecure-0123456789abcdef0123456789"])
def test_debug_takes_any_key(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    assert load(monkeypatch, DEBUG="true", SECRET_KEY=key).secret_key.get_secret_value() == key


def test_a_key_of_32_bytes_is_long_enough_whatever_its_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, SECRET_KEY="é" * 16).secret_key.get_secret_value() == "é" * 16


def test_the_key_is_also_read_from_its_old_name(monkeypatch: pytest.MonkeyPatch) -> None:
    old = "d" * 40
    assert load(monkeypatch, DJANGO_KEY=old).secret_key.get_secret_value() == KEY
    monkeypatch.delenv("SECRET_KEY")
    assert load_settings().secret_key.get_secret_value() == old
    monkeypatch.setenv("SECRET_KEY", "")
    assert load_settings().secret_key.get_secret_value() == old


def test_lists_are_comma_separated_with_blanks_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        monkeypatch,
        ALLOWED_HOSTS="a.example, b.example ,,",
        CORS_ALLOWED_ORIGINS="https://a.example",
        TRUSTED_PROXIES=" 10.0.0.0/8,192.0.2.1 , fd00::/8",
    )
    assert settings.allowed_hosts == ["a.example", "b.example"]
    assert settings.cors_allowed_origins == ["https://a.example"]
    assert settings.trusted_proxies == [ip_network(n) for n in ("10.0.0.0/8", "192.0.2.1/32", "fd00::/8")]


def test_a_blank_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    blank = dict.fromkeys([name for name in NAMES if name not in {"SECRET_KEY", "DJANGO_KEY"}], "")
    settings = load(monkeypatch, **blank)
    monkeypatch.undo()
    for name in Settings.model_fields:
        if name != "secret_key":
            assert getattr(settings, name) == Settings.model_fields[name].get_default(), name


def test_names_are_read_in_any_case_and_foreign_ones_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, db_name="lower", FOREIGN="x").db_name == "lower"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("postgresql://u:p@h:5433/d", "postgresql+asyncpg://u:p@h:5433/d"),
        ("postgres://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql+psycopg2://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql+asyncpg://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql:///d?host=/run/postgresql", "postgresql+asyncpg:///d?host=%2Frun%2Fpostgresql"),
        ("postgresql://u:p%40%2F@h/d", "postgresql+asyncpg://u:p%40%2F@h/d"),
        ("postgresql://h/d?sslmode=require", "postgresql+asyncpg://h/d?ssl=require"),
        ("postgresql://h/d?connect_timeout=10&channel_binding=require", "postgresql+asyncpg://h/d"),
        ("postgresql://h/d?sslmode=verify-full&x=1", "postgresql+asyncpg://h/d?ssl=verify-full&x=1"),
    ],
)
def test_a_database_url_of_any_postgresql_driver_is_asyncpgs(
    monkeypatch: pytest.MonkeyPatch, given: str, read: str
) -> None:
    database = load(monkeypatch, DATABASE_URL=given).database
    assert database is not None
    assert database.render_as_string(hide_password=False) == read


def test_the_database_may_be_given_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {
        "DB_NAME": "films",
        "DB_USER": "me",
        "DB_PASSWORD": "p@ss/:w%rd",
        "DB_HOST": "db.example",
        "DB_PORT": "6432",
    }
    database = load(monkeypatch, **parts).database
    assert database is not None
    assert (database.drivername, database.database, database.username) == ("postgresql+asyncpg", "films", "me")
    assert (database.password, database.host, database.port) == ("p@ss/:w%rd", "db.example", 6432)


def test_of_the_parts_only_the_name_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    database = load(monkeypatch, DB_NAME="films", DB_PORT="").database
    assert database is not None
    assert database.render_as_string(hide_password=False) == "postgresql+asyncpg://localhost:5432/films"


def test_a_database_url_goes_before_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    database = load(monkeypatch, DATABASE_URL="postgresql://h/by_url", DB_NAME="by_parts").database
    assert database is not None
    assert database.database == "by_url"


@pytest.mark.parametrize(
    ("variables", "provider"),
    [
        ({}, "catalogue"),
        ({"OMDB_API_KEY": "x"}, "omdb"),
        ({"IMDB_API_KEY": "x"}, "imdb"),
        ({"IMDB_API_KEY": "x", "OMDB_API_KEY": "x"}, "imdb"),
        ({"IMDB_API_KEY": "", "OMDB_API_KEY": "x"}, "omdb"),
        ({"IMDB_API_KEY": "x", "OMDB_API_KEY": "x", "MOVIE_SEARCH_PROVIDER": "omdb"}, "omdb"),
        ({"IMDB_API_KEY": "x", "MOVIE_SEARCH_PROVIDER": "catalogue"}, "catalogue"),
        ({"MOVIE_SEARCH_PROVIDER": ""}, "catalogue"),
    ],
)
def test_the_search_provider_is_the_one_set_or_the_first_with_a_key(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], provider: str
) -> None:
    assert load(monkeypatch, **variables).search_provider == provider


def test_what_the_environment_does_not_say_a_env_file_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = ["# ours", f"SECRET_KEY={'f' * 32}", 'ALLOWED_HOSTS="a.example,b.example"', "DB_NAME=filed", "FOREIGN=x"]
    (tmp_path / ".env").write_text("\n".join(lines))
    settings = load(monkeypatch, DB_NAME="environment")
    assert settings.secret_key.get_secret_value() == KEY
    assert settings.db_name == "environment"
    assert settings.allowed_hosts == ["a.example", "b.example"]
    monkeypatch.delenv("SECRET_KEY")
    monkeypatch.setenv("DB_NAME", "")
    settings = load_settings()
    assert settings.secret_key.get_secret_value() == "f" * 32
    assert settings.db_name == "filed"


def test_a_fault_in_a_env_file_is_told_like_any_other(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=chatty\n")
    with pytest.raises(SystemExit, match="movie-finder: LOG_LEVEL: "):
        load_settings()


def test_no_secret_is_shown_where_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("DB_PASSWORD", "IMDB_API_KEY", "OMDB_API_KEY")
    settings = load(monkeypatch, **dict.fromkeys(secrets, "s3cret"), DATABASE_URL="postgresql://u:s3cret@h/d")
    assert "s3cret" not in repr(settings)
    assert KEY not in repr(settings)
    assert "s3cret" not in repr(settings.database)
