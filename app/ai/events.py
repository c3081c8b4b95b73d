"""What happens in an AI search, in its order."""

from dataclasses import dataclass, field
from typing import Literal

from app.movies.repository import MovieRow
from app.movies.schemas import Marks

Source = Literal["claude", "catalogue"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is: of the titles that were suggested, so many have been looked for."""

    phase: Literal["thinking", "resolving"]
    done: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """A movie is found.

    Attributes:
        place: among all that are found, from 0; as they come they may be out of order.
        score: 0 to 100, how well it fits.
        reason: why, in a sentence; None where nobody says.
        marks: what the caller has to do with it.
    """

    place: int
    movie: MovieRow
    score: int
    reason: str | None = None
    marks: Marks = field(default_factory=Marks)


@dataclass(frozen=True, slots=True)
class Finished:
    """The search is at its end."""

    count: int
    source: Source


Event = Progress | Match | Finished
