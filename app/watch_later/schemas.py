"""The watch-later list as clients see it."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.core.ordering import ordering_check
from app.core.pagination import Page
from app.core.text import Text
from app.movies.schemas import ABSENT_WHEN_BLANK, INCEPTION, MOVIE_ORDERINGS, Movie, MovieFilters, UtcTime

DEFAULT_QUEUE_ORDERING = "-added_at"
_ORDERINGS = (*MOVIE_ORDERINGS, "added_at")
_Ordering = Annotated[Text, AfterValidator(ordering_check(*_ORDERINGS))]


class QueuedMovie(Movie):
    """A movie, and since when it is on the list."""

    model_config = ConfigDict(
        json_schema_extra={"example": {**INCEPTION, "is_watch_later": True, "added_at": "2026-01-02T00:00:00Z"}}
    )

    added_at: UtcTime


class QueuedMoviePage(Page[QueuedMovie]):
    """A page of the list."""


class QueueQuery(MovieFilters):
    """What the list is asked for, apart from the page."""

    ordering: Annotated[_Ordering | None, *ABSENT_WHEN_BLANK] = Field(
        None,
        description=f"Comma-separated: {', '.join(_ORDERINGS)}; a leading - for descending. The unknown comes last "
        f"either way. Default: relevance with `search`, else {DEFAULT_QUEUE_ORDERING}.",
        examples=["added_at"],
    )


class NewEntry(BaseModel):
    """What to put on the list."""

    model_config = ConfigDict(json_schema_extra={"example": {"movie": 1}})

    movie: Annotated[int, Field(ge=1, le=2**63 - 1, strict=True, description="The movie's id.")]


class Entry(BaseModel):
    """An entry of the list."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": 7, "movie": 1}})

    id: int
    movie: int


class RatingBands(BaseModel):
    """How many movies have an IMDb rating in each band; a band's lower bound belongs to it."""

    ratings_9_plus: int
    ratings_8_to_9: int
    ratings_7_to_8: int
    ratings_6_to_7: int
    ratings_5_to_6: int
    ratings_below_5: int


class GenreCount(BaseModel):
    """How many movies are of a genre."""

    genre: str
    count: int


_EXAMPLE: dict[str, Any] = {
    "total": 3,
    "unrated": 1,
    "ratings": {
        "ratings_9_plus": 0,
        "ratings_8_to_9": 2,
        "ratings_7_to_8": 0,
        "ratings_6_to_7": 0,
        "ratings_5_to_6": 0,
        "ratings_below_5": 0,
    },
    "genres": [{"genre": "Drama", "count": 2}, {"genre": "Crime", "count": 1}],
}


class QueueStatistics(BaseModel):
    """The list in numbers."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    total: int
    unrated: int = Field(description="Movies whose IMDb rating is not known; they are in no band.")
    ratings: RatingBands
    genres: list[GenreCount] = Field(description="The most frequent first, then by name.")
