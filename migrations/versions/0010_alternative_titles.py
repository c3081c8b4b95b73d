"""The other titles of movies: as they are called elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "alternative_titles",
        sa.Column("movie_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "folded_title",
            sa.Text(collation="C"),
            nullable=False,
            comment="The title for comparison: app.core.text.fold",
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["movie_id"], ["movies.id"], name=op.f("fk_alternative_titles_movie_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("movie_id", "folded_title", name=op.f("pk_alternative_titles")),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("alternative_titles")
