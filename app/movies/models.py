"""The catalogue's tables.

A movie is one row: its names are arrays, so that a page of movies needs no join for them. `genres` and `movie_genres`
repeat the genres as small tables for filters and totals, and `movie_counts` keeps what is counted often apart from
the wide row; triggers hold both true, whatever code path writes.
"""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, MappedColumn, mapped_column

from app.core.database import Base

# Byte order: the same on every PostgreSQL whatever its locale, and what LIKE 'prefix%' can use an index for.
BYTE_ORDERED = Text(collation="C")
Names = Mapped[list[str]]


def _names() -> MappedColumn[list[str]]:
    return mapped_column(ARRAY(Text), server_default=text("'{}'"))


class Movie(Base):
    """A title, of whatever kind."""

    __tablename__ = "movies"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    imdb_id: Mapped[str] = mapped_column(BYTE_ORDERED, unique=True)
    title: Mapped[str] = mapped_column(Text)
    folded_title: Mapped[str] = mapped_column(BYTE_ORDERED, comment="The title for comparison: app.core.text.fold")
    year: Mapped[str | None] = mapped_column(Text, comment='As upstream writes it: "2010", "1997–2007"')  # noqa: RUF001
    first_year: Mapped[int | None] = mapped_column(
        SmallInteger, Computed("substring(year from '[0-9]{4}')::smallint", persisted=True)
    )
    type: Mapped[str | None] = mapped_column(Text)
    released_date: Mapped[date | None]
    runtime: Mapped[str | None] = mapped_column(Text)
    plot: Mapped[str | None] = mapped_column(Text)
    awards: Mapped[str | None] = mapped_column(Text)
    poster: Mapped[str | None] = mapped_column(Text)
    metascore: Mapped[str | None] = mapped_column(Text)
    total_seasons: Mapped[str | None] = mapped_column(Text)
    imdb_rating: Mapped[Decimal | None] = mapped_column(Numeric)
    imdb_votes: Mapped[int | None] = mapped_column(BigInteger)
    ratings: Mapped[list[dict[str, str]]] = mapped_column(JSONB, server_default=text("'[]'"))
    genres: Names = _names()
    languages: Names = _names()
    countries: Names = _names()
    directors: Names = _names()
    writers: Names = _names()
    actors: Names = _names()
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    refreshed_at: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True), comment="When upstream was last asked; null: never, the facts came from elsewhere"
    )

    __table_args__ = (
        CheckConstraint("imdb_rating BETWEEN 0 AND 10", name="imdb_rating_range"),
        # Every offered ordering has an index that ends in id; what may be unknown has one for either direction.
        Index("ix_movies_created_at_id", "created_at", "id"),
        Index("ix_movies_folded_title_id", "folded_title", "id"),
        Index("ix_movies_first_year_asc", "first_year", "id"),
        Index("ix_movies_first_year_desc", text("first_year DESC NULLS LAST"), text("id DESC")),
        Index("ix_movies_imdb_rating_asc", "imdb_rating", "id"),
        Index("ix_movies_imdb_rating_desc", text("imdb_rating DESC NULLS LAST"), text("id DESC")),
        Index("ix_movies_genre_asc", text("(genres[1])"), "id"),
        Index("ix_movies_genre_desc", text("(genres[1]) DESC NULLS LAST"), text("id DESC")),
        Index("ix_movies_refreshed_at", text("refreshed_at NULLS FIRST"), "id"),
    )


class MovieCounts(Base):
    """What is counted of a movie, apart from the wide row: a like rewrites none of its indexes."""

    __tablename__ = "movie_counts"

    movie_id: Mapped[int] = mapped_column(ForeignKey(Movie.id, ondelete="CASCADE"), primary_key=True)
    likes_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    watch_later_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))

    __table_args__ = (Index("ix_movie_counts_likes_count", "likes_count", "movie_id"),)


class Genre(Base):
    """A genre's name, once."""

    __tablename__ = "genres"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(BYTE_ORDERED, unique=True)


class MovieGenre(Base):
    """A movie is of a genre."""

    __tablename__ = "movie_genres"

    genre_id: Mapped[int] = mapped_column(ForeignKey(Genre.id, ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(ForeignKey(Movie.id, ondelete="CASCADE"), primary_key=True, index=True)


class SearchAnswer(Base):
    """What a search provider answered to an expression, kept for a day."""

    __tablename__ = "search_answers"

    provider: Mapped[str] = mapped_column(BYTE_ORDERED, primary_key=True)
    expression: Mapped[str] = mapped_column(BYTE_ORDERED, primary_key=True, comment="Folded, words parted by one space")
    movie_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), comment="In the provider's order")
    stored_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)
