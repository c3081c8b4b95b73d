"""The SQL of what is stored of a user, beside the account itself."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import AiUsage
from app.collections.access import Visitor, visible_to
from app.collections.models import Collection, CollectionMovie, CollectionSubscription
from app.movies.models import Like, Movie, WatchLater

Rows = Sequence[Row[Any]]


class AccountDataRepository:
    """Reads what is stored of a user, in the order of its making."""

    def __init__(self, session: AsyncSession, user_id: int) -> None:
        self._session = session
        self._user_id = user_id

    async def likes(self) -> Rows:
        """The movies that the user likes."""
        liked = _movies(Like.created_at.label("liked_at")).join(Like, Like.movie_id == Movie.id)
        return await self._all(liked.where(Like.user_id == self._user_id).order_by(Like.created_at, Movie.id))

    async def watch_later(self) -> Rows:
        """The movies that the user wants to watch."""
        queued = _movies(WatchLater.added_at).join(WatchLater, WatchLater.movie_id == Movie.id)
        mine = queued.where(WatchLater.user_id == self._user_id)
        return await self._all(mine.order_by(WatchLater.added_at, WatchLater.id))

    async def collections(self) -> Rows:
        """The user's collections, each with its movies as objects in their order."""
        movie = func.json_build_object(
            "movie_id", Movie.id, "imdb_id", Movie.imdb_id, "title", Movie.title, "added_at", CollectionMovie.added_at
        )
        in_order = aggregate_order_by(movie, CollectionMovie.position, CollectionMovie.movie_id)
        movies = (
            select(func.coalesce(func.json_agg(in_order), func.json_build_array()))
            .select_from(Movie)
            .join(CollectionMovie, CollectionMovie.movie_id == Movie.id)
            .where(CollectionMovie.collection_id == Collection.id)
            .scalar_subquery()
        )
        mine = select(*Collection.__table__.c, movies.label("movies")).where(Collection.owner_id == self._user_id)
        return await self._all(mine.order_by(Collection.id))

    async def subscriptions(self) -> Rows:
        """The collections that the user follows; of one that was made private since, the name is its owner's own."""
        subscription = CollectionSubscription
        name = case((visible_to(Visitor(self._user_id)), Collection.name))
        followed = select(Collection.id.label("collection_id"), name.label("name"), subscription.created_at).join(
            subscription, subscription.collection_id == Collection.id
        )
        mine = followed.where(subscription.user_id == self._user_id)
        return await self._all(mine.order_by(subscription.created_at, Collection.id))

    async def ai_searches(self) -> Rows:
        """How many AI searches the user made on the last days."""
        used = select(AiUsage.day, AiUsage.used).where(AiUsage.user_id == self._user_id)
        return await self._all(used.order_by(AiUsage.day))

    async def _all(self, statement: Select[*tuple[Any, ...]]) -> Rows:
        rows: Rows = (await self._session.execute(statement)).all()
        return rows


def _movies(moment: ColumnElement[Any] | Any) -> Select[Any]:  # noqa: ANN401 - an attribute of a model is no element
    return select(Movie.id.label("movie_id"), Movie.imdb_id, Movie.title, Movie.year, moment)
