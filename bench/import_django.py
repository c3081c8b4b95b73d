"""How long `movie-finder import-django` takes, and how much memory: `make bench-import-django`.

Makes a database of the Django service with 100,000 movies (three genres, directors, writers, actors and ratings each),
10,000 users, 300,000 likes, 100,000 watch-later entries and 5,000 collections of 20, and moves it over into an empty
one, twice; both on a PostgreSQL of its own, which waits for its disk as a real one does.
"""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
from sqlalchemy import make_url

from app.core.embedded_postgres import embedded_postgres
from tests.doubles.django import SCHEMA

MOVIES, USERS, PEOPLE = 100_000, 10_000, 50_000
LIKES, QUEUED, COLLECTIONS, COLLECTED, SUBSCRIPTIONS = 300_000, 100_000, 5_000, 20, 20_000
AGO = "timestamptz '2024-01-01' + n * interval '1 minute'"
PLOT = (
    "'Somebody wants something, and number ' || n || ' stands in the way. ' || repeat('What happens then is told. ', 8)"
)
ROWS = f"""
INSERT INTO auth_app_accounttier VALUES (1, 'free', 'Free', 3, true), (2, 'premium', 'Premium', 30, false);
INSERT INTO auth_app_user SELECT n, 'pbkdf2_sha256$870000$salt$' || md5(n::text), {AGO}, false,
    'user' || n || '@example.com', true, false, {AGO}, {AGO}, 0, NULL, 1 + n % 2 FROM generate_series(1, {USERS}) n;
INSERT INTO account_emailaddress SELECT n, 'user' || n || '@example.com', n % 2 = 0, true, n
    FROM generate_series(1, {USERS}) n;
INSERT INTO socialaccount_socialaccount SELECT n, 'google', 'subject' || n, {AGO}, {AGO}, '{{}}', n
    FROM generate_series(1, {USERS}, 3) n;
INSERT INTO movie_movie SELECT n, initcap(md5(n::text)) || ' of the ' || n, 'tt' || lpad(n::text, 7, '0'),
    (1920 + n % 105)::text, 'movie', 'https://posters.example.com/' || n || '.jpg', {AGO}, {AGO}, {PLOT}, '1 win.',
    (1 + n % 90 / 10.0)::numeric(3, 1)::text, to_char(1000 + n, 'FM999,999'), (n % 100)::text,
    date '1950-01-01' + n % 25000, 90 + n % 60 || ' min', '' FROM generate_series(1, {MOVIES}) n;
INSERT INTO movie_genre SELECT n, 'Genre ' || n, now() FROM generate_series(1, 25) n;
INSERT INTO movie_country SELECT n, 'Country ' || n FROM generate_series(1, 100) n;
INSERT INTO movie_language SELECT n, 'Language ' || n FROM generate_series(1, 100) n;
INSERT INTO movie_actor SELECT n, 'Actor Number ' || n, now() FROM generate_series(1, {PEOPLE}) n;
INSERT INTO movie_director SELECT n, 'Director Number ' || n, now() FROM generate_series(1, {PEOPLE}) n;
INSERT INTO movie_writer SELECT n, 'Writer Number ' || n FROM generate_series(1, {PEOPLE}) n;
INSERT INTO movie_movie_genres SELECT n, 1 + n / 3, 1 + n * 7 % 25 FROM generate_series(0, {3 * MOVIES - 1}) n;
INSERT INTO movie_movie_countries SELECT n, n, 1 + n % 100 FROM generate_series(1, {MOVIES}) n;
INSERT INTO movie_movie_languages SELECT n, n, 1 + n % 100 FROM generate_series(1, {MOVIES}) n;
INSERT INTO movie_movie_actors SELECT n, 1 + n / 3, 1 + n * 7 % {PEOPLE} FROM generate_series(0, {3 * MOVIES - 1}) n;
INSERT INTO movie_movie_directors SELECT n, 1 + n / 3, 1 + n * 3 % {PEOPLE} FROM generate_series(0, {3 * MOVIES - 1}) n;
INSERT INTO movie_movie_writers SELECT n, 1 + n / 3, 1 + n * 9 % {PEOPLE} FROM generate_series(0, {3 * MOVIES - 1}) n;
INSERT INTO movie_rating SELECT n, 'Source ' || n % 3, n % 10 || '/10', now(), 1 + n / 3
    FROM generate_series(0, {3 * MOVIES - 1}) n;
INSERT INTO movie_likemovie SELECT n, {AGO}, {AGO}, 1 + n % {USERS}, 1 + (n * 31 + n / {USERS} * 7919) % {MOVIES}
    FROM generate_series(0, {LIKES - 1}) n;
INSERT INTO movie_watchlatermovie SELECT n, {AGO}, {AGO}, 1 + n * 17 % {MOVIES}, 1 + n % {USERS}
    FROM generate_series(0, {QUEUED - 1}) n;
INSERT INTO collection_collection SELECT n, 'Collection ' || n, 'What is in it.', n % 2 = 0, {AGO}, {AGO},
    1 + n % {USERS}, '' FROM generate_series(1, {COLLECTIONS}) n;
INSERT INTO collection_collectionmovie SELECT n, n % {COLLECTED}, {AGO}, 1 + n / {COLLECTED}, 1 + n * 7 % {MOVIES}
    FROM generate_series(0, {COLLECTIONS * COLLECTED - 1}) n;
INSERT INTO collection_collectionsubscription
    SELECT n, {AGO}, 1 + n % {COLLECTIONS}, 1 + (n * 7 + n / {USERS}) % {USERS}
    FROM generate_series(0, {SUBSCRIPTIONS - 1}) n;
ANALYZE;
"""


def main() -> None:
    """Measure, and print the figures."""
    with TemporaryDirectory(prefix="movie-finder-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with embedded_postgres(folder) as url:
            source = asyncio.run(_fill(url))
            environment = {**os.environ, "DATABASE_URL": url, "SECRET_KEY": "x" * 48, "DJANGO_DATABASE_URL": source}
            _run("migrate", environment)
            _run("import-django", environment)
            _run("import-django", environment)


async def _fill(url: str) -> str:
    """Make the Django service's database on the same server, and give its address."""
    server = make_url(url).set(drivername="postgresql")
    connection = await asyncpg.connect(server.render_as_string(hide_password=False))
    await connection.execute("CREATE DATABASE django")
    await connection.close()
    source = server.set(database="django").render_as_string(hide_password=False)
    connection = await asyncpg.connect(source)
    await connection.execute(SCHEMA + ROWS)
    await connection.close()
    return source


def _run(command: str, environment: dict[str, str]) -> None:
    """Run a command of `movie-finder`; its time, and the most memory that it ever had."""
    before = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "app.cli", command], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds, megabytes = time.monotonic() - before, usage.ru_maxrss / 1024
    sys.stdout.write(f"== {command}: {seconds:.1f} s, {megabytes:.0f} MB, status {process.returncode}\n\n")


if __name__ == "__main__":
    main()
