"""Every title that a movie is found by, in a narrow table of its own, and the words of all titles."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# As app.movies.title_words has them, which a test holds against this. The signs are written out, since what a class
# such as [[:alnum:]] means depends on the server's locale.
BETWEEN_WORDS = (
    '\t\n\r !"#$%&()*+,-./:;<=>?@[\\]^_{|}~'
    "\u2010\u2011\u2012\u2013\u2014\u2015\u00a1\u00ab\u00b7\u00bb\u00bf\u00d7\u2018\u201a\u201c\u201d\u201e\u2022"
    "\u2039\u203a\u3001\u3002\u300c\u300d\u300e\u300f\u3010\u3011\u30fb"
)
WITHIN_WORDS = "'`\u2019\u02bc\u2032"


def quoted(text: str) -> str:
    """A literal of PostgreSQL."""
    return "'" + text.replace("'", "''") + "'"


TITLE_WORDS = f"""
CREATE FUNCTION title_words(folded_title text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    words text[] := array_remove(string_to_array(translate(
        folded_title, {quoted(BETWEEN_WORDS + WITHIN_WORDS)}, repeat(' ', {len(BETWEEN_WORDS)})), ' '), '');
    joined text := array_to_string(words, '');
BEGIN
    IF cardinality(words) > 1 AND length(joined) <= 34 THEN
        words := words || joined;
    END IF;
    RETURN ARRAY(SELECT DISTINCT word COLLATE "C" FROM unnest(words) AS given (word) ORDER BY 1);
END $$
"""  # noqa: S608 - of the signs above, and nothing else
# By EXECUTE, so that it is planned anew: a session would keep the plan of its first call, which may have been for an
# empty table, and go through all of a full one for each word.
NOTE_WORDS = """
CREATE FUNCTION titles_note_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Not unique, so that nobody waits for another who adds the same word; one that is there twice does no harm.
    EXECUTE 'INSERT INTO vocabulary (word)
        SELECT DISTINCT word FROM inserted, unnest(words) AS added (word)
        WHERE length(word) BETWEEN 2 AND 34 AND NOT EXISTS (
            SELECT FROM vocabulary AS known WHERE known.length = length(added.word) AND known.word = added.word
        )';
    RETURN NULL;
END $$
"""
ADD_TITLES = """
CREATE FUNCTION movies_add_titles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO titles (movie_id, folded_title, is_main, votes)
    SELECT id, folded_title, true, imdb_votes FROM inserted ORDER BY id;
    RETURN NULL;
END $$
"""
CHANGE_TITLES = """
CREATE FUNCTION movies_change_titles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.folded_title <> OLD.folded_title THEN
        DELETE FROM titles WHERE movie_id = NEW.id AND is_main;
        INSERT INTO titles (movie_id, folded_title, is_main) VALUES (NEW.id, NEW.folded_title, true)
        ON CONFLICT (movie_id, folded_title) DO UPDATE SET is_main = true;
    END IF;
    UPDATE titles SET votes = NEW.imdb_votes WHERE movie_id = NEW.id AND votes IS DISTINCT FROM NEW.imdb_votes;
    RETURN NULL;
END $$
"""
TRIGGERS = """
CREATE TRIGGER titles_note_words AFTER INSERT ON titles REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION titles_note_words();
CREATE TRIGGER movies_add_titles AFTER INSERT ON movies REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION movies_add_titles();
CREATE TRIGGER movies_change_titles AFTER UPDATE ON movies
    FOR EACH ROW WHEN (OLD.folded_title <> NEW.folded_title OR OLD.imdb_votes IS DISTINCT FROM NEW.imdb_votes)
    EXECUTE FUNCTION movies_change_titles()
"""
FILL = """
INSERT INTO titles (movie_id, folded_title, is_main, votes)
SELECT id, folded_title, true, imdb_votes FROM movies
UNION ALL
SELECT id, other.folded_title, false, imdb_votes FROM alternative_titles AS other JOIN movies ON id = movie_id
WHERE other.folded_title <> movies.folded_title
ORDER BY 1
"""


def folded_title() -> sa.Column[str]:
    """The column that both tables of titles have."""
    return sa.Column(
        "folded_title",
        sa.Text(collation="C"),
        nullable=False,
        comment="The title for comparison: app.core.text.fold",
    )


def upgrade() -> None:
    """Go forward; to fill the tables takes a minute at a million movies."""
    op.execute(TITLE_WORDS)
    op.create_table(
        "vocabulary",
        sa.Column("word", sa.Text(collation="C"), nullable=False),
        sa.Column("backwards", sa.Text(collation="C"), sa.Computed("reverse(word)", persisted=True)),
        sa.Column("length", sa.SmallInteger(), sa.Computed("length(word)", persisted=True)),
    )
    op.create_table(
        "titles",
        sa.Column("movie_id", sa.BigInteger(), nullable=False),
        folded_title(),
        sa.Column("is_main", sa.Boolean(), nullable=False, comment="False: the movie is called so elsewhere"),
        sa.Column("votes", sa.BigInteger(), comment="The movie's on IMDb"),
        sa.Column(
            "words",
            postgresql.ARRAY(sa.Text(collation="C")),
            sa.Computed("title_words(folded_title)", persisted=True),
            comment="Each once, and all of them as one word: app.movies.title_words",
        ),
        sa.ForeignKeyConstraint(["movie_id"], ["movies.id"], name=op.f("fk_titles_movie_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("movie_id", "folded_title", name=op.f("pk_titles")),
    )
    op.execute(FILL)
    op.drop_table("alternative_titles")
    for function in (NOTE_WORDS, ADD_TITLES, CHANGE_TITLES):
        op.execute(function)
    op.execute(
        "INSERT INTO vocabulary (word) SELECT DISTINCT word FROM titles, unnest(words) AS word"
        " WHERE length(word) BETWEEN 2 AND 34"
    )
    for trigger in TRIGGERS.split(";"):
        op.execute(trigger)
    op.create_index("ix_titles_words", "titles", ["words"], postgresql_using="gin")
    op.create_index("ix_vocabulary_word", "vocabulary", ["length", "word"])
    op.create_index("ix_vocabulary_backwards", "vocabulary", ["length", "backwards"], postgresql_include=["word"])
    op.execute("ANALYZE titles, vocabulary")


def downgrade() -> None:
    """Go back; how other titles are written is not known any more, but for what they are compared by."""
    op.execute("DROP TRIGGER movies_change_titles ON movies")
    op.execute("DROP TRIGGER movies_add_titles ON movies")
    op.create_table(
        "alternative_titles",
        sa.Column("movie_id", sa.BigInteger(), nullable=False),
        folded_title(),
        sa.Column("title", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["movie_id"], ["movies.id"], name=op.f("fk_alternative_titles_movie_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("movie_id", "folded_title", name=op.f("pk_alternative_titles")),
    )
    op.execute(
        "INSERT INTO alternative_titles (movie_id, folded_title, title)"
        " SELECT movie_id, folded_title, folded_title FROM titles WHERE NOT is_main"
    )
    op.drop_table("titles")
    op.drop_table("vocabulary")
    op.execute("DROP FUNCTION titles_note_words(), movies_add_titles(), movies_change_titles(), title_words(text)")
