"""Who may see a collection, and who may change it: every query of collections goes through these conditions.

A public collection is seen by everybody, a private one by its owner and by staff; both are changed by owner and staff.
What lies below a collection (its movies, its subscriptions, its copies) is seen by whoever sees the collection.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.caller import Caller
from app.auth.problems import Unauthorized
from app.collections.models import Collection
from app.core.problems import Problem


class CollectionNotFound(Problem):
    """No collection has this id."""

    status = 404
    code = "collection_not_found"
    detail = "There is no collection with this id."


class CollectionForbidden(Problem):
    """The collection is somebody else's: it is private, or this is for its owner alone."""

    status = 403
    code = "not_the_owner"
    detail = "This collection is not yours, and its owner does not let you do that."


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at collections.

    Attributes:
        user_id: None for somebody who is not logged in.
    """

    user_id: int | None = None
    is_staff: bool = False

    @classmethod
    def of(cls, caller: Caller | None) -> "Visitor":
        """The caller of a request."""
        return cls(caller.id, caller.user.is_staff) if caller else ANYBODY


ANYBODY = Visitor()


def visible_to(visitor: Visitor) -> ColumnElement[bool]:
    """The collections that the visitor may see."""
    return or_(Collection.is_public, changeable_by(visitor))


def changeable_by(visitor: Visitor) -> ColumnElement[bool]:
    """The collections that the visitor may change, and whose owner's address the visitor may know."""
    if visitor.is_staff:
        return true()
    if visitor.user_id is None:
        return false()
    return Collection.owner_id == visitor.user_id


async def refusal(session: AsyncSession, collection_id: int, visitor: Visitor) -> Problem:
    """Why a statement under one of the conditions above did not find the collection."""
    known = select(exists().where(Collection.id == collection_id))
    if not (await session.execute(known)).scalar_one():
        return CollectionNotFound()
    return Unauthorized() if visitor.user_id is None else CollectionForbidden()


async def require(session: AsyncSession, collection_id: int, visitor: Visitor, allowed: ColumnElement[bool]) -> None:
    """See to it that one of the conditions above allows the collection.

    Raises:
        CollectionNotFound: there is none with this id.
        Unauthorized: it needs somebody who is logged in.
        CollectionForbidden: it is somebody else's.
    """
    found = select(exists().where(Collection.id == collection_id, allowed))
    if not (await session.execute(found)).scalar_one():
        raise await refusal(session, collection_id, visitor)
