"""Each movie's JSON, written when the movie is; and how many movies there are, kept by the database."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Names as clients see them: [{"name":"Drama"}].
JSON_OBJECTS = r"""
CREATE FUNCTION json_objects(key text, names text[]) RETURNS json LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    listed CONSTANT text := array_to_json(names)::text;
BEGIN
    IF listed = '[]' THEN
        RETURN listed;
    -- Without a backslash no name has a quote in it: what stands between quotes is what parts two names. This takes a
    -- third of the time of the general form, six times for each of a million movies.
    ELSIF strpos(listed, '\') = 0 THEN
        RETURN '[{"' || key || '":' || replace(substr(listed, 2, length(listed) - 2), '","', '"},{"' || key || '":"')
            || '}]';
    END IF;
    RETURN (SELECT json_agg(json_build_object(key, name) ORDER BY place)
        FROM unnest(names) WITH ORDINALITY AS given (name, place));
END $$
"""

# Immutable, so that a generated column may be made of it: of to_json and to_char that holds for what they are given.
MOVIE_DOCUMENT = """
CREATE FUNCTION movie_document(
    id bigint, imdb_id text, title text, year text, released_date date, runtime text, plot text, awards text,
    poster text, metascore text, ratings jsonb, imdb_rating numeric, imdb_votes bigint, type text, total_seasons text,
    languages text[], countries text[], writers text[], genres text[], actors text[], directors text[],
    created_at timestamptz
) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN (SELECT row_to_json(movie) FROM (SELECT
        id, imdb_id, title, year, released_date, runtime, plot,
        json_objects('name', languages) AS languages, json_objects('name', countries) AS countries,
        awards, poster, metascore, ratings, imdb_rating::text AS imdb_rating,
        to_char(imdb_votes, 'FM999,999,999,999,999,999,999') AS imdb_votes, type, total_seasons,
        json_objects('full_name', writers) AS writers, json_objects('name', genres) AS genres,
        json_objects('full_name', actors) AS actors, json_objects('full_name', directors) AS directors,
        to_char(created_at AT TIME ZONE 'UTC', CASE
            WHEN date_trunc('second', created_at) = created_at THEN 'YYYY-MM-DD"T"HH24:MI:SS"Z"'
            ELSE 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
        END) AS created_at
    ) AS movie);
END $$
"""
ARGUMENTS = (
    "id, imdb_id, title, year, released_date, runtime, plot, awards, poster, metascore, ratings, imdb_rating,"
    " imdb_votes, type, total_seasons, languages, countries, writers, genres, actors, directors, created_at"
)

# A total is the sum of its changes, so that two who add movies do not wait for each other. Whoever finds many changes
# folds those that nobody else is folding.
FOLD = """
CREATE FUNCTION movie_totals_fold() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM movie_totals) < 200 THEN
        RETURN;
    END IF;
    WITH taken AS (
        DELETE FROM movie_totals
        WHERE ctid = ANY (ARRAY(SELECT ctid FROM movie_totals FOR UPDATE SKIP LOCKED))
        RETURNING genre_id, change
    )
    INSERT INTO movie_totals (genre_id, change) SELECT genre_id, sum(change) FROM taken GROUP BY genre_id;
END $$
"""
NOTE_MOVIES = """
CREATE FUNCTION movies_note_total() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM movie_totals WHERE genre_id IS NULL;
    ELSE
        INSERT INTO movie_totals (change)
        SELECT CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END FROM changed HAVING count(*) > 0;
        PERFORM movie_totals_fold();
    END IF;
    RETURN NULL;
END $$
"""
NOTE_GENRES = """
CREATE FUNCTION movie_genres_note_totals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM movie_totals WHERE genre_id IS NOT NULL;
    ELSE
        INSERT INTO movie_totals (genre_id, change)
        SELECT genre_id, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
        FROM changed WHERE EXISTS (SELECT FROM genres WHERE id = genre_id) GROUP BY genre_id;
        PERFORM movie_totals_fold();
    END IF;
    RETURN NULL;
END $$
"""
NOTES = {"movies": "movies_note_total", "movie_genres": "movie_genres_note_totals"}
COUNT = """
INSERT INTO movie_totals (genre_id, change)
SELECT NULL, count(*) FROM movies UNION ALL SELECT genre_id, count(*) FROM movie_genres GROUP BY genre_id
"""


def upgrade() -> None:
    """Go forward; the table is written anew for the column, which takes a minute at a million movies."""
    op.execute(JSON_OBJECTS)
    op.execute(MOVIE_DOCUMENT)
    op.add_column(
        "movies",
        sa.Column(
            "document",
            sa.Text(),
            sa.Computed(f"movie_document({ARGUMENTS})", persisted=True),
            comment="The movie as JSON, but for what is counted of it and what the caller has to do with it",
        ),
    )
    op.add_column(
        "movies",
        sa.Column(
            "first_genre",
            sa.Text(collation="C"),
            sa.Computed("genres[1]", persisted=True),
            comment="A column, so that an index alone can be read",
        ),
    )
    op.drop_index("ix_movies_genre_asc", "movies")
    op.drop_index("ix_movies_genre_desc", "movies")
    op.create_index("ix_movies_first_genre_asc", "movies", ["first_genre", "id"])
    op.create_index(
        "ix_movies_first_genre_desc", "movies", [sa.text("first_genre DESC NULLS LAST"), sa.text("id DESC")]
    )
    # Beside the row as long as it fits there: what is moved out is read apart, and taken out of compression.
    op.execute("ALTER TABLE movies ALTER COLUMN document SET STORAGE MAIN")
    op.create_table(
        "movie_totals",
        sa.Column("genre_id", sa.Integer(), comment="Null: of all movies"),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["genre_id"], ["genres.id"], name=op.f("fk_movie_totals_genre_id"), ondelete="CASCADE"),
    )
    for statement in (FOLD, NOTE_MOVIES, NOTE_GENRES):
        op.execute(statement)
    for table, function in NOTES.items():
        for name, event in {
            "inserted": "INSERT ON {} REFERENCING NEW TABLE AS changed",
            "deleted": "DELETE ON {} REFERENCING OLD TABLE AS changed",
            "truncated": "TRUNCATE ON {}",
        }.items():
            when = f"AFTER {event.format(table)} FOR EACH STATEMENT"
            op.execute(f"CREATE TRIGGER {table}_total_{name} {when} EXECUTE FUNCTION {function}()")
    op.execute(COUNT)


def downgrade() -> None:
    """Go back."""
    for table in NOTES:
        for change in ("inserted", "deleted", "truncated"):
            op.execute(f"DROP TRIGGER {table}_total_{change} ON {table}")
    op.execute("DROP FUNCTION movies_note_total(), movie_genres_note_totals(), movie_totals_fold()")
    op.drop_table("movie_totals")
    op.drop_column("movies", "first_genre")
    op.create_index("ix_movies_genre_asc", "movies", [sa.text("(genres[1])"), "id"])
    op.create_index("ix_movies_genre_desc", "movies", [sa.text("(genres[1]) DESC NULLS LAST"), sa.text("id DESC")])
    op.drop_column("movies", "document")
    op.execute("DROP FUNCTION movie_document, json_objects")
