"""Which of the staged rows are taken, and why the others are not."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import User
from app.movies.models import Movie
from app.takeover.staging import (
    COLLECTION_MOVIES,
    COLLECTIONS,
    GOOGLE_ACCOUNTS,
    LIKES,
    MOVIES,
    SUBSCRIPTIONS,
    USERS,
    WATCH_LATER,
    taken,
)

# What a row hangs on: without it, it cannot be taken.
PARENTS = (
    (GOOGLE_ACCOUNTS, "user_id", USERS, "user"),
    (LIKES, "user_id", USERS, "user"),
    (LIKES, "movie_id", MOVIES, "movie"),
    (WATCH_LATER, "user_id", USERS, "user"),
    (WATCH_LATER, "movie_id", MOVIES, "movie"),
    (COLLECTIONS, "owner_id", USERS, "user"),
    (COLLECTION_MOVIES, "collection_id", COLLECTIONS, "collection"),
    (COLLECTION_MOVIES, "movie_id", MOVIES, "movie"),
    (SUBSCRIPTIONS, "user_id", USERS, "user"),
    (SUBSCRIPTIONS, "collection_id", COLLECTIONS, "collection"),
)


class Selection:
    """Marks what is left out; each rule looks at what the rules before it have left."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def select(self) -> None:
        """Mark every row that cannot be taken.

        Of accounts whose addresses differ only in case, one is kept: that which is here already, else an active one,
        one whose address is proved, the one that logged in last, the oldest. The others wait in the source, with
        all that is theirs, until they are given another address there.
        """
        is_here = exists().where(User.id == USERS.c.id, User.email == USERS.c.email)
        best = [
            is_here.desc(),
            USERS.c.is_active.desc(),
            USERS.c.email_verified.desc(),
            USERS.c.last_login_at.desc().nulls_last(),
        ]
        await self._keep_one(USERS, ["email"], best, "the address of user %s in other capitals")
        is_here = exists().where(Movie.id == MOVIES.c.id, Movie.imdb_id == MOVIES.c.imdb_id)
        await self._keep_one(MOVIES, ["imdb_id"], [is_here.desc()], "the IMDb id of movie %s")
        for table, column, parent, name in PARENTS:
            await self._leave_out_orphans(table, column, parent, name)
        latest = [GOOGLE_ACCOUNTS.c.last_login_at.desc().nulls_last()]
        await self._keep_one(GOOGLE_ACCOUNTS, ["subject"], latest, "the Google account of another user")
        await self._keep_one(GOOGLE_ACCOUNTS, ["user_id"], latest, "a second Google account of its user")
        for table in (LIKES, WATCH_LATER):
            await self._keep_one(table, ["user_id", "movie_id"], [], "there twice")
        first = [COLLECTION_MOVIES.c.position]
        await self._keep_one(COLLECTION_MOVIES, ["collection_id", "movie_id"], first, "there twice")
        await self._keep_one(SUBSCRIPTIONS, ["user_id", "collection_id"], [], "there twice")
        own = exists().where(
            COLLECTIONS.c.id == SUBSCRIPTIONS.c.collection_id, COLLECTIONS.c.owner_id == SUBSCRIPTIONS.c.user_id
        )
        await self._leave_out(SUBSCRIPTIONS, "a subscription to one's own collection", own)

    async def number_positions(self) -> Sequence[int]:
        """Give the movies of a collection positions of their own, where several stand at one; these collections' ids.

        They stay in their order, those at one position in the order in which they were added.
        """
        movies = COLLECTION_MOVIES.c
        collections = select(movies.collection_id).where(taken(COLLECTION_MOVIES)).group_by(movies.collection_id)
        ambiguous = collections.having(func.count() != func.count(movies.position.distinct()))
        number = func.row_number().over(partition_by=movies.collection_id, order_by=[movies.position, movies.id])
        numbered = select(movies.id, number.label("number")).where(
            taken(COLLECTION_MOVIES), movies.collection_id.in_(ambiguous)
        )
        ids = (await self._session.execute(ambiguous.order_by(movies.collection_id))).scalars().all()
        new = numbered.subquery()
        renumbered = update(COLLECTION_MOVIES).where(movies.id == new.c.id).values(position=new.c.number)
        await self._session.execute(renumbered)
        return ids

    async def _leave_out_orphans(self, table: Table, column: str, parent: Table, name: str) -> None:
        refers = parent.c.id == table.c[column]
        gone = ~exists().where(refers)
        await self._leave_out(table, func.format(f"there is no {name} %s", table.c[column]), gone)
        left_out = exists().where(refers, parent.c.left_out.is_not(None))
        await self._leave_out(table, func.format(f"{name} %s was left out", table.c[column]), left_out)

    async def _keep_one(
        self, table: Table, keys: list[str], best_first: Sequence[ColumnElement[Any]], reason: str
    ) -> None:
        """Leave out what has the same key as a better row; `reason` may name that row's id as %s."""
        order = [*best_first, table.c.id]
        best = func.first_value(table.c.id).over(partition_by=[table.c[key] for key in keys], order_by=order)
        rivals = select(table.c.id, best.label("kept")).where(taken(table)).subquery()
        beaten = and_(table.c.id == rivals.c.id, rivals.c.id != rivals.c.kept)
        await self._leave_out(table, func.format(reason, rivals.c.kept), beaten)

    async def _leave_out(self, table: Table, reason: object, condition: ColumnElement[bool]) -> None:
        await self._session.execute(update(table).where(taken(table), condition).values(left_out=reason))
