"""The catalogue's tables.

A movie is one row: its names are arrays, so that a page of movies needs no join for them. `genres` and `movie_genres`
repeat the genres as small tables for filters and totals, and `movie_counts` keeps what is counted often apart from
the wide row; triggers hold both true, whatever code path writes. Likes and watch-later entries are here because every
answer with a movie tells its reader of both.
"""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, MappedColumn, mapped_column

from app.auth.models import User
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
    title_keys: Mapped[list[str]] = mapped_column(
        ARRAY(BYTE_ORDERED),
        server_default=text("'{}'"),
        comment="What titles are matched by, the whole title's first: app.movies.title_keys",
    )
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
    # As IMDb ranks its own Top 250 (https://www.imdb.com/chart/top/): a rating counts the more, the more people gave
    # it; until they are many, the mean of all titles (7.0) stands in, as if 25,000 had given it.
    weighted_rating: Mapped[Decimal | None] = mapped_column(
        Numeric,
        Computed("round((imdb_votes * imdb_rating + 175000) / (imdb_votes + 25000), 3)", persisted=True),
    )
    ratings: Mapped[list[dict[str, str]]] = mapped_column(JSONB, server_default=text("'[]'"))
    genres: Names = _names()
    first_genre: Mapped[str | None] = mapped_column(
        BYTE_ORDERED, Computed("genres[1]", persisted=True), comment="A column, so that an index alone can be read"
    )
    languages: Names = _names()
    countries: Names = _names()
    directors: Names = _names()
    writers: Names = _names()
    actors: Names = _names()
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    refreshed_at: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True), comment="When upstream was last asked; null: never, the facts came from elsewhere"
    )

    words: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed(
            "movie_words(title, year, directors, writers, actors, genres, countries, languages, plot)",
            persisted=True,
        ),
        deferred=True,
        comment="For search by meaning: title A; people B; genres, countries, year C; plot, languages D",
    )
    document: Mapped[str] = mapped_column(
        Text,
        Computed(
            "movie_document(id, imdb_id, title, year, released_date, runtime, plot, awards, poster, metascore, ratings,"
            " imdb_rating, imdb_votes, type, total_seasons, languages, countries, writers, genres, actors, directors,"
            " created_at)",
            persisted=True,
        ),
        deferred=True,
        comment="The movie as JSON, but for what is counted of it and what the caller has to do with it",
    )

    __table_args__ = (
        CheckConstraint("imdb_rating BETWEEN 0 AND 10", name="imdb_rating_range"),
        # Every offered ordering has an index that ends in id; what may be unknown has one for either direction.
        Index("ix_movies_created_at_id", "created_at", "id"),
        Index("ix_movies_folded_title_id", "folded_title", "id"),
        Index("ix_movies_title_keys", "title_keys", postgresql_using="gin"),
        Index("ix_movies_year", "year"),
        Index("ix_movies_first_year_title_key", "first_year", text("(title_keys[1])")),
        Index("ix_movies_first_year_asc", "first_year", "id"),
        Index("ix_movies_first_year_desc", text("first_year DESC NULLS LAST"), text("id DESC")),
        Index("ix_movies_imdb_rating_asc", "imdb_rating", "id"),
        Index("ix_movies_imdb_rating_desc", text("imdb_rating DESC NULLS LAST"), text("id DESC")),
        Index("ix_movies_first_genre_asc", "first_genre", "id"),
        Index("ix_movies_first_genre_desc", text("first_genre DESC NULLS LAST"), text("id DESC")),
        Index("ix_movies_weighted_rating", text("weighted_rating DESC NULLS LAST"), text("id DESC")),
        # Films of somebody, for recommendations.
        Index("ix_movies_directors", "directors", postgresql_using="gin"),
        Index("ix_movies_actors", "actors", postgresql_using="gin"),
        Index("ix_movies_words", "words", postgresql_using="gin"),
        Index("ix_movies_imdb_votes", text("imdb_votes DESC NULLS LAST"), text("imdb_rating DESC NULLS LAST"), "id"),
        Index("ix_movies_refreshed_at", text("refreshed_at NULLS FIRST"), "id"),
    )


