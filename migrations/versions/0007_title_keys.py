"""The keys by which titles are matched."""

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.movies.title_keys import title_keys

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BATCH = 1_000
KEEP_KEYS = """
UPDATE movies SET title_keys = computed.keys
FROM jsonb_to_recordset(CAST(:computed AS jsonb)) AS computed (id bigint, keys text[])
WHERE movies.id = computed.id
"""


def upgrade() -> None:
    """Go forward."""
    op.add_column(
        "movies",
        sa.Column(
            "title_keys",
            postgresql.ARRAY(sa.Text(collation="C")),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="What titles are matched by, the whole title's first: app.movies.title_keys",
        ),
    )
    # The genres stay what they are; to compare them would take most of the time.
    op.execute("ALTER TABLE movies DISABLE TRIGGER movies_sync_genres_updated")
    _fill()
    op.execute("ALTER TABLE movies ENABLE TRIGGER movies_sync_genres_updated")
    op.create_index("ix_movies_title_keys", "movies", ["title_keys"], postgresql_using="gin")
    op.create_index("ix_movies_first_year_title_key", "movies", ["first_year", sa.text("(title_keys[1])")])


def _fill() -> None:
    """Compute the keys of what is stored, by the rules of the code that will look for them."""
    connection = op.get_bind()
    batch = sa.text("SELECT id, title FROM movies WHERE id > :after ORDER BY id LIMIT :batch")
    after = 0
    while rows := connection.execute(batch, {"after": after, "batch": BATCH}).all():
        computed = [{"id": row.id, "keys": title_keys(row.title)} for row in rows]
        connection.execute(sa.text(KEEP_KEYS), {"computed": json.dumps(computed)})
        after = rows[-1].id


def downgrade() -> None:
    """Go back."""
    op.drop_column("movies", "title_keys")
