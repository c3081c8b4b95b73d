"""What recommendations and top movies are chosen by: a rating that knows its votes, and indexes of people's films."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    weighted = sa.Computed("round((imdb_votes * imdb_rating + 175000) / (imdb_votes + 25000), 3)", persisted=True)
    op.add_column("movies", sa.Column("weighted_rating", sa.Numeric(), weighted))
    op.create_index(
        "ix_movies_weighted_rating", "movies", [sa.text("weighted_rating DESC NULLS LAST"), sa.text("id DESC")]
    )
    for column in ("directors", "actors"):
        op.create_index(f"ix_movies_{column}", "movies", [column], postgresql_using="gin")


def downgrade() -> None:
    """Go back."""
    for column in ("actors", "directors"):
        op.drop_index(f"ix_movies_{column}")
    op.drop_index("ix_movies_weighted_rating")
    op.drop_column("movies", "weighted_rating")
