"""The limit that the service is held against: a bare server, with nothing in it but what an answer cannot do without.

Starlette, one pool of asyncpg, one statement a request; each film's JSON is ready as text in its table, and joined with
the two counters. Run by uvicorn: `bench.limit:app`, with DATABASE_URL and SECRET_KEY.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from jose import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

POOL_SIZE = 8
TABLE = """
CREATE TABLE IF NOT EXISTS limit_movies (
    id bigint PRIMARY KEY, created_at timestamptz NOT NULL, document text NOT NULL
);
INSERT INTO limit_movies SELECT id, created_at, document FROM movies ON CONFLICT DO NOTHING;
CREATE INDEX IF NOT EXISTS limit_movies_created_at ON limit_movies (created_at DESC, id DESC);
"""
_MARKS = """,
    EXISTS (SELECT FROM likes WHERE user_id = $3 AND likes.movie_id = limit_movies.id),
    EXISTS (SELECT FROM watch_later WHERE user_id = $3 AND watch_later.movie_id = limit_movies.id)"""
_PAGE = """
SELECT document, likes_count, watch_later_count{}
FROM (SELECT id, created_at FROM limit_movies ORDER BY created_at DESC, id DESC LIMIT $1 OFFSET $2) AS page
JOIN limit_movies USING (id) JOIN movie_counts ON movie_id = id ORDER BY page.created_at DESC, id DESC"""
PAGE, MINE = _PAGE.format(""), _PAGE.format(_MARKS)
ONE = (
    "SELECT document, likes_count, watch_later_count FROM limit_movies JOIN movie_counts ON movie_id = id WHERE id = $1"
)


def film(row: asyncpg.Record) -> str:
    """A film's JSON."""
    liked, queued = (*row[3:], False, False)[:2]
    marks = f'"is_liked":{str(liked).lower()},"is_watch_later":{str(queued).lower()}'
    return f'{row[0][:-1]},{marks},"likes_count":{row[1]},"watch_later_count":{row[2]}}}'


async def page(request: Request) -> Response:
    """A page, for nobody or for the bearer of a token."""
    asked, pool = request.query_params, request.state.pool
    limit, offset = int(asked.get("limit", "12")), int(asked.get("offset", "0"))
    if header := request.headers.get("authorization"):
        claims = jwt.decode(header.removeprefix("Bearer "), os.environ["SECRET_KEY"], algorithms=["HS256"])
        rows = await pool.fetch(MINE, limit, offset, claims["user_id"])
    else:
        rows = await pool.fetch(PAGE, limit, offset)
    films = ",".join(map(film, rows))
    content = f'{{"count":{request.state.count},"next":null,"previous":null,"results":[{films}]}}'
    return Response(content, media_type="application/json")


async def one(request: Request) -> Response:
    """One film."""
    row = await request.state.pool.fetchrow(ONE, request.path_params["id"])
    return Response(film(row), media_type="application/json")


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[dict[str, object]]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=POOL_SIZE, max_size=POOL_SIZE) as pool:
        yield {"pool": pool, "count": await pool.fetchval("SELECT count(*) FROM limit_movies")}


app = Starlette(routes=[Route("/movies/", page), Route("/movies/{id:int}/", one)], lifespan=lifespan)
