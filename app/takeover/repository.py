"""From the staged rows into the service's tables, set by set. Never commits."""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Insert,
    Select,
    Table,
    Update,
    and_,
    case,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy import delete as delete_from
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import AccountTier, User
from app.collections.models import Collection, CollectionCounts, CollectionMovie, CollectionSubscription
from app.core.database import Base
from app.movies.models import Like, Movie, MovieCounts, WatchLater
from app.takeover.staging import (
    COLLECTION_MOVIES,
    COLLECTIONS,
    GOOGLE_ACCOUNTS,
    LIKES,
    MOVIES,
    SUBSCRIPTIONS,
    TIERS,
    USERS,
    WATCH_LATER,
    taken,
)

TARGETS = (AccountTier, User, Movie, Like, WatchLater, Collection, CollectionMovie, CollectionSubscription)
# Those whose ids are kept: new rows get later ones.
NUMBERED = ((User, USERS), (Movie, MOVIES), (WatchLater, WATCH_LATER), (Collection, COLLECTIONS))
# How long others' transactions may keep a table.
LOCK_TIMEOUT = "30s"


class TakeoverRepository:
    """Adds what is new there, and brings up to date what nobody has changed here since.

    It takes nothing away, but from a collection the movies that it has lost there. Each `copy_…` gives the numbers of
    rows that are new, and that were changed.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock(self) -> None:
        """Keep writers out until the transaction ends, so that what is found now still holds then; readers go on."""
        names = ", ".join(model.__tablename__ for model in TARGETS)
        await self._session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        await self._session.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))

    async def set_sequences(self) -> None:
        """Let new rows get ids after those of the source, those left out included: they may be taken another time."""
        for model, staged in NUMBERED:
            sequence = f"{model.__tablename__}_id_seq"
            last = select(text("last_value")).select_from(text(sequence)).scalar_subquery()
            highest = func.greatest(
                last, select(func.max(model.__table__.c.id)).scalar_subquery(), func.max(staged.c.id)
            )
            # A sequence is not taken back with the transaction: what is lost then are numbers.
            await self._session.execute(select(func.setval(sequence, highest)).having(func.count(staged.c.id) > 0))

    async def copy_tiers(self) -> tuple[int, int]:
        """Tiers are known by their codes; one that is here stays as it is, the default too."""
        columns = [AccountTier.code, AccountTier.name, AccountTier.daily_ai_search_limit]
        new = ~exists().where(AccountTier.code == TIERS.c.code)
        return await self._insert(TIERS, columns, new), 0

    async def update_users(self) -> int:
        """Bring users up to date who have not used their account here since."""
        await self._session.execute(update(USERS).values(account_tier_id=_tier()))
        linked = and_(GOOGLE_ACCOUNTS.c.user_id == USERS.c.id, taken(GOOGLE_ACCOUNTS))
        await self._session.execute(update(USERS).where(linked).values(google_subject=GOOGLE_ACCOUNTS.c.subject))
        unused = and_(
            User.session_version == 1,
            or_(User.last_login_at.is_(None), User.last_login_at <= USERS.c.last_login_at),
        )
        kept_proof = and_(User.email_verified, User.email == USERS.c.email)
        values = {column.name: USERS.c[column.name] for column in _USER_STATE} | {
            "email_verified": or_(kept_proof, USERS.c.email_verified),
            "google_subject": func.coalesce(USERS.c.google_subject, User.google_subject),
        }
        return await self._update(User, USERS, values, unused)

    async def add_users(self) -> int:
        """Add users that are not here."""
        return await self._insert(USERS, [User.id, User.created_at, *_USER_STATE], _is_new(User, USERS))

    async def copy_movies(self) -> tuple[int, int]:
        """A movie that is here stays as it is, unless the source has asked upstream later."""
        columns = [column for column in Movie.__table__.c if column.computed is None]
        later = or_(Movie.refreshed_at.is_(None), Movie.refreshed_at < MOVIES.c.refreshed_at)
        facts = {column.name: MOVIES.c[column.name] for column in columns if column.name not in {"id", "created_at"}}
        changed = await self._update(Movie, MOVIES, facts, later)
        return await self._insert(MOVIES, columns, _is_new(Movie, MOVIES)), changed

    async def copy_likes(self) -> tuple[int, int]:
        """A like is there, or it is not."""
        columns = [Like.user_id, Like.movie_id, Like.created_at]
        return await self._insert(LIKES, columns, _is_missing(Like, LIKES, "user_id", "movie_id")), 0

    async def copy_watch_later(self) -> tuple[int, int]:
        """An entry keeps its id, unless another has been added here under it since."""
        columns = [WatchLater.id, WatchLater.user_id, WatchLater.movie_id, WatchLater.added_at]
        is_taken = exists().where(WatchLater.id == WATCH_LATER.c.id)
        free_id = case((is_taken, func.nextval("watch_later_id_seq")), else_=WATCH_LATER.c.id)
        missing = _is_missing(WatchLater, WATCH_LATER, "user_id", "movie_id")
        return await self._insert(WATCH_LATER, columns, missing, id=free_id), 0

    async def copy_collections(self) -> tuple[int, int]:
        """A collection that has been changed here since stays as it is, with its movies."""
        changed_here = exists().where(
            Collection.id == COLLECTIONS.c.id, Collection.updated_at > COLLECTIONS.c.updated_at
        )
        await self._session.execute(update(COLLECTIONS).values(changed_here=changed_here))
        columns = [column for column in Collection.__table__.c if column.name != "id"]
        values = {column.name: COLLECTIONS.c[column.name] for column in columns}
        changed = await self._update(Collection, COLLECTIONS, values, ~COLLECTIONS.c.changed_here)
        return await self._insert(COLLECTIONS, list(Collection.__table__.c), _is_new(Collection, COLLECTIONS)), changed

    async def copy_collection_movies(self) -> tuple[int, int]:
        """The movies of a collection are those of the source, in their order, unless it has been changed here since."""
        ours = exists().where(COLLECTIONS.c.id == COLLECTION_MOVIES.c.collection_id, ~COLLECTIONS.c.changed_here)
        same = _same(CollectionMovie, COLLECTION_MOVIES, "collection_id", "movie_id")
        theirs = exists().where(COLLECTIONS.c.id == CollectionMovie.collection_id, ~COLLECTIONS.c.changed_here)
        gone = ~exists().where(same, taken(COLLECTION_MOVIES))
        await self._session.execute(delete_from(CollectionMovie).where(theirs, gone))
        values = {"position": COLLECTION_MOVIES.c.position, "added_at": COLLECTION_MOVIES.c.added_at}
        changed = await self._update(CollectionMovie, COLLECTION_MOVIES, values, ours, same=same)
        missing = and_(ours, _is_missing(CollectionMovie, COLLECTION_MOVIES, "collection_id", "movie_id"))
        return await self._insert(COLLECTION_MOVIES, list(CollectionMovie.__table__.c), missing), changed

    async def copy_subscriptions(self) -> tuple[int, int]:
        """A subscription is there, or it is not."""
        columns = list(CollectionSubscription.__table__.c)
        missing = _is_missing(CollectionSubscription, SUBSCRIPTIONS, "user_id", "collection_id")
        return await self._insert(SUBSCRIPTIONS, columns, missing), 0

    async def recount(self) -> None:
        """Make the counters what the rows say, whatever they said before."""
        counted = [
            (
                MovieCounts,
                MovieCounts.movie_id,
                {"likes_count": Like.movie_id, "watch_later_count": WatchLater.movie_id},
            ),
            (
                CollectionCounts,
                CollectionCounts.collection_id,
                {
                    "movies_count": CollectionMovie.collection_id,
                    "subscribers_count": CollectionSubscription.collection_id,
                },
            ),
        ]
        for counts, key, columns in counted:
            for name, reference in columns.items():
                number = select(func.count()).where(reference == key).scalar_subquery()
                wrong = counts.__table__.c[name] != number
                await self._session.execute(update(counts).where(wrong).values({name: number}))

    async def analyze(self) -> None:
        """Let the first requests be planned for what is there now."""
        names = [model.__tablename__ for model in (*TARGETS, MovieCounts, CollectionCounts)]
        await self._session.execute(text(f"ANALYZE {', '.join(names)}, movie_genres"))

    async def _insert(
        self, staged: Table, columns: list[Any], new: ColumnElement[bool], **instead: ColumnElement[Any]
    ) -> int:
        """Add staged rows, in the order of their ids, and give their number."""
        rows: Select[Any] = select(*(instead.get(column.name, staged.c[column.name]) for column in columns))
        target = columns[0].table if hasattr(columns[0], "table") else columns[0].class_.__table__
        added = insert(target).from_select(
            [column.name for column in columns], rows.where(taken(staged), new).order_by(staged.c.id)
        )
        return await self._rows(added)

    async def _update(
        self,
        model: type[Base],
        staged: Table,
        values: Mapping[str, ColumnElement[Any]],
        condition: ColumnElement[bool],
        *,
        same: ColumnElement[bool] | None = None,
    ) -> int:
        """Change rows to what is staged, where that says something else, and give their number."""
        columns = model.__table__.c
        differs = tuple_(*(columns[name] for name in values)).is_distinct_from(tuple_(*values.values()))
        same = columns.id == staged.c.id if same is None else same
        return await self._rows(update(model).where(same, taken(staged), condition, differs).values(values))

    async def _rows(self, statement: Insert | Update) -> int:
        return cast("CursorResult[Any]", await self._session.execute(statement)).rowcount


_USER_STATE = [
    User.email,
    User.email_verified,
    User.password,
    User.google_subject,
    User.is_active,
    User.is_staff,
    User.account_tier_id,
    User.last_login_at,
]


def _tier() -> ColumnElement[int]:
    """The tier of the same code, else the default."""
    same = select(AccountTier.id).where(AccountTier.code == USERS.c.tier_code).scalar_subquery()
    return func.coalesce(same, select(AccountTier.id).where(AccountTier.is_default).scalar_subquery())


def _is_new(model: type[Base], staged: Table) -> ColumnElement[bool]:
    return ~exists().where(model.__table__.c.id == staged.c.id)


def _same(model: type[Base], staged: Table, *keys: str) -> ColumnElement[bool]:
    return and_(*(model.__table__.c[key] == staged.c[key] for key in keys))


def _is_missing(model: type[Base], staged: Table, *keys: str) -> ColumnElement[bool]:
    return ~exists().where(_same(model, staged, *keys))
