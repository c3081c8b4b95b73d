"""What people keep: likes, the watch-later list, and collections, with the numbers that are counted of them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# The number `{column}` of `{counts}` follows the rows of another table. Statement-level, so that a bulk load fires it
# once; what it changes is locked in order, so that two statements cannot deadlock over it.
FOLLOW = """
CREATE FUNCTION {counts}_follow_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM {counts} WHERE {key} IN (SELECT {key} FROM changed) ORDER BY {key} FOR NO KEY UPDATE;
    UPDATE {counts} SET {column} = {column} + CASE TG_OP WHEN 'INSERT' THEN changes.number ELSE -changes.number END
    FROM (SELECT {key}, count(*) AS number FROM changed GROUP BY {key}) AS changes
    WHERE {counts}.{key} = changes.{key};
    RETURN NULL;
END $$
"""
FOLLOW_INSERTED = """
CREATE TRIGGER {counts}_follow_inserted AFTER INSERT ON {table} REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION {counts}_follow_{table}()
"""
FOLLOW_DELETED = """
CREATE TRIGGER {counts}_follow_deleted AFTER DELETE ON {table} REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION {counts}_follow_{table}()
"""
FOLLOWED = [
    {"counts": "movie_counts", "key": "movie_id", "column": "likes_count", "table": "likes"},
    {"counts": "movie_counts", "key": "movie_id", "column": "watch_later_count", "table": "watch_later"},
    {"counts": "collection_counts", "key": "collection_id", "column": "movies_count", "table": "collection_movies"},
    {
        "counts": "collection_counts",
        "key": "collection_id",
        "column": "subscribers_count",
        "table": "collection_subscriptions",
    },
]
ADD_COUNTS = """
CREATE FUNCTION collections_add_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO collection_counts (collection_id) SELECT id FROM changed;
    RETURN NULL;
END $$
"""
ADD_COUNTS_TRIGGER = """
CREATE TRIGGER collections_add_counts AFTER INSERT ON collections REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION collections_add_counts()
"""


def moment(name: str) -> sa.Column[object]:
    """A time that is now unless told."""
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)


def reference(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    """A row goes with the row that it refers to."""
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE")


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "likes",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("movie_id", sa.BigInteger(), nullable=False),
        moment("created_at"),
        reference("likes", "user_id", "users"),
        reference("likes", "movie_id", "movies"),
        sa.PrimaryKeyConstraint("user_id", "movie_id", name=op.f("pk_likes")),
    )
    op.create_index(op.f("ix_likes_movie_id"), "likes", ["movie_id"])

    op.create_table(
        "watch_later",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("movie_id", sa.BigInteger(), nullable=False),
        moment("added_at"),
        reference("watch_later", "user_id", "users"),
        reference("watch_later", "movie_id", "movies"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_later")),
        sa.UniqueConstraint("user_id", "movie_id", name=op.f("uq_watch_later_user_id_movie_id")),
    )
    op.create_index(op.f("ix_watch_later_movie_id"), "watch_later", ["movie_id"])
    op.create_index("ix_watch_later_user_id_added_at", "watch_later", ["user_id", "added_at", "movie_id"])

    op.create_table(
        "collections",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "folded_name",
            sa.Text(collation="C"),
            nullable=False,
            comment="The name for comparison: app.core.text.fold",
        ),
        sa.Column("description", sa.Text()),
        sa.Column("design", sa.Text()),
        sa.Column("is_public", sa.Boolean(), server_default=sa.false(), nullable=False),
        moment("created_at"),
        moment("updated_at"),
        reference("collections", "owner_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collections")),
    )
    op.create_index("ix_collections_owner_id", "collections", ["owner_id"])
    op.create_index("ix_collections_created_at_id", "collections", ["created_at", "id"])

    op.create_table(
        "collection_counts",
        sa.Column("collection_id", sa.BigInteger(), nullable=False),
        sa.Column("movies_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("subscribers_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        reference("collection_counts", "collection_id", "collections"),
        sa.PrimaryKeyConstraint("collection_id", name=op.f("pk_collection_counts")),
    )
    op.create_index(
        "ix_collection_counts_subscribers_count", "collection_counts", ["subscribers_count", "collection_id"]
    )

    op.create_table(
        "collection_movies",
        sa.Column("collection_id", sa.BigInteger(), nullable=False),
        sa.Column("movie_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="Within the collection; ties break by the movie"),
        moment("added_at"),
        reference("collection_movies", "collection_id", "collections"),
        reference("collection_movies", "movie_id", "movies"),
        sa.PrimaryKeyConstraint("collection_id", "movie_id", name=op.f("pk_collection_movies")),
    )
    op.create_index(op.f("ix_collection_movies_movie_id"), "collection_movies", ["movie_id"])
    op.create_index("ix_collection_movies_position", "collection_movies", ["collection_id", "position", "movie_id"])

    op.create_table(
        "collection_subscriptions",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("collection_id", sa.BigInteger(), nullable=False),
        moment("created_at"),
        reference("collection_subscriptions", "user_id", "users"),
        reference("collection_subscriptions", "collection_id", "collections"),
        sa.PrimaryKeyConstraint("user_id", "collection_id", name=op.f("pk_collection_subscriptions")),
    )
    op.create_index(
        "ix_collection_subscriptions_collection_id", "collection_subscriptions", ["collection_id", "created_at"]
    )
    op.create_index("ix_collection_subscriptions_created_at", "collection_subscriptions", ["created_at"])

    op.execute(ADD_COUNTS)
    op.execute(ADD_COUNTS_TRIGGER)
    for followed in FOLLOWED:
        for statement in (FOLLOW, FOLLOW_INSERTED, FOLLOW_DELETED):
            op.execute(statement.format(**followed))


def downgrade() -> None:
    """Go back."""
    for table in (
        "collection_subscriptions",
        "collection_movies",
        "collection_counts",
        "collections",
        "watch_later",
        "likes",
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION collections_add_counts()")
    for followed in FOLLOWED:
        op.execute("DROP FUNCTION {counts}_follow_{table}()".format(**followed))
