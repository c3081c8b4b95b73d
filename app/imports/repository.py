"""The SQL of imports."""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Executable,
    Integer,
    Interval,
    Row,
    Text,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import User
from app.imports.destination import Kind, Target
from app.imports.models import ListImport, ListImportRow, UpstreamLookups
from app.imports.rows import FileRow
from app.movies.models import Movie

ADDED, ALREADY_THERE, NOT_FOUND = "added", "already_there", "not_found"
# A finished import can be looked at for so long.
KEPT = timedelta(days=30)
# An import of which nothing came for so long has lost its job.
ABANDONED = timedelta(days=7)
ImportRow = Row[Any]
_OPEN = ListImportRow.outcome.is_(None)


class ImportRepository:
    """Reads and writes imports; never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def hold_user(self, user_id: int, *, alone: bool = False) -> bool:
        """Let nobody delete the user until the transaction ends; False where there is none.

        Args:
            user_id: whom.
            alone: and let nobody else hold them so.
        """
        user = select(User.id).where(User.id == user_id).with_for_update(key_share=True, read=not alone)
        return (await self._session.execute(user)).scalar() is not None

    async def begun_today(self, user_id: int) -> int:
        """How many imports the user has begun since midnight, in UTC."""
        midnight = func.date_trunc("day", func.now(), "UTC")
        begun = select(func.count()).where(ListImport.user_id == user_id, ListImport.created_at >= midnight)
        return (await self._session.execute(begun)).scalar_one()

    async def add(self, user_id: int, kind: Kind, collection_id: int | None, rows: Sequence[FileRow]) -> int:
        """A new import, and its id; a row that names no title is settled at once."""
        values = {"user_id": user_id, "destination": kind, "collection_id": collection_id, "total": len(rows)}
        added = insert(ListImport).values(values).returning(ListImport.id)
        import_id: int = (await self._session.execute(added)).scalar_one()
        await self._session.execute(
            insert(ListImportRow),
            [
                {
                    "import_id": import_id,
                    "number": number,
                    "imdb_id": row.imdb_id,
                    "title": row.title,
                    "year": row.year,
                    "added_at": row.added_at,
                    "outcome": None if row.names_a_title else NOT_FOUND,
                }
                for number, row in enumerate(rows, 1)
            ],
        )
        return import_id

    async def progress(
        self, import_id: int, *, user_id: int | None = None, collection_id: int | None = None
    ) -> ImportRow | None:
        """An import with its numbers: into the collection, or of the user into the watch-later list."""
        into = ListImport.collection_id == collection_id
        if collection_id is None:
            into = and_(ListImport.user_id == user_id, ListImport.destination == "watch_later")
        row = ListImportRow
        missed = func.json_build_object(
            "row", row.number, "title", func.coalesce(row.title, row.imdb_id), "year", row.year
        )
        counted = (
            select(
                *(ListImport.id, ListImport.status, ListImport.total, ListImport.created_at, ListImport.finished_at),
                func.count().filter(row.outcome == ADDED).label("added"),
                func.count().filter(row.outcome == ALREADY_THERE).label("already_there"),
                func.coalesce(
                    func.json_agg(aggregate_order_by(missed, row.number)).filter(row.outcome == NOT_FOUND),
                    func.json_build_array(),
                ).label("not_found"),
            )
            .outerjoin(row, row.import_id == ListImport.id)
            .where(ListImport.id == import_id, into)
            .group_by(ListImport.id)
        )
        found: ImportRow | None = (await self._session.execute(counted)).one_or_none()
        return found

    async def claim(self, import_id: int) -> Target | None:
        """The list that a running import goes into; None where it has ended, or was deleted."""
        running = update(ListImport).where(ListImport.id == import_id, ListImport.finished_at.is_(None))
        rows = await self._session.execute(
            running.values(status="running").returning(
                *(ListImport.id, ListImport.user_id, ListImport.destination, ListImport.collection_id),
                ListImport.created_at,
            )
        )
        found = rows.one_or_none()
        return Target(*found) if found else None  # type: ignore[arg-type]  # the check constraint holds the kinds

    async def hold(self, import_id: int) -> bool:
        """Let nobody else settle rows of the import until the transaction ends; False where it has ended."""
        running = select(ListImport.id).where(ListImport.id == import_id, ListImport.finished_at.is_(None))
        return (await self._session.execute(running.with_for_update(key_share=True))).scalar() is not None

    async def end(self, import_id: int, status: str) -> None:
        """The import is done, or failed."""
        ended = update(ListImport).where(ListImport.id == import_id, ListImport.finished_at.is_(None))
        await self._session.execute(ended.values(status=status, finished_at=func.now()))

    async def wait(self, import_id: int, *, progress: bool) -> timedelta:
        """The import waits; how long ago something last came of it. Waiting its turn counts as such."""
        waiting = update(ListImport).where(ListImport.id == import_id, ListImport.finished_at.is_(None))
        values: dict[str, Any] = {"status": "waiting"} | ({"progress_at": func.now()} if progress else {})
        ago = type_coerce(func.now() - ListImport.progress_at, Interval)
        return (await self._session.execute(waiting.values(values).returning(ago))).scalar() or timedelta()

    async def open_rows(self, import_id: int, after: int, limit: int) -> Sequence[ImportRow]:
        """Open rows beyond a number, in order; with the movie's id where their IMDb id is stored."""
        row = ListImportRow
        found = (
            select(row.number, row.imdb_id, row.title, row.year, Movie.id.label("movie_id"))
            .outerjoin(Movie, Movie.imdb_id == row.imdb_id)
            .where(row.import_id == import_id, _OPEN, row.number > after)
        )
        return await self._rows(found.order_by(row.number).limit(limit))

    async def next_rows(self, import_id: int, limit: int) -> Sequence[ImportRow]:
        """Open rows: a fifth of them at most such as upstream failed at before, unless there are no others.

        More of them, failing one after the other, would be taken for an outage.
        """
        row = ListImportRow
        rank = func.row_number().over(partition_by=row.tries > 0, order_by=row.number)
        ranked = (
            select(row.number, row.imdb_id, row.title, row.year, row.tries, rank.label("rank"))
            .where(row.import_id == import_id, _OPEN)
            .subquery()
        )
        chosen = select(ranked).order_by(
            and_(ranked.c.tries > 0, ranked.c.rank > limit // 5), ranked.c.tries == 0, ranked.c.number
        )
        return await self._rows(chosen.limit(limit))

    async def still_open(self, import_id: int, numbers: Collection[int]) -> Sequence[ImportRow]:
        """Those of these rows that nobody has settled."""
        row = ListImportRow
        chosen = select(row.number, row.added_at).where(row.import_id == import_id, row.number.in_(numbers), _OPEN)
        return await self._rows(chosen.order_by(row.number))

    async def keep_movies(self, movie_ids: Collection[int]) -> AbstractSet[int]:
        """Those of these movies that are stored, which nobody deletes until the transaction ends."""
        kept = select(Movie.id).where(Movie.id.in_(movie_ids)).order_by(Movie.id)
        return set((await self._session.execute(kept.with_for_update(read=True, key_share=True))).scalars())

    async def settle(self, import_id: int, outcomes: Mapping[int, tuple[str, int | None]]) -> None:
        """Note what became of rows: by their numbers, the outcome and the movie."""
        if not outcomes:
            return
        unnested = func.unnest(
            literal(list(outcomes), ARRAY(Integer)),
            literal([outcome for outcome, _ in outcomes.values()], ARRAY(Text)),
            literal([movie_id for _, movie_id in outcomes.values()], ARRAY(BigInteger)),
        ).table_valued("number", "outcome", "movie_id")
        settled = unnested.render_derived(name="settled")
        row = ListImportRow
        of_them = update(row).where(row.import_id == import_id, row.number == settled.c.number)
        values = of_them.values(outcome=settled.c.outcome, movie_id=settled.c.movie_id)
        await self._session.execute(values, execution_options={"synchronize_session": False})
        await self._progressed(import_id)

    async def failed_at(self, import_id: int, numbers: Collection[int], most: int) -> None:
        """Note that upstream failed at rows; one at which it failed so often is not found."""
        if not numbers:
            return
        row = ListImportRow
        of_them = update(row).where(row.import_id == import_id, row.number.in_(numbers), _OPEN)
        outcome = case((row.tries + 1 >= most, NOT_FOUND))
        await self._session.execute(of_them.values(tries=row.tries + 1, outcome=outcome))
        await self._progressed(import_id)

    async def _rows(self, statement: Executable) -> Sequence[ImportRow]:
        return (await self._session.execute(statement)).all()

    async def _progressed(self, import_id: int) -> None:
        progressed = update(ListImport).where(ListImport.id == import_id)
        await self._session.execute(progressed.values(progress_at=func.now()))

    async def purge(self) -> None:
        """Forget imports that have ended long ago, and old budgets; end those that have lost their job."""
        lost = update(ListImport).where(
            ListImport.finished_at.is_(None), ListImport.progress_at < func.now() - ABANDONED
        )
        await self._session.execute(lost.values(status="failed", finished_at=func.now()))
        await self._session.execute(delete(ListImport).where(ListImport.finished_at < func.now() - KEPT))
        await self._session.execute(delete(UpstreamLookups).where(UpstreamLookups.day < func.current_date() - 2))
