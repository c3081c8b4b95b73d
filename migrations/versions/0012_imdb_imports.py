"""How far imports of IMDb's dataset files have come."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "imdb_import_batches",
        sa.Column("files", sa.Text(), nullable=False, comment="app.imdb_datasets.files.identity"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("added", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("updated", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("files", "number", name=op.f("pk_imdb_import_batches")),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("imdb_import_batches")
