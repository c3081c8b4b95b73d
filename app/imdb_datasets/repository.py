"""From the files' titles into the catalogue, a batch at a time. Never commits."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import CursorResult, Executable, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import driver_connection
from app.imdb_datasets.models import ImdbImportBatch
from app.imdb_datasets.titles import Title

WRITTEN = (
    *("movies", "movie_counts", "genres", "movie_genres", "movie_totals", "movie_rating_totals", "titles"),
    "vocabulary",
)
# An import that nobody has gone on with for so long is forgotten.
FORGOTTEN_AFTER = "30 days"
SETTINGS = """
-- What GIN indexes put off, and the memory to sort it in: with PostgreSQL's own 4 MB each, half of the time goes into
-- that. With more, sorting takes what is saved, and a search reads through all of it.
SET LOCAL gin_pending_list_limit = '16MB'; SET LOCAL work_mem = '64MB';
-- The titles of a batch are neighbours in the index of their ids: there they are to be looked up, whatever PostgreSQL
-- believes of the size of a growing table.
SET LOCAL random_page_cost = 1;
-- A batch that a power cut takes away is written again: what is written and that it is are one transaction.
SET LOCAL synchronous_commit = off
"""
STAGE = """
CREATE TEMPORARY TABLE staged_titles (
    imdb_id text COLLATE "C", title text, folded_title text COLLATE "C", title_keys text[], year text, type text,
    runtime text, imdb_rating numeric, imdb_votes bigint, genres text[], directors text[], writers text[],
    actors text[], folded_other_titles text[]
) ON COMMIT DROP
"""
# Only what is not there: for a row that is, PostgreSQL would compute its words before it sees that. It is looked for
# among the batch's neighbours alone, or PostgreSQL might go through all movies to find a few thousand.
ADD = """
INSERT INTO movies (imdb_id, title, folded_title, title_keys, year, type, runtime, imdb_rating, imdb_votes, genres,
    directors, writers, actors)
SELECT imdb_id, title, folded_title, title_keys, year, type, runtime, imdb_rating, imdb_votes, genres,
    directors, writers, actors
FROM staged_titles AS staged
WHERE NOT EXISTS (
    SELECT FROM movies WHERE movies.imdb_id = staged.imdb_id AND movies.imdb_id BETWEEN :first AND :last
)
ORDER BY imdb_id ON CONFLICT (imdb_id) DO NOTHING
"""
_TITLE = ("title", "folded_title", "title_keys")
_FACTS = ("year", "type", "runtime")
_VERDICT = ("imdb_rating", "imdb_votes")
_NAMES = ("genres", "directors", "writers", "actors")
_CHANGEABLE = (*_TITLE, *_FACTS, *_VERDICT, *_NAMES)
# Whatever OMDb was asked for stays as it says.
_KEPT = "movies.refreshed_at IS NOT NULL"


def _merged(column: str) -> str:
    """What a column becomes, of what is there and what is staged."""
    ours, theirs = f"movies.{column}", f"staged.{column}"
    if column in _TITLE:
        return f"CASE WHEN {_KEPT} THEN {ours} ELSE {theirs} END"
    if column in _FACTS:
        return f"CASE WHEN {_KEPT} THEN coalesce({ours}, {theirs}) ELSE coalesce({theirs}, {ours}) END"
    if column in _VERDICT:  # the later one: votes only become more
        return f"CASE WHEN staged.imdb_votes >= coalesce(movies.imdb_votes, 0) THEN {theirs} ELSE {ours} END"
    stays = f"cardinality({ours}) > 0 AND ({_KEPT} OR cardinality({theirs}) = 0)"
    return f"CASE WHEN {stays} THEN {ours} ELSE {theirs} END"


# In the order of the key, as everybody who changes several movies: two of them cannot deadlock.
CHANGE = f"""
WITH changed AS MATERIALIZED (
    SELECT movies.id, {", ".join(f"{_merged(column)} AS {column}" for column in _CHANGEABLE)}
    FROM staged_titles AS staged JOIN movies ON movies.imdb_id = staged.imdb_id
    WHERE ({", ".join(f"movies.{column}" for column in _CHANGEABLE)})
        IS DISTINCT FROM ({", ".join(map(_merged, _CHANGEABLE))})
    ORDER BY movies.imdb_id FOR NO KEY UPDATE OF movies
)
UPDATE movies SET {", ".join(f"{column} = changed.{column}" for column in _CHANGEABLE)}
FROM changed WHERE movies.id = changed.id
"""  # noqa: S608 - of the names above, and nothing else
ADD_OTHER_TITLES = """
INSERT INTO titles (movie_id, folded_title, is_main, votes)
SELECT movies.id, other.folded_title, false, movies.imdb_votes
FROM staged_titles AS staged
    JOIN movies ON movies.imdb_id = staged.imdb_id
    CROSS JOIN unnest(staged.folded_other_titles) AS other (folded_title)
