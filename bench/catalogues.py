"""Databases of 1,000 to a million movies with people and their lists, made inside PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from alembic import command
from sqlalchemy import URL

from bench.limit import TABLE
from tests.conftest import alembic

BATCH = 100_000
WORDS = """
    the last first dark night day love house man woman river city king queen dream stone fire winter summer road home
    lost secret blue red black white silent broken golden hidden burning distant empty endless fallen forgotten gentle
    hollow iron kind little lonely long midnight moon northern ocean paper quiet rain shadow silver sky storm sun sweet
    thousand wild wind wolf world young bird blood bridge brother child dance daughter death devil doctor dog door
    earth eye father flower forest friend game garden ghost girl glass gold hand heart hero hour island
"""
GENRES = """
    Drama Comedy Documentary Action Romance Thriller Horror Crime Adventure Family Mystery Fantasy Sci-Fi Animation
    Biography Music History War Musical Western Sport Short News Adult Film-Noir Reality-TV Talk-Show Game-Show
"""
# The n-th movie's words and genres are drawn by its number's hash: the same in every run, and skewed as real ones are.
MOVIES = """
INSERT INTO movies (imdb_id, title, folded_title, title_keys, year, type, released_date, runtime, plot, awards, poster,
    metascore, imdb_rating, imdb_votes, ratings, genres, languages, countries, directors, writers, actors, created_at,
    refreshed_at)
SELECT 'tt' || (5000000 + n), initcap(title), title, ARRAY[replace(title, ' ', '')], year::text,
    CASE WHEN n % 12 = 0 THEN 'series' ELSE 'movie' END, make_date(year, (1 + n % 12)::int, (1 + n % 28)::int),
    80 + n % 70 || ' min',
    repeat('Somebody wants something, and ' || title || ' stands in the way. ', (1 + n % 5)::int),
    CASE WHEN n % 4 = 0 THEN n % 9 || ' wins.' END,
    CASE WHEN n % 5 > 0 THEN 'https://posters.example.com/' || n || '.jpg' END, (20 + n % 80)::text,
    CASE WHEN n % 10 > 0 THEN round((3 + 6.5 * power(h3, 0.6))::numeric, 1) END,
    CASE WHEN n % 10 > 0 THEN (5 / (h4 + 0.00001))::bigint END, '[]',
    ($2::text[])[1 + (28 * h1 * h1)::int % 28 : 1 + (28 * h1 * h1)::int % 28 + (n % 3)::int],
    ARRAY['English'], ARRAY['Country ' || n % 90], ARRAY['Director ' || n % 40000],
    ARRAY['Writer ' || n % 70000, 'Writer ' || (n * 7) % 70000],
    ARRAY['Actor ' || n % 90000, 'Actor ' || (n * 3) % 90000, 'Actor ' || (n * 11) % 90000],
    timestamptz '2020-01-01Z' + n * interval '7 seconds', now()
FROM (SELECT n, 1920 + (105 * power(h2, 0.4))::int AS year, h1, h3, h4, concat_ws(' ',
        ($1::text[])[1 + (95 * h1)::int], ($1::text[])[1 + (95 * h2 * h2)::int], ($1::text[])[1 + (95 * h3)::int],
        CASE WHEN n % 3 > 0 THEN ($1::text[])[1 + (95 * h4)::int] END, CASE WHEN n % 4 = 0 THEN n::text END) AS title
    FROM (SELECT n, abs(hashint8(n)) / 2147483648.0 AS h1, abs(hashint8(n + 1000000007)) / 2147483648.0 AS h2,
            abs(hashint8(n * 31)) / 2147483648.0 AS h3, abs(hashint8(n * 101 + 7)) / 2147483648.0 AS h4
        FROM generate_series($3::bigint, $4::bigint) AS n) AS hashed) AS drawn
"""
PEOPLE = """
INSERT INTO users (email, email_verified, account_tier_id)
SELECT 'user' || n || '@example.com', true, (SELECT id FROM account_tiers WHERE is_default)
FROM generate_series(1, $1::int) AS n
"""
LIKES = """
INSERT INTO likes (user_id, movie_id)
SELECT DISTINCT 1 + abs(hashint8(n)) % $2::int,
    1 + (abs(hashint8(n * 17)) % $3::int) * (abs(hashint8(n * 5)) % 1000) / 1000
FROM generate_series(1, $1::int) AS n ON CONFLICT DO NOTHING
"""
QUEUED = """
INSERT INTO watch_later (user_id, movie_id)
SELECT 1, 1 + (n * 37) % $1::int FROM generate_series(1, least(500, $1::int)) AS n ON CONFLICT DO NOTHING
"""
COLLECTIONS = """
INSERT INTO collections (name, folded_name, owner_id, is_public)
SELECT 'Collection ' || n, 'collection ' || n, 1 + n % $2::int, n % 5 > 0 FROM generate_series(1, $1::int) AS n
"""
COLLECTED = """
INSERT INTO collection_movies (collection_id, movie_id, position)
SELECT c, 1 + (abs(hashint8(c)) + p * 13) % $1::int, p
FROM (SELECT id AS c, CASE id WHEN 1 THEN 3 WHEN 2 THEN least(3000, $1::int / 2) ELSE 20 END AS size FROM collections)
    AS sized, generate_series(0, size - 1) AS p ON CONFLICT DO NOTHING
"""
SUBSCRIPTIONS = """
INSERT INTO collection_subscriptions (collection_id, user_id)
SELECT DISTINCT 1 + (abs(hashint8(n)) % $1::int) * (abs(hashint8(n * 3)) % 100) / 100,
    1 + abs(hashint8(n * 7)) % $2::int
FROM generate_series(1, 40000) AS n ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class Size:
    """How much a database has of everything."""

    movies: int

    @property
    def users(self) -> int:
        """10,000, or fewer where there are few movies."""
        return min(10_000, self.movies)

    @property
    def likes(self) -> int:
        """500,000, or fewer where there are few movies."""
        return min(500_000, 20 * self.movies)

    @property
    def collections(self) -> int:
        """5,000, or fewer where there are few movies."""
        return min(5_000, self.movies // 2)


async def fill(url: URL, size: Size) -> None:
    """Migrate the database, and fill it."""
    await asyncio.to_thread(alembic, url, command.upgrade, "head")
    connection = await asyncpg.connect(dsn(url))
    async with without_inverted_indexes(connection):
        for first in range(1, size.movies + 1, BATCH):
            await connection.execute(MOVIES, WORDS.split(), GENRES.split(), first, min(first + BATCH - 1, size.movies))
    await connection.execute(PEOPLE, size.users)
    await connection.execute(LIKES, size.likes, size.users, size.movies)
    await connection.execute(QUEUED, size.movies)
    await connection.execute(COLLECTIONS, size.collections, size.users)
    await connection.execute(COLLECTED, size.movies)
    await connection.execute(SUBSCRIPTIONS, size.collections, size.users)
    await connection.execute(TABLE)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


@asynccontextmanager
async def without_inverted_indexes(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Load without GIN indexes: into one it takes several times as long as to make it of what is loaded."""
    inverted = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE '% USING gin %'"
    )
    for index in inverted:
        await connection.execute(f"DROP INDEX {index['indexname']}")
    yield
    for index in inverted:
        await connection.execute(index["indexdef"])


def dsn(url: URL) -> str:
    """The address as asyncpg takes it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
