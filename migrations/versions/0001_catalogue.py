"""The catalogue: movies, their genres and counts, and stored search answers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BYTE_ORDERED = sa.Text(collation="C")

# Statement-level, so that a bulk load fires them once; they see the rows of their statement as `changed`.
ADD_COUNTS = """
CREATE FUNCTION movies_add_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO movie_counts (movie_id) SELECT id FROM changed;
    RETURN NULL;
END $$
"""

# Names are inserted in order, so that two statements which bring the same new genres cannot deadlock.
SYNC_GENRES = """
CREATE FUNCTION movies_sync_genres() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO genres (name)
    SELECT DISTINCT given.name COLLATE "C" AS name
    FROM changed CROSS JOIN unnest(changed.genres) AS given (name)
    WHERE NOT EXISTS (SELECT FROM genres WHERE genres.name = given.name)
    ORDER BY name
    ON CONFLICT (name) DO NOTHING;

    DELETE FROM movie_genres
    USING changed, genres
    WHERE movie_genres.movie_id = changed.id AND genres.id = movie_genres.genre_id
        AND genres.name <> ALL (changed.genres);

    INSERT INTO movie_genres (genre_id, movie_id)
    SELECT genres.id, changed.id
    FROM changed JOIN genres ON genres.name = ANY (changed.genres)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$
"""

TRIGGERS = """
CREATE TRIGGER movies_add_counts AFTER INSERT ON movies REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION movies_add_counts();
CREATE TRIGGER movies_sync_genres_inserted AFTER INSERT ON movies REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION movies_sync_genres();
CREATE TRIGGER movies_sync_genres_updated AFTER UPDATE ON movies REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION movies_sync_genres();
"""


def names(column: str) -> sa.Column[list[str]]:
    """A column of names, in upstream's order."""
    return sa.Column(column, postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False)


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "movies",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("imdb_id", BYTE_ORDERED, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("folded_title", BYTE_ORDERED, nullable=False, comment="The title for comparison: app.core.text.fold"),
        sa.Column("year", sa.Text(), comment='As upstream writes it: "2010", "1997–2007"'),  # noqa: RUF001
        sa.Column(
            "first_year", sa.SmallInteger(), sa.Computed("substring(year from '[0-9]{4}')::smallint", persisted=True)
        ),
        sa.Column("type", sa.Text()),
        sa.Column("released_date", sa.Date()),
        sa.Column("runtime", sa.Text()),
        sa.Column("plot", sa.Text()),
        sa.Column("awards", sa.Text()),
        sa.Column("poster", sa.Text()),
        sa.Column("metascore", sa.Text()),
        sa.Column("total_seasons", sa.Text()),
        sa.Column("imdb_rating", sa.Numeric()),
        sa.Column("imdb_votes", sa.BigInteger()),
        sa.Column("ratings", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        names("genres"),
        names("languages"),
        names("countries"),
        names("directors"),
        names("writers"),
        names("actors"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column(
            "refreshed_at",
            sa.DateTime(timezone=True),
            comment="When upstream was last asked; null: never, the facts came from elsewhere",
        ),
        sa.CheckConstraint("imdb_rating BETWEEN 0 AND 10", name=op.f("ck_movies_imdb_rating_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_movies")),
        sa.UniqueConstraint("imdb_id", name=op.f("uq_movies_imdb_id")),
    )
    op.create_index("ix_movies_created_at_id", "movies", ["created_at", "id"])
    op.create_index("ix_movies_folded_title_id", "movies", ["folded_title", "id"])
    for name, key in {"first_year": "first_year", "imdb_rating": "imdb_rating", "genre": "(genres[1])"}.items():
        op.create_index(f"ix_movies_{name}_asc", "movies", [sa.text(key), "id"])
        op.create_index(f"ix_movies_{name}_desc", "movies", [sa.text(f"{key} DESC NULLS LAST"), sa.text("id DESC")])
    op.create_index("ix_movies_refreshed_at", "movies", [sa.text("refreshed_at NULLS FIRST"), "id"])

    op.create_table(
        "movie_counts",
        sa.Column("movie_id", sa.BigInteger(), nullable=False),
        sa.Column("likes_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("watch_later_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["movie_id"], ["movies.id"], name=op.f("fk_movie_counts_movie_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("movie_id", name=op.f("pk_movie_counts")),
    )
    op.create_index("ix_movie_counts_likes_count", "movie_counts", ["likes_count", "movie_id"])

    op.create_table(
        "genres",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("name", BYTE_ORDERED, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_genres")),
        sa.UniqueConstraint("name", name=op.f("uq_genres_name")),
    )
    op.create_table(
        "movie_genres",
        sa.Column("genre_id", sa.Integer(), nullable=False),
        sa.Column("movie_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["genre_id"], ["genres.id"], name=op.f("fk_movie_genres_genre_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["movie_id"], ["movies.id"], name=op.f("fk_movie_genres_movie_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("genre_id", "movie_id", name=op.f("pk_movie_genres")),
    )
    op.create_index(op.f("ix_movie_genres_movie_id"), "movie_genres", ["movie_id"])

    op.create_table(
        "search_answers",
        sa.Column("provider", BYTE_ORDERED, nullable=False),
        sa.Column("expression", BYTE_ORDERED, nullable=False, comment="Folded, words parted by one space"),
        sa.Column("movie_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False, comment="In the provider's order"),
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "expression", name=op.f("pk_search_answers")),
    )
    op.create_index(op.f("ix_search_answers_stored_at"), "search_answers", ["stored_at"])

    for statement in [ADD_COUNTS, SYNC_GENRES, *TRIGGERS.strip().rstrip(";").split(";")]:
        op.execute(statement)


def downgrade() -> None:
    """Go back."""
    for table in ("search_answers", "movie_genres", "genres", "movie_counts", "movies"):
        op.drop_table(table)
    op.execute("DROP FUNCTION movies_add_counts(), movies_sync_genres()")
