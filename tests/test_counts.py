"""What is kept as a number is what the rows come to, whatever happens at once."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import delete

from app.auth.models import User
from app.core.database import Database
from app.core.database_errors import WriteConflict
from app.movies.models import Movie
from app.movies.repository import MovieRepository
from app.upstream.titles import parse_title
from tests.accounts import claims, signed
from tests.conftest import Start
from tests.movies.conftest import Sql, database, sql, title

__all__ = ["database", "sql"]

OPERATIONS, AT_ONCE = 1000, 16
MOVIES, USERS, COLLECTIONS = 60, 24, 18
KEPT = {
    "likes of a movie": "SELECT movie_id, likes_count FROM movie_counts",
    "queues with a movie": "SELECT movie_id, watch_later_count FROM movie_counts",
    "movies of a collection": "SELECT collection_id, movies_count FROM collection_counts",
    "followers of a collection": "SELECT collection_id, subscribers_count FROM collection_counts",
    "movies of a genre, or at all": "SELECT genre_id, sum(change) FROM movie_totals GROUP BY genre_id"
    " HAVING sum(change) <> 0",
    "movies with a rating": "SELECT genre_id, imdb_rating, sum(change) FROM movie_rating_totals"
    " GROUP BY genre_id, imdb_rating HAVING sum(change) <> 0",
}
ROWS = {
    "likes of a movie": "SELECT m.id, count(user_id) FROM movies m LEFT JOIN likes ON movie_id = m.id GROUP BY m.id",
    "queues with a movie": "SELECT m.id, count(w.id) FROM movies m LEFT JOIN watch_later w ON movie_id = m.id"
    " GROUP BY m.id",
    "movies of a collection": "SELECT c.id, count(movie_id) FROM collections c"
    " LEFT JOIN collection_movies ON collection_id = c.id GROUP BY c.id",
    "followers of a collection": "SELECT c.id, count(user_id) FROM collections c"
    " LEFT JOIN collection_subscriptions ON collection_id = c.id GROUP BY c.id",
    "movies of a genre, or at all": "SELECT NULL, count(*) FROM movies"
    " UNION ALL SELECT genre_id, count(*) FROM movie_genres GROUP BY genre_id",
    "movies with a rating": "SELECT NULL, imdb_rating, count(*) FROM movies WHERE imdb_rating IS NOT NULL"
    " GROUP BY imdb_rating UNION ALL SELECT genre_id, imdb_rating, count(*) FROM movies"
    " JOIN movie_genres ON movie_id = id WHERE imdb_rating IS NOT NULL GROUP BY genre_id, imdb_rating",
}


class Crowd:
    """People who like, queue, collect and follow at random, while movies and people are deleted."""

    def __init__(self, client: httpx.AsyncClient, database: Database, seed: int) -> None:
        self.client = client
        self.database = database
        self.random = random.Random(seed)
        self.movies: list[int] = []
        self.users: list[int] = []
        self.collections: list[int] = []
        self.statuses: Counter[int] = Counter()

    async def ask(self, method: str, path: str, user_id: int, **options: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {signed(claims(user_id))}"}
        return await self.client.request(method, path, headers=headers, **options)  # type: ignore[arg-type]

    async def delete(self, table: type[Movie | User], row_id: int) -> None:
        with suppress(WriteConflict):
            await self.database.write(lambda session: session.execute(delete(table).where(table.id == row_id)))

    async def store(self) -> None:
        """A title becomes known, again or for the first time, with genres of any kind."""
        genres = self.random.sample(["Drama", "Comedy", "Crime", "War", "Western", "Noir"], self.random.randint(1, 4))
        number = self.random.randint(0, 2 * MOVIES)
        rating = self.random.choice(["N/A", "6.5", "7.0", "7.1"])
        facts = parse_title(title(f"tt{7_000_000 + number}", Genre=", ".join(genres), imdbRating=rating))
        with suppress(WriteConflict):
            async with self.database.transaction() as session:
                await MovieRepository(session).upsert([facts], refreshed_at=datetime.now(UTC))

    def some_movies(self) -> list[int]:
        return self.random.sample(self.movies, self.random.randint(0, 20))

    async def anything(self) -> None:
        """One operation, whatever its answer; a fault of the service is none."""
        pick = self.random.choice
        user, movie, collection = pick(self.users), pick(self.movies), pick(self.collections)
        path = f"/collections/{collection}/"
        operations: Sequence[tuple[int, Callable[[], Awaitable[object]]]] = [
            (20, lambda: self.ask("POST", f"/movies/{movie}/like/", user)),
            (10, lambda: self.ask("POST", f"/movies/{movie}/unlike/", user)),
            (15, lambda: self.ask("POST", "/watch_later/create/", user, json={"movie": movie})),
            (8, lambda: self.ask("DELETE", f"/watch_later/{movie}/destroy/", user)),
            (12, lambda: self.ask("POST", f"{path}subscribe/", user)),
            (6, lambda: self.ask("DELETE", f"{path}subscribe/", user)),
            (12, lambda: self.ask("PATCH", path, 1, json={"movie_ids": self.some_movies()})),
            (4, lambda: self.ask("POST", f"{path}clone/", user)),
            (4, lambda: self.ask("POST", "/collections/", user, json={"name": "x", "movie_ids": self.some_movies()})),
            (2, lambda: self.ask("DELETE", path, 1)),
            (3, lambda: self.delete(Movie, movie)),
            (12, self.store),
            (1, lambda: self.delete(User, pick(self.users[1:]))),
        ]
        weights, calls = zip(*operations, strict=True)
        answer = await self.random.choices(calls, weights)[0]()
        if isinstance(answer, httpx.Response):
            self.statuses[answer.status_code] += 1


async def crowd_at(client: httpx.AsyncClient, database: Database, sql: Sql) -> Crowd:
    """Movies, people (the first of them staff), and public collections."""
    crowd = Crowd(client, database, seed=20261125)
    titles = [parse_title(title(f"tt{7_000_000 + number}")) for number in range(MOVIES)]
    async with database.transaction() as session:
        await MovieRepository(session).upsert(titles, refreshed_at=None)
    users = "INSERT INTO users (email, account_tier_id, is_staff) SELECT n || '@example.com', id, n = 1"
    await sql(f"{users} FROM account_tiers, generate_series(1, {USERS}) AS n WHERE is_default ORDER BY n")
    crowd.movies = [row.id for row in await sql("SELECT id FROM movies")]
    crowd.users = [row.id for row in await sql("SELECT id FROM users ORDER BY id")]
    assert crowd.users[0] == 1
    for owner in crowd.random.choices(crowd.users, k=COLLECTIONS):
        body = {"name": "Heists", "is_public": True, "movie_ids": crowd.some_movies()}
        crowd.collections.append((await crowd.ask("POST", "/collections/", owner, json=body)).json()["id"])
    return crowd


def numbers(rows: Sequence[Sequence[Any]]) -> dict[tuple[Any, ...], int]:
    """The last of each row by the others."""
    return {tuple(row[:-1]): row[-1] for row in rows}


async def test_every_kept_number_is_right_after_a_thousand_random_operations(
    start: Start, database: Database, sql: Sql
) -> None:
    async with start() as client:
        crowd = await crowd_at(client, database, sql)

        async def keep_busy() -> None:
            for _ in range(OPERATIONS // AT_ONCE):
                await crowd.anything()

        await asyncio.gather(*(keep_busy() for _ in range(AT_ONCE)))
    for what, kept in KEPT.items():
        expected = numbers(await sql(ROWS[what]))
        assert numbers(await sql(kept)) == expected, what
        assert sum(expected.values()) > 5, what
    assert crowd.statuses.total() > OPERATIONS // 2
    # A 503 is one that stood in another's way twice.
    assert set(crowd.statuses) <= {200, 201, 204, 401, 403, 404, 422, 503}, crowd.statuses
    assert crowd.statuses[503] < OPERATIONS // 100, crowd.statuses


async def test_folding_changes_leaves_the_numbers_of_ratings_as_they_were(database: Database, sql: Sql) -> None:
    for number in range(30):
        facts = parse_title(title(f"tt{7_000_000 + number}", Genre="Drama, War", imdbRating=f"6.{number % 3}"))
        async with database.transaction() as session:
            await MovieRepository(session).upsert([facts], refreshed_at=None)
    await sql("DELETE FROM movies WHERE imdb_rating = 6.2")
    what = "movies with a rating"
    before = numbers(await sql(KEPT[what]))
    assert before == numbers(await sql(ROWS[what]))
    await sql("SELECT movie_rating_totals_fold(1000000)")
    assert numbers(await sql("SELECT genre_id, imdb_rating, change FROM movie_rating_totals")) == before
    await sql("TRUNCATE movies CASCADE")
    assert await sql("SELECT 1 FROM movie_rating_totals") == []
