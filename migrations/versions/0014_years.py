"""An index of the years as they are written: which there are, and how many movies are of each."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_index("ix_movies_year", "movies", ["year"])
    # Trigrams of years, which were made after the migrations: they found the movies, and did not count them.
    op.execute("DROP INDEX IF EXISTS trgm_movies_year")


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_movies_year", "movies")
