"""Whether the ids of the Django service's rows are free here, or those rows' own already."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import User
from app.collections.models import Collection
from app.core.database import Base
from app.movies.models import Movie
from app.takeover.problems import TakeoverRefused
from app.takeover.staging import COLLECTIONS, MOVIES, USERS, taken

ADVICE = "Nothing was changed. Move into a database that has only been migrated, without the sample catalogue."
EXAMPLES = 3
_ANOTHERS = "{count} {name} here have an id of another there (such as {ids})"
_OTHERWHERE = "{count} {name} there are here under another id (such as {ids} there)"


async def refuse_taken_ids(session: AsyncSession) -> None:
    """Refuse where an id is that of another row here.

    A movie is known again by its IMDb id, a user by the address or the moment of the signup, a collection by its owner
    and the moment it was made.

    Raises:
        TakeoverRefused: it is.
    """
    another_user = (User.id == USERS.c.id, User.email != USERS.c.email, User.created_at != USERS.c.created_at)
    same_collection = (Collection.owner_id == COLLECTIONS.c.owner_id) & (
        Collection.created_at == COLLECTIONS.c.created_at
    )
    await _refuse(
        session,
        [
            (Movie, [MOVIES.c.id == Movie.id, MOVIES.c.imdb_id != Movie.imdb_id], _ANOTHERS),
            (Movie, [MOVIES.c.imdb_id == Movie.imdb_id, MOVIES.c.id != Movie.id], _OTHERWHERE),
            (User, another_user, _ANOTHERS),
            (Collection, [COLLECTIONS.c.id == Collection.id, ~same_collection], _ANOTHERS),
        ],
    )


async def refuse_taken_accounts(session: AsyncSession) -> None:
    """Refuse where an address or a Google account is that of another user here; once changed addresses are known.

    Raises:
        TakeoverRefused: it is.
    """
    await _refuse(
        session,
        [
            (User, [USERS.c.email == User.email, USERS.c.id != User.id], _OTHERWHERE),
            (User, [USERS.c.google_subject == User.google_subject, USERS.c.id != User.id], _OTHERWHERE),
        ],
    )


_STAGED = {Movie: MOVIES, User: USERS, Collection: COLLECTIONS}


async def _refuse(
    session: AsyncSession, collisions: Sequence[tuple[type[Base], Sequence[ColumnElement[bool]], str]]
) -> None:
    found = []
    for model, conditions, sentence in collisions:
        staged = _STAGED[model]
        colliding = select(staged.c.id).join(model, conditions[0]).where(taken(staged), *conditions[1:]).subquery()
        examples = select(colliding.c.id).order_by(colliding.c.id).limit(EXAMPLES)
        count = (await session.execute(select(func.count()).select_from(colliding))).scalar_one()
        if count:
            ids = ", ".join(map(str, (await session.execute(examples)).scalars()))
            found.append(sentence.format(count=count, name=model.__tablename__, ids=ids))
    if found:
        raise TakeoverRefused(f"the ids collide: {'; '.join(found)}. {ADVICE}")