class MovieTitle(Base):
    """What a movie is found by: its title, or what it is called elsewhere.

    A narrow table, since a search may have to look at some ten thousand of its rows. Triggers hold the movies' own
    titles and votes true.
    """

    __tablename__ = "titles"

    movie_id: Mapped[int] = mapped_column(ForeignKey(Movie.id, ondelete="CASCADE"), primary_key=True)
    folded_title: Mapped[str] = mapped_column(
        BYTE_ORDERED, primary_key=True, comment="The title for comparison: app.core.text.fold"
    )
    is_main: Mapped[bool] = mapped_column(comment="False: the movie is called so elsewhere")
    votes: Mapped[int | None] = mapped_column(BigInteger, comment="The movie's on IMDb")
    words: Mapped[list[str]] = mapped_column(
        ARRAY(BYTE_ORDERED),
        Computed("title_words(folded_title)", persisted=True),
        comment="Each once, and all of them as one word: app.movies.title_words",
    )

    __table_args__ = (Index("ix_titles_words", "words", postgresql_using="gin"),)


# The words of all titles, by which those are found that are nearly what was asked for. A trigger notes those that are
# new; to be fast it looks up what there is, and lets two note the same word at the same time.
VOCABULARY = Table(
    "vocabulary",
    Base.metadata,
    Column("word", BYTE_ORDERED, nullable=False),
    Column("backwards", BYTE_ORDERED, Computed("reverse(word)", persisted=True)),
    Column("length", SmallInteger, Computed("length(word)", persisted=True)),
    Index("ix_vocabulary_word", "length", "word"),
    Index("ix_vocabulary_backwards", "length", "backwards", postgresql_include=["word"]),
)


class MovieCounts(Base):
    """What is counted of a movie, apart from the wide row: a like rewrites none of its indexes."""

    __tablename__ = "movie_counts"

    movie_id: Mapped[int] = mapped_column(ForeignKey(Movie.id, ondelete="CASCADE"), primary_key=True)
    likes_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    watch_later_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))

    __table_args__ = (Index("ix_movie_counts_likes_count", "likes_count", "movie_id"),)


class Like(Base):
    """A user likes a movie."""

    __tablename__ = "likes"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(ForeignKey(Movie.id, ondelete="CASCADE"), primary_key=True, index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class WatchLater(Base):
    """A user wants to watch a movie later."""

    __tablename__ = "watch_later"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    movie_id: Mapped[int] = mapped_column(ForeignKey(Movie.id, ondelete="CASCADE"), index=True)
    added_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (
        UniqueConstraint("user_id", "movie_id"),
        Index("ix_watch_later_user_id_added_at", "user_id", "added_at", "movie_id"),
    )


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


# How many movies there are, of a genre or at all: the sum of all changes is the total. Triggers note the changes, and
# fold them from time to time.
MOVIE_TOTALS = Table(
    "movie_totals",
    Base.metadata,
    Column("genre_id", ForeignKey(Genre.id, ondelete="CASCADE"), comment="Null: of all movies"),
    Column("change", BigInteger, nullable=False),
)
# How many of these have which rating, kept in the same way.
MOVIE_RATING_TOTALS = Table(
    "movie_rating_totals",
    Base.metadata,
    Column("genre_id", Integer, comment="Null: of all movies"),
    Column("imdb_rating", Numeric, nullable=False),
    Column("change", BigInteger, nullable=False),
    Index("ix_movie_rating_totals_genre_id", "genre_id", "imdb_rating"),
)


class SearchAnswer(Base):
    """What a search provider answered to an expression, kept for a day."""

    __tablename__ = "search_answers"

    provider: Mapped[str] = mapped_column(BYTE_ORDERED, primary_key=True)
    expression: Mapped[str] = mapped_column(BYTE_ORDERED, primary_key=True, comment="Folded, words parted by one space")
    movie_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), comment="In the provider's order")
    stored_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)
