"""The words of a movie, weighted, to be found by what it is about."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Immutable, so that a generated column may be made of it: of array_to_string that holds for text, and normalize takes
# accents off as app.core.text.fold does. It stands on nothing but built-in functions, and so is restored from any dump.
MOVIE_WORDS = r"""
CREATE FUNCTION movie_words(
    title text, year text, directors text[], writers text[], actors text[], genres text[], countries text[],
    languages text[], plot text
) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    accents CONSTANT text := U&'[\0300-\036F]';
BEGIN
    RETURN setweight(to_tsvector('pg_catalog.english', regexp_replace(normalize(title, NFKD), accents, '', 'g')), 'A')
        || setweight(to_tsvector('pg_catalog.english', regexp_replace(normalize(
            array_to_string(directors || writers || actors, ' ; '), NFKD), accents, '', 'g')), 'B')
        || setweight(to_tsvector('pg_catalog.english',
            array_to_string(genres || countries, ' ; ') || ' ; ' || coalesce(left(year, 4), '')), 'C')
        || setweight(to_tsvector('pg_catalog.english', regexp_replace(normalize(
            coalesce(plot, '') || ' ; ' || array_to_string(languages, ' ; '), NFKD), accents, '', 'g')), 'D');
END $$
"""


def upgrade() -> None:
    """Go forward; the table is written anew for the column, which takes a minute at a million movies."""
    op.execute(MOVIE_WORDS)
    op.add_column(
        "movies",
        sa.Column(
            "words",
            postgresql.TSVECTOR(),
            sa.Computed(
                "movie_words(title, year, directors, writers, actors, genres, countries, languages, plot)",
                persisted=True,
            ),
            comment="For search by meaning: title A; people B; genres, countries, year C; plot, languages D",
        ),
    )
    op.create_index("ix_movies_words", "movies", ["words"], postgresql_using="gin")
    op.create_index(
        "ix_movies_imdb_votes",
        "movies",
        [sa.text("imdb_votes DESC NULLS LAST"), sa.text("imdb_rating DESC NULLS LAST"), "id"],
    )


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_movies_imdb_votes", "movies")
    op.drop_index("ix_movies_words", "movies")
    op.drop_column("movies", "words")
    op.execute("DROP FUNCTION movie_words(text, text, text[], text[], text[], text[], text[], text[], text)")
