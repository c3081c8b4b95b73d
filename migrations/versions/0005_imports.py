"""Imports of lists."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "list_imports",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False, comment="watch_later or collection"),
        sa.Column(
            "collection_id",
            sa.BigInteger(),
            comment="The collection that it goes into; null: that is gone, or it goes into the watch-later list",
        ),
        sa.Column("status", sa.Text(), server_default=sa.text("'queued'"), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column(
            "progress_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
            comment="When something last came of it",
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_list_imports_user_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("fk_list_imports_collection_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_list_imports")),
        sa.CheckConstraint(
            "destination IN ('watch_later', 'collection')", name=op.f("ck_list_imports_destination_known")
        ),
    )
    op.create_index(op.f("ix_list_imports_collection_id"), "list_imports", ["collection_id"])
    op.create_index("ix_list_imports_user_id_created_at", "list_imports", ["user_id", "created_at"])
    op.create_index(
        "uq_list_imports_user_id_running",
        "list_imports",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text("finished_at IS NULL"),
    )

    op.create_table(
        "list_import_rows",
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False, comment="Below the header; the first is 1"),
        sa.Column("imdb_id", sa.Text()),
        sa.Column("title", sa.Text()),
        sa.Column("year", sa.SmallInteger()),
        sa.Column("added_at", sa.DateTime(timezone=True), comment="As the file says"),
        sa.Column(
            "tries",
            sa.SmallInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="So often upstream failed at it while it answered others",
        ),
        sa.Column("movie_id", sa.BigInteger(), comment="What it was found to be; it may be gone since"),
        sa.Column("outcome", sa.Text(), comment="added, already_there or not_found; null: not yet known"),
        sa.ForeignKeyConstraint(
            ["import_id"], ["list_imports.id"], name=op.f("fk_list_import_rows_import_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_list_import_rows")),
    )

    op.create_table(
        "upstream_lookups",
        sa.Column("day", sa.Date(), nullable=False, comment="In UTC"),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_upstream_lookups")),
    )


def downgrade() -> None:
    """Go back."""
    for table in ("upstream_lookups", "list_import_rows", "list_imports"):
        op.drop_table(table)
