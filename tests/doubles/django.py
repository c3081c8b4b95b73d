"""A database as the Django service leaves it: all its tables, and rows put into them.

Without the service's constraints, so that a test can put in what they would refuse: a database that has been repaired
by hand has such rows.
"""

import itertools
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import URL

SCHEMA = """
CREATE TABLE account_emailaddress (
    id int4 PRIMARY KEY, email varchar NOT NULL, verified bool NOT NULL, "primary" bool NOT NULL, user_id int8 NOT NULL
);
CREATE TABLE auth_app_accounttier (
    id int8 PRIMARY KEY, code varchar NOT NULL, name varchar NOT NULL, daily_ai_search_limit int4 NOT NULL,
    is_default bool NOT NULL
);
CREATE TABLE auth_app_user (
    id int8 PRIMARY KEY, password varchar NOT NULL, last_login timestamptz, is_superuser bool NOT NULL,
    email varchar NOT NULL, is_active bool NOT NULL, is_staff bool NOT NULL, created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL, ai_search_count int4 NOT NULL, ai_search_count_reset_at date,
    account_tier_id int8 NOT NULL
);
CREATE TABLE auth_app_user_groups (id int8 PRIMARY KEY, user_id int8 NOT NULL, group_id int4 NOT NULL);
CREATE TABLE auth_app_user_user_permissions (
    id int8 PRIMARY KEY, user_id int8 NOT NULL, permission_id int4 NOT NULL
);
CREATE TABLE collection_collection (
    id int8 PRIMARY KEY, name varchar NOT NULL, description text NOT NULL, is_public bool NOT NULL,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, owner_id int8 NOT NULL, design varchar NOT NULL
);
CREATE TABLE collection_collectionmovie (
    id int8 PRIMARY KEY, position int4 NOT NULL, added_at timestamptz NOT NULL, collection_id int8 NOT NULL,
    movie_id int8 NOT NULL
);
CREATE TABLE collection_collectionsubscription (
    id int8 PRIMARY KEY, created_at timestamptz NOT NULL, collection_id int8 NOT NULL, user_id int8 NOT NULL
);
CREATE TABLE movie_actor (id int8 PRIMARY KEY, full_name varchar NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE movie_country (id int8 PRIMARY KEY, name varchar NOT NULL);
CREATE TABLE movie_director (id int8 PRIMARY KEY, full_name varchar NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE movie_genre (id int8 PRIMARY KEY, name varchar NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE movie_language (id int8 PRIMARY KEY, name varchar NOT NULL);
CREATE TABLE movie_likemovie (
    id int8 PRIMARY KEY, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, user_id int8 NOT NULL,
    movie_id int8 NOT NULL
);
CREATE TABLE movie_movie (
    id int8 PRIMARY KEY, title varchar NOT NULL, imdb_id varchar NOT NULL, year varchar NOT NULL, type varchar NOT NULL,
    poster varchar NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, plot text NOT NULL,
    awards text NOT NULL, imdb_rating varchar NOT NULL, imdb_votes varchar NOT NULL, metascore varchar NOT NULL,
    released_date date, runtime varchar NOT NULL, total_seasons varchar NOT NULL
);
CREATE TABLE movie_movie_actors (id int8 PRIMARY KEY, movie_id int8 NOT NULL, actor_id int8 NOT NULL);
CREATE TABLE movie_movie_countries (id int8 PRIMARY KEY, movie_id int8 NOT NULL, country_id int8 NOT NULL);
CREATE TABLE movie_movie_directors (id int8 PRIMARY KEY, movie_id int8 NOT NULL, director_id int8 NOT NULL);
CREATE TABLE movie_movie_genres (id int8 PRIMARY KEY, movie_id int8 NOT NULL, genre_id int8 NOT NULL);
CREATE TABLE movie_movie_languages (id int8 PRIMARY KEY, movie_id int8 NOT NULL, language_id int8 NOT NULL);
CREATE TABLE movie_movie_writers (id int8 PRIMARY KEY, movie_id int8 NOT NULL, writer_id int8 NOT NULL);
CREATE TABLE movie_rating (
    id int8 PRIMARY KEY, source varchar NOT NULL, value varchar NOT NULL, created_at timestamptz NOT NULL,
    movie_id int8 NOT NULL
);
CREATE TABLE movie_recommendedmovie (
    id int8 PRIMARY KEY, recommendation_date date NOT NULL, created_at timestamptz NOT NULL, movie_id int8 NOT NULL,
    user_id int8 NOT NULL, deactivated_at timestamptz, is_active bool NOT NULL
);
CREATE TABLE movie_topmovie (
    id int8 PRIMARY KEY, generated_at timestamptz NOT NULL, position int4 NOT NULL, created_at timestamptz NOT NULL,
    movie_id int8 NOT NULL
);
CREATE TABLE movie_watchlatermovie (
    id int8 PRIMARY KEY, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, movie_id int8 NOT NULL,
    user_id int8 NOT NULL
);
CREATE TABLE movie_writer (id int8 PRIMARY KEY, full_name varchar NOT NULL);
CREATE TABLE socialaccount_socialaccount (
    id int4 PRIMARY KEY, provider varchar NOT NULL, uid varchar NOT NULL, last_login timestamptz NOT NULL,
    date_joined timestamptz NOT NULL, extra_data jsonb NOT NULL, user_id int8 NOT NULL
);
"""

