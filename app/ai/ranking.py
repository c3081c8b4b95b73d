"""Movies ranked by the database alone: by what a user's films have in common, else by what everybody likes.

A person whose films a user likes says more than a genre does, which half of all films are of. So each name that a film
shares with the user's counts by how often it is among them, and by how rare it is among the films to choose from: the
measure of text search, with names in the place of words (tf-idf; the rarity weighs on both sides, and so is squared).
"""

from sqlalchemy import Select, exists, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.movies.models import Like, Movie, MovieCounts, WatchLater

# Nobody is sent to an episode of something, or to a game.
KINDS = ("movie", "series")
# Each bound keeps the work the same however many films a user likes, and however many are stored.
BOUNDS = {
    "recent": 500,  # likes, and as many queued films, that tell the taste
    "people": 20,  # directors, and as many actors, whose films are looked at
    "of_people": 500,  # films of directors, and as many of actors
    "genres": 5,
    "of_genre": 100,  # the newest of a genre, so that a rare one is looked at whole
    "rated": 1_000,  # the best rated of all
}
# Of films that equally many like, more may come first by their rating than are asked for.
MOST_TIED = 100

# The parts of the statement are ours; whatever comes from elsewhere is bound.
_NAMES = """(
    SELECT 'genre' AS kind, unnest(movies.genres) AS name
    UNION ALL SELECT 'director', unnest(movies.directors)
    UNION ALL SELECT 'actor', unnest(movies.actors)
) AS named"""
_UNMARKED = """NOT EXISTS (SELECT FROM likes WHERE likes.user_id = :user_id AND likes.movie_id = {id})
    AND NOT EXISTS (SELECT FROM watch_later WHERE watch_later.user_id = :user_id AND watch_later.movie_id = {id})"""
_UNMARKED_MOVIE = _UNMARKED.format(id="movies.id")
_FAVOURITES = "SELECT name FROM taste WHERE kind = '{kind}' ORDER BY weight DESC, name LIMIT :{number}"
_FILMS_OF = f"""(
    SELECT id FROM movies
    WHERE {{column}} && ARRAY ({_FAVOURITES.format(kind="{kind}", number="people")}) AND {_UNMARKED_MOVIE}
    LIMIT :of_people
)"""  # noqa: S608 - of constants  # nosec
_BY_TASTE = text(f"""
WITH marked AS (
    (SELECT movie_id, 1.0::float8 AS weight FROM likes WHERE user_id = :user_id
     ORDER BY created_at DESC, movie_id DESC LIMIT :recent)
    UNION ALL
    (SELECT movie_id, 0.5::float8 FROM watch_later WHERE user_id = :user_id
     ORDER BY added_at DESC, movie_id DESC LIMIT :recent)
), taste AS MATERIALIZED (
    SELECT kind, name, ln(1 + sum(weight)) AS weight
    FROM (SELECT movie_id, max(weight) AS weight FROM marked GROUP BY movie_id) AS known
    JOIN movies ON movies.id = known.movie_id CROSS JOIN LATERAL {_NAMES}
    GROUP BY kind, name
), candidates AS MATERIALIZED (
    (SELECT id FROM movies WHERE {_UNMARKED_MOVIE} ORDER BY weighted_rating DESC NULLS LAST, id DESC LIMIT :rated)
    UNION {_FILMS_OF.format(column="directors", kind="director")}
    UNION {_FILMS_OF.format(column="actors", kind="actor")}
    UNION (
        SELECT newest.movie_id FROM genres CROSS JOIN LATERAL (
            SELECT movie_id FROM movie_genres
            WHERE genre_id = genres.id AND {_UNMARKED.format(id="movie_genres.movie_id")}
            ORDER BY movie_id DESC LIMIT :of_genre
        ) AS newest
        WHERE genres.name IN ({_FAVOURITES.format(kind="genre", number="genres")})
    )
), shared AS MATERIALIZED (
    SELECT movies.id, movies.weighted_rating, kind, name, taste.weight
    FROM candidates JOIN movies USING (id) CROSS JOIN LATERAL {_NAMES} JOIN taste USING (kind, name)
    WHERE movies.type IS NULL OR movies.type = ANY (:kinds)
), rarity AS (
    SELECT kind, name, ln(1 + (SELECT count(*) FROM candidates)::float8 / count(*)) ^ 2 AS weight
    FROM shared GROUP BY kind, name
)
SELECT shared.id FROM shared JOIN rarity USING (kind, name)
GROUP BY shared.id, shared.weighted_rating
ORDER BY sum(shared.weight * rarity.weight) DESC, shared.weighted_rating DESC NULLS LAST, shared.id DESC
LIMIT :limit
""")  # noqa: S608 - of constants  # nosec


class Ranking:
    """Ranks stored movies; only reads."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def for_user(self, user_id: int, limit: int) -> list[int]:
        """The ids of what a user may like, best first: by shared names, then by what everybody likes.

        Nothing that the user likes or has queued is among them.
        """
        shared = await self._by_taste(user_id, limit)
        if len(shared) == limit:
            return shared
        return list(dict.fromkeys([*shared, *await self.popular(limit, user_id)]))[:limit]

    async def popular(self, limit: int, user_id: int | None = None) -> list[int]:
        """The ids of the most liked movies, then of the best rated; none that a user (an id) likes or has queued."""
        most = _eligible(user_id).join(MovieCounts, MovieCounts.movie_id == Movie.id).where(MovieCounts.likes_count > 0)
        most = most.order_by(MovieCounts.likes_count.desc(), MovieCounts.movie_id.desc()).limit(limit + MOST_TIED)
        by_likes = most.add_columns(MovieCounts.likes_count, Movie.weighted_rating).subquery()
        rating = (by_likes.c.weighted_rating.desc().nulls_last(), by_likes.c.id.desc())
        liked = await self._ids(select(by_likes.c.id).order_by(by_likes.c.likes_count.desc(), *rating).limit(limit))
        if len(liked) == limit:
            return liked
        rated = await self._ids(_eligible(user_id).order_by(*_BEST_RATED).limit(limit))
        return list(dict.fromkeys([*liked, *rated]))[:limit]

    async def _by_taste(self, user_id: int, limit: int) -> list[int]:
        values = {**BOUNDS, "kinds": list(KINDS), "user_id": user_id, "limit": limit}
        return list((await self._session.execute(_BY_TASTE, values)).scalars())

    async def _ids(self, chosen: Select[int]) -> list[int]:
        return list((await self._session.execute(chosen)).scalars())


_BEST_RATED = (Movie.weighted_rating.desc().nulls_last(), Movie.id.desc())


def _eligible(user_id: int | None) -> Select[int]:
    chosen = select(Movie.id).where(or_(Movie.type.is_(None), Movie.type.in_(KINDS)))
    if user_id is None:
        return chosen
    marks = (exists().where(table.user_id == user_id, table.movie_id == Movie.id) for table in (Like, WatchLater))
    return chosen.where(*(~mark for mark in marks))
