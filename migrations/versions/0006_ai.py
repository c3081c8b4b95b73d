"""AI searches by day, recommendations, top movies, and leases on their renewal."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )

    op.create_table(
        "ai_usage",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="In UTC"),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_ai_usage_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "day", name=op.f("pk_ai_usage")),
    )
    op.create_index(op.f("ix_ai_usage_day"), "ai_usage", ["day"])

    op.create_table(
        "recommendations",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("movie_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False, comment="Best first"),
        sa.Column("source", sa.Text(), nullable=False, comment="Who chose them: claude or catalogue"),
        sa.Column("generated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recommendations_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_recommendations")),
    )

    op.create_table(
        "top_movies",
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("movie_id", sa.BigInteger(), nullable=False),
        sa.Column("generated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(["movie_id"], ["movies.id"], name=op.f("fk_top_movies_movie_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_top_movies")),
        sa.UniqueConstraint("movie_id", name=op.f("uq_top_movies_movie_id")),
    )


def downgrade() -> None:
    """Go back."""
    for table in ("top_movies", "recommendations", "ai_usage", "leases"):
        op.drop_table(table)
