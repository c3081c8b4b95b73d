"""The SQL of collections; that of the movies in them is in contents.py."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Row,
    Select,
    case,
    delete,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import User
from app.collections.access import Visitor, changeable_by, visible_to
from app.collections.models import Collection, CollectionCounts, CollectionMovie, CollectionSubscription
from app.collections.schemas import CollectionFilters
from app.core.ordering import order_by
from app.core.text import fold, like_pattern
from app.movies.models import Movie

CollectionRow = Row[Any]

PREVIEWED = 3
# What was subscribed to before is no news.
TREND = timedelta(days=30)


class CollectionRepository:
    """Reads and writes collections, as far as a visitor may see or change them; never commits."""

    def __init__(self, session: AsyncSession, visitor: Visitor) -> None:
        self._session = session
        self._visitor = visitor

    async def get(self, collection_id: int) -> CollectionRow | None:
        """The collection with this id, if the visitor sees it."""
        collection = self._collections().where(Collection.id == collection_id, visible_to(self._visitor))
        row: CollectionRow | None = (await self._session.execute(collection)).one_or_none()
        return row

    async def count(self, filters: CollectionFilters) -> int:
        """How many of the collections that the visitor sees match."""
        counted = select(func.count()).select_from(Collection).where(*self._conditions(filters))
        return (await self._session.execute(counted)).scalar_one()

    async def page(self, filters: CollectionFilters, ordering: str, limit: int, offset: int) -> Sequence[CollectionRow]:
        """A page of those; beside what clients may order by, `ordering` may have `recent` subscriptions."""
        keys: Mapping[str, ColumnElement[Any]] = {
            "created_at": Collection.__table__.c.created_at,
            "subscribers": CollectionCounts.__table__.c.subscribers_count,
        }
        chosen = select(Collection.id).join(CollectionCounts).where(*self._conditions(filters))
        if "recent" in ordering:
            recent = _recent_subscriptions().subquery("recent")
            chosen = chosen.outerjoin(recent, recent.c.collection_id == Collection.id)
            keys = {**keys, "recent": func.coalesce(recent.c.number, 0)}
        # The page is chosen first, by an index where the order has one, and joined afterwards.
        chosen = chosen.add_columns(*(key.label(name) for name, key in keys.items()))
        chosen = chosen.order_by(*order_by(ordering, keys, tie=Collection.__table__.c.id))
        page = chosen.limit(limit).offset(offset).subquery("page")
        in_order = order_by(ordering, {name: page.c[name] for name in keys}, tie=page.c.id)
        collections = self._collections().join(page, page.c.id == Collection.id).order_by(*in_order)
        rows: Sequence[CollectionRow] = (await self._session.execute(collections)).all()
        return rows

    async def add(self, **values: object) -> int:
        """A new collection of the visitor's."""
        new = insert(Collection).values(owner_id=self._visitor.user_id, **values)
        return (await self._session.execute(new.returning(Collection.id))).scalar_one()

    async def copy(self, collection_id: int) -> int | None:
        """A private collection of the visitor's like the one with this id, without movies so far.

        The original stays as it is until the transaction ends. None where the visitor does not see it.
        """
        names = ["name", "folded_name", "description", "design"]
        columns = [Collection.__table__.c[name] for name in names]
        original = (
            select(*columns)
            .where(Collection.id == collection_id, visible_to(self._visitor))
            .with_for_update(read=True)
            .cte("original")
        )
        copied = select(literal(self._visitor.user_id), *original.c)
        new = insert(Collection).from_select(["owner_id", *names], copied).returning(Collection.id)
        return (await self._session.execute(new)).scalar()

    async def change(self, collection_id: int, **values: object) -> bool:
        """Change a collection, which nobody else changes until the transaction ends.

        False, and no change, where there is none with this id that the visitor may change.
        """
        differs = [Collection.__table__.c[name].is_distinct_from(value) for name, value in values.items()]
        if "name" in values:
            values["folded_name"] = fold(str(values["name"]))
        updated_at = case((or_(false(), *differs), func.clock_timestamp()), else_=Collection.updated_at)
        changed = (
            update(Collection)
            .where(Collection.id == collection_id, changeable_by(self._visitor))
            .values(**values, updated_at=updated_at)
            .returning(Collection.id)
        )
        return (await self._session.execute(changed)).scalar() is not None

    async def delete(self, collection_id: int) -> bool:
        """Delete a collection; False where there is none with this id that the visitor may change."""
        doomed = delete(Collection).where(Collection.id == collection_id, changeable_by(self._visitor))
        return (await self._session.execute(doomed.returning(Collection.id))).scalar() is not None

    async def subscribe(self, user_id: int, collection_id: int) -> bool:
        """The user follows a collection, unless it is their own; False where the visitor does not see it."""
        seen = (
            select(Collection.id, Collection.owner_id)
            .where(Collection.id == collection_id, visible_to(self._visitor))
            .with_for_update(read=True, key_share=True)
            .cte("seen")
        )
        others = select(literal(user_id), seen.c.id).where(seen.c.owner_id != user_id)
        added = insert(CollectionSubscription).from_select(["user_id", "collection_id"], others)
        outcome = select(exists(select(seen.c.id))).add_cte(added.on_conflict_do_nothing().cte("added"))
        return (await self._session.execute(outcome)).scalar_one()

    async def unsubscribe(self, user_id: int, collection_id: int) -> bool:
        """The user follows a collection no longer; False where the visitor does not see it."""
        seen = select(Collection.id).where(Collection.id == collection_id, visible_to(self._visitor)).cte("seen")
        removed = delete(CollectionSubscription).where(
            CollectionSubscription.user_id == user_id, CollectionSubscription.collection_id.in_(select(seen.c.id))
        )
        outcome = select(exists(select(seen.c.id))).add_cte(removed.cte("removed"))
        return (await self._session.execute(outcome)).scalar_one()

    def _collections(self) -> Select[Any]:
        """Collections as the visitor sees them: one row each."""
        owners_address = select(User.email).where(User.id == Collection.owner_id).scalar_subquery()
        return select(
            Collection.id,
            Collection.name,
            Collection.description,
            Collection.design,
            Collection.is_public,
            Collection.owner_id,
            case((changeable_by(self._visitor), owners_address)).label("owner_email"),
            CollectionCounts.movies_count,
            self._is_subscribed().label("is_subscribed"),
            CollectionCounts.subscribers_count,
            _preview().label("preview_movies"),
            Collection.created_at,
            Collection.updated_at,
        ).join(CollectionCounts)

    def _is_subscribed(self) -> ColumnElement[bool]:
        if self._visitor.user_id is None:
            return literal(value=False)
        follows = CollectionSubscription.user_id == self._visitor.user_id
        return exists().where(follows, CollectionSubscription.collection_id == Collection.id)

    def _conditions(self, filters: CollectionFilters) -> list[ColumnElement[bool]]:
        conditions = [visible_to(self._visitor)]
        if filters.is_public is not None:
            conditions.append(Collection.is_public.is_(filters.is_public))
        if filters.owner_id is not None:
            conditions.append(Collection.owner_id == filters.owner_id)
        if filters.subscribed is not None:
            conditions.append(self._is_subscribed() if filters.subscribed else ~self._is_subscribed())
        if filters.search:
            words = dict.fromkeys(fold(filters.search).split())
            named = [Collection.folded_name.like(f"%{like_pattern(word)}%") for word in words]
            conditions += named or [false()]  # no word: nothing but accents
        return conditions


def _recent_subscriptions() -> Select[int, int]:
    return (
        select(CollectionSubscription.collection_id, func.count().label("number"))
        .where(CollectionSubscription.created_at > func.now() - TREND)
        .group_by(CollectionSubscription.collection_id)
    )


def _preview() -> ColumnElement[Any]:
    """The first movies of a collection that have a poster, as JSON."""
    first = (
        select(func.json_build_object("id", Movie.id, "title", Movie.title, "poster", Movie.poster))
        .join(CollectionMovie, CollectionMovie.movie_id == Movie.id)
        .where(CollectionMovie.collection_id == Collection.id, Movie.poster.is_not(None))
        .order_by(CollectionMovie.position, CollectionMovie.movie_id)
        .limit(PREVIEWED)
    )
    return func.to_json(func.array(first.scalar_subquery()), type_=JSON)
