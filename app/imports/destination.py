"""What an import needs to know of the list that it goes into; the rooms of the lists say it, above this one."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

Kind = Literal["watch_later", "collection"]


@dataclass(frozen=True, slots=True)
class Target:
    """The list that an import goes into.

    Attributes:
        collection_id: None for the user's watch-later list, or for a collection that is gone.
        created_at: when the import began.
    """

    import_id: int
    user_id: int
    kind: Kind
    collection_id: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """A movie that goes onto a list.

    Attributes:
        number: of its row in the file; the rows order the list.
        added_at: as the file says.
    """

    number: int
    movie_id: int
    added_at: datetime | None


class Destination(Protocol):
    """A kind of list."""

    async def hold(self, session: AsyncSession, target: Target) -> bool:
        """Let nobody delete the list until the transaction ends; False where it is gone."""

    async def add(self, session: AsyncSession, target: Target, entries: Sequence[Entry]) -> AbstractSet[int]:
        """Put the movies onto the list, and say which of them were not on it; they are stored, and each comes once."""
