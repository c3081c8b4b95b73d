"""How many movies have which rating, of all and of each genre, kept by the database."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def noted(rows: str, number: str) -> str:
    """The changes that rows of movies make; alike ones are put together first, since there are few kinds of them."""
    return f"""
    SELECT counted.genre_id, alike.imdb_rating, {number} AS change
    FROM (
        SELECT genres, imdb_rating, count(*) AS number FROM {rows} AS noted
        WHERE imdb_rating IS NOT NULL GROUP BY genres, imdb_rating
    ) AS alike
    CROSS JOIN LATERAL (
        SELECT NULL::integer AS genre_id UNION ALL SELECT id FROM genres WHERE name = ANY (alike.genres)
    ) AS counted
    GROUP BY counted.genre_id, alike.imdb_rating"""  # noqa: S608 - of the words below, and nothing else


def trigger_function(name: str, changes: str) -> str:
    """A function that notes changes, and folds them where that is due."""
    return f"""
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    added bigint;
BEGIN
    INSERT INTO movie_rating_totals (genre_id, imdb_rating, change) {changes};
    GET DIAGNOSTICS added = ROW_COUNT;
    PERFORM movie_rating_totals_fold(added);
    RETURN NULL;
END $$
"""


# A total is the sum of its changes, so that two who add movies do not wait for each other. Changes are folded, those
# that nobody else is folding, once in some 10,000 of them, which is left to chance: to count them would take longer.
FOLD = """
CREATE FUNCTION movie_rating_totals_fold(added bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF random() * 10000 > added THEN
        RETURN;
    END IF;
    WITH taken AS (
        DELETE FROM movie_rating_totals
        WHERE ctid = ANY (ARRAY(SELECT ctid FROM movie_rating_totals FOR UPDATE SKIP LOCKED))
        RETURNING genre_id, imdb_rating, change
    )
    INSERT INTO movie_rating_totals (genre_id, imdb_rating, change)
    SELECT genre_id, imdb_rating, sum(change) FROM taken GROUP BY genre_id, imdb_rating HAVING sum(change) <> 0;
END $$
"""
MOVED = """(
        SELECT {side}.* FROM gone JOIN come USING (id)
        WHERE (gone.imdb_rating, gone.genres) IS DISTINCT FROM (come.imdb_rating, come.genres)
    )"""
NOTES = {
    "movies_add_rating_totals": noted("come", "sum(number)"),
    "movies_remove_rating_totals": noted("gone", "-sum(number)"),
    "movies_move_rating_totals": noted(MOVED.format(side="gone"), "-sum(number)")
    + "\n    UNION ALL"
    + noted(MOVED.format(side="come"), "sum(number)"),
}
FORGET = """
CREATE FUNCTION movies_forget_rating_totals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM movie_rating_totals;
    RETURN NULL;
END $$
"""
# In the order of the alphabet, as which they are fired, these come after those that write the genres.
TRIGGERS = {
    "movies_total_ratings_inserted": ("INSERT ON movies REFERENCING NEW TABLE AS come", "movies_add_rating_totals"),
    "movies_total_ratings_deleted": ("DELETE ON movies REFERENCING OLD TABLE AS gone", "movies_remove_rating_totals"),
    "movies_total_ratings_updated": (
        "UPDATE ON movies REFERENCING OLD TABLE AS gone NEW TABLE AS come",
        "movies_move_rating_totals",
    ),
    "movies_total_ratings_truncated": ("TRUNCATE ON movies", "movies_forget_rating_totals"),
}


def upgrade() -> None:
    """Go forward; it takes seconds at a million movies."""
    op.create_table(
        "movie_rating_totals",
        # Refers to no genre by a constraint, which would be checked for each of the many changes.
        sa.Column("genre_id", sa.Integer(), comment="Null: of all movies"),
        sa.Column("imdb_rating", sa.Numeric(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_movie_rating_totals_genre_id", "movie_rating_totals", ["genre_id", "imdb_rating"])
    op.execute(f"INSERT INTO movie_rating_totals (genre_id, imdb_rating, change) {noted('movies', 'sum(number)')}")
    for function in (FOLD, *(trigger_function(name, changes) for name, changes in NOTES.items()), FORGET):
        op.execute(function)
    for name, (when, function) in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} AFTER {when} FOR EACH STATEMENT EXECUTE FUNCTION {function}()")
    op.execute("ANALYZE movie_rating_totals")


def downgrade() -> None:
    """Go back."""
    for trigger in TRIGGERS:
        op.execute(f"DROP TRIGGER {trigger} ON movies")
    functions = ", ".join(f"{name}()" for name in (*NOTES, "movies_forget_rating_totals"))
    op.execute(f"DROP FUNCTION {functions}, movie_rating_totals_fold(bigint)")
    op.drop_table("movie_rating_totals")
