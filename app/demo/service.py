"""Loading the demo data."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.passwords import Passwords
from app.auth.repository import UserRepository
from app.core.database import Database
from app.demo.people import DemoPerson, demo_people
from app.demo.repository import DemoRepository
from app.movies.likes import LikeRepository
from app.movies.repository import MovieRepository
from app.watch_later.repository import QueueRepository

PASSWORD_BYTES = 12


@dataclass(frozen=True)
class DemoAccount:
    """An account of the demo data; the password is known only to who made it."""

    email: str
    password: str | None


async def load_demo(database: Database, passwords: Passwords) -> list[DemoAccount]:
    """Add the people of the demo data, with all that is theirs; the sample catalogue must be there.

    May be done again and again. Who is there stays as they are: the password too, which nobody can tell any more.
    """
    people = demo_people()
    # Hashed before the transaction: it takes a while.
    secret = {person.email: secrets.token_urlsafe(PASSWORD_BYTES) for person in people}
    hashes = {email: await passwords.hash(password) for email, password in secret.items()}

    async def add(session: AsyncSession) -> set[str]:
        new = {person.email for person in people if await _add_person(session, person, hashes[person.email])}
        if new:
            owners = [person.email for person in people]
            for person in people:
                await DemoRepository(session).subscribe(person.email, person.subscriptions, owners)
        return new

    new = await database.write(add)
    return [DemoAccount(person.email, secret[person.email] if person.email in new else None) for person in people]


async def _add_person(session: AsyncSession, person: DemoPerson, password: str) -> bool:
    """Whether the person is new; if so, they are added with their lists and collections."""
    user_id = await UserRepository(session).add(person.email, password=password, email_verified=True)
    if user_id is None:
        return False
    stored = await MovieRepository(session).by_imdb_id(sorted(person.films()))
    ids = {imdb_id: row.id for imdb_id, row in stored.items()}
    for movie_id in sorted(_ids(ids, person.likes)):
        await LikeRepository(session).add(user_id, movie_id)
    for movie_id in sorted(_ids(ids, person.watch_later)):
        await QueueRepository(session).add(user_id, movie_id)
    for group in person.collections:
        await DemoRepository(session).add_collection(user_id, group.name, group.description, _ids(ids, group.films))
    return True


def _ids(ids: Mapping[str, int], films: Sequence[str]) -> list[int]:
    return [ids[film] for film in films]
