"""The SQL of the demo data that no other room has words for."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import User
from app.collections.models import Collection, CollectionMovie, CollectionSubscription


class DemoRepository:
    """Writes collections and subscriptions; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add_collection(self, owner_id: int, name: str, description: str, movie_ids: Sequence[int]) -> None:
        """A public collection with these movies, in this order."""
        values = {"owner_id": owner_id, "name": name, "description": description, "is_public": True}
        new = insert(Collection).values(**values).returning(Collection.id)
        collection_id = (await self._session.execute(new)).scalar_one()
        movies = [
            {"collection_id": collection_id, "movie_id": movie_id, "position": position}
            for position, movie_id in enumerate(movie_ids, start=1)
        ]
        await self._session.execute(insert(CollectionMovie), movies)

    async def subscribe(self, email: str, names: Sequence[str], owners: Sequence[str]) -> None:
        """Let a user follow the collections of these names that belong to these owners."""
        follower = select(User.id).where(User.email == email).scalar_subquery()
        collections = (
            select(follower, Collection.id)
            .join(User, User.id == Collection.owner_id)
            .where(Collection.name.in_(names), User.email.in_(owners), User.email != email)
        )
        followed = insert(CollectionSubscription).from_select(["user_id", "collection_id"], collections)
        await self._session.execute(followed.on_conflict_do_nothing())