WHERE NOT EXISTS (
    SELECT FROM titles AS known WHERE known.movie_id = movies.id AND known.folded_title = other.folded_title
)
ORDER BY movies.id, other.folded_title ON CONFLICT DO NOTHING
"""


class ImdbImportRepository:
    """Writes batches of titles, and remembers which."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def done(self, files: str) -> frozenset[int]:
        """The numbers of the batches that are written."""
        numbers = select(ImdbImportBatch.number).where(ImdbImportBatch.files == files)
        return frozenset((await self._session.execute(numbers)).scalars())

    async def forget(self, files: str) -> None:
        """Forget how far an import has come."""
        await self._session.execute(delete(ImdbImportBatch).where(ImdbImportBatch.files == files))

    async def forget_abandoned(self) -> None:
        """Forget imports that nobody goes on with."""
        is_old = ImdbImportBatch.written_at < func.now() - text(f"interval '{FORGOTTEN_AFTER}'")
        await self._session.execute(delete(ImdbImportBatch).where(is_old))

    async def begin(self, files: str, number: int) -> bool:
        """Whether a batch is still to be written; who is just writing it is waited for."""
        batch = insert(ImdbImportBatch).values(files=files, number=number)
        return bool(await self._rows(batch.on_conflict_do_nothing()))

    async def write(self, titles: Sequence[Title]) -> tuple[int, int]:
        """Write titles, each whole with its names and rating; how many of them were added, and changed."""
        await self._session.execute(text(STAGE))
        driver = await driver_connection(await self._session.connection())
        await driver.execute(SETTINGS)
        await driver.copy_records_to_table("staged_titles", records=titles, columns=Title._fields)
        ids = [title.imdb_id for title in titles]
        added = await self._rows(text(ADD).bindparams(first=min(ids, default=""), last=max(ids, default="")))
        # What was just added need not be compared with itself.
        changed = await self._rows(text(CHANGE)) if added < len(titles) else 0
        await self._session.execute(text(ADD_OTHER_TITLES))
        return added, changed

    async def end(self, files: str, number: int, *, taken: int, added: int, updated: int) -> None:
        """Note what became of a batch."""
        batch = update(ImdbImportBatch).where(ImdbImportBatch.files == files, ImdbImportBatch.number == number)
        await self._session.execute(batch.values(taken=taken, added=added, updated=updated))

    async def numbers(self, files: str) -> tuple[int, int, int]:
        """How many titles were taken, added and changed, whoever began the import."""
        columns = (ImdbImportBatch.taken, ImdbImportBatch.added, ImdbImportBatch.updated)
        sums = select(*(func.coalesce(func.sum(column), 0) for column in columns))
        row = (await self._session.execute(sums.where(ImdbImportBatch.files == files))).one()
        return row[0], row[1], row[2]

    async def tidy(self) -> None:
        """Do what the server does behind a great change, which the next requests need not wait for; in autocommit.

        GIN indexes sort in what they have put off, statements are planned for what is there now, and an index alone
        tells which rows there are.
        """
        await self._session.execute(text(f"VACUUM (ANALYZE) {', '.join(WRITTEN)}"))

    async def _rows(self, statement: Executable) -> int:
        return cast("CursorResult[Any]", await self._session.execute(statement)).rowcount