_NOW = "2024-05-06T07:08:09.123456+00:00"
_OWN: dict[str, object] = {"created_at": _NOW, "updated_at": _NOW}
_PERSON: dict[str, object] = {"created_at": _NOW}
# What a row has where a test does not say otherwise.
DEFAULTS: dict[str, dict[str, object]] = {
    "account_emailaddress": {"verified": False, "primary": True},
    "auth_app_accounttier": {"is_default": False},
    "auth_app_user": {
        **_OWN,
        "password": "!",
        "last_login": None,
        "is_superuser": False,
        "is_active": True,
        "is_staff": False,
        "ai_search_count": 0,
        "account_tier_id": 1,
    },
    "collection_collection": {**_OWN, "description": "", "is_public": True, "design": ""},
    "collection_collectionmovie": {"added_at": _NOW},
    "collection_collectionsubscription": {"created_at": _NOW},
    "movie_actor": _PERSON,
    "movie_director": _PERSON,
    "movie_genre": _PERSON,
    "movie_likemovie": _OWN,
    "movie_movie": {
        **_OWN,
        **dict.fromkeys(("year", "type", "poster", "plot", "awards", "imdb_rating", "imdb_votes", "metascore"), ""),
        **dict.fromkeys(("runtime", "total_seasons"), ""),
        "title": "A Film",
    },
    "movie_rating": {"created_at": _NOW},
    "movie_watchlatermovie": _OWN,
    "socialaccount_socialaccount": {
        "provider": "google",
        "last_login": _NOW,
        "date_joined": _NOW,
        "extra_data": "{}",
    },
}


class DjangoDatabase:
    """A database of the Django service, and the rows that a test puts into it."""

    def __init__(self, connection: asyncpg.Connection, url: URL) -> None:
        self.connection = connection
        self._numbers = itertools.count(1)
        self.dsn = url.set(drivername="postgresql", password=url.password or "a-secret").render_as_string(
            hide_password=False
        )

    async def add(self, table: str, **values: object) -> None:
        """A row with these values; times are RFC 3339."""
        row = {**DEFAULTS.get(table, {}), **values}
        columns = ", ".join(f'"{name}"' for name in row)
        given = json.dumps(row)
        await self.connection.execute(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{table}, $1)", given
        )

    async def name(self, movie_id: int, plural: str, singular: str, *names: str) -> None:
        """Names of a movie, in this order; the later a name is added here, the smaller its own id."""
        column = "full_name" if singular in {"actor", "director", "writer"} else "name"
        for text in names:
            number = next(self._numbers)
            await self.add(f"movie_{singular}", id=1_000_000 - number, **{column: text})
            link = {f"{singular}_id": 1_000_000 - number, "movie_id": movie_id}
            await self.add(f"movie_movie_{plural}", id=number, **link)

    async def contents(self) -> dict[str, list[asyncpg.Record]]:
        """Every row of every table."""
        tables = re.findall(r"CREATE TABLE (\w+)", SCHEMA)
        return {table: await self.connection.fetch(f"SELECT * FROM {table} ORDER BY id") for table in tables}


@asynccontextmanager
async def django_database(url: URL) -> AsyncIterator[DjangoDatabase]:
    """Make the Django service's tables in the empty database at `url`."""
    connection = await asyncpg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
    await connection.execute(SCHEMA)
    yield DjangoDatabase(connection, url)
    await connection.close()
