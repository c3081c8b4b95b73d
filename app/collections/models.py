"""The tables of collections.

`collection_counts` keeps what is counted of a collection; triggers hold it true, whatever code path writes.
"""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, Integer, Text, false, func, text
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from app.auth.models import User
from app.core.database import Base
from app.core.text import fold
from app.movies.models import BYTE_ORDERED, Movie


def _folded_name(context: DefaultExecutionContext) -> str:
    return fold(context.get_current_parameters()["name"])  # type: ignore[no-untyped-call]


class Collection(Base):
    """A group of movies that somebody put together."""

    __tablename__ = "collections"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(Text)
    folded_name: Mapped[str] = mapped_column(
        BYTE_ORDERED, default=_folded_name, comment="The name for comparison: app.core.text.fold"
    )
    description: Mapped[str | None] = mapped_column(Text)
    design: Mapped[str | None] = mapped_column(Text)
    is_public: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (Index("ix_collections_created_at_id", "created_at", "id"),)


class CollectionCounts(Base):
    """What is counted of a collection, apart from its row: a subscription does not rewrite it."""

    __tablename__ = "collection_counts"

    collection_id: Mapped[int] = mapped_column(ForeignKey(Collection.id, ondelete="CASCADE"), primary_key=True)
    movies_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    subscribers_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))

    __table_args__ = (Index("ix_collection_counts_subscribers_count", "subscribers_count", "collection_id"),)


class CollectionMovie(Base):
    """A movie is in a collection."""

    __tablename__ = "collection_movies"

    collection_id: Mapped[int] = mapped_column(ForeignKey(Collection.id, ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(ForeignKey(Movie.id, ondelete="CASCADE"), primary_key=True, index=True)
    position: Mapped[int] = mapped_column(Integer, comment="Within the collection; ties break by the movie")
    added_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (Index("ix_collection_movies_position", "collection_id", "position", "movie_id"),)


class CollectionSubscription(Base):
    """A user follows a collection."""

    __tablename__ = "collection_subscriptions"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey(Collection.id, ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)

    __table_args__ = (Index("ix_collection_subscriptions_collection_id", "collection_id", "created_at"),)
