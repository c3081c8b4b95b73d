"""Collections as clients see them, and what they send."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from app.core.ordering import ordering_check
from app.core.pagination import Page
from app.core.text import IsText, Text
from app.movies.schemas import ABSENT_WHEN_BLANK, ImdbRating, MovieFilters, Substring, UtcTime

MAX_NAME_LENGTH = 255
MAX_DESCRIPTION_LENGTH = 1000
MAX_DESIGN_LENGTH = 255
MAX_MOVIES = 5000
MAX_ID = 2**63 - 1

_COLLECTION: dict[str, Any] = {
    "id": 1,
    "name": "Heists that go wrong",
    "description": "Plans, and what becomes of them.",
    "design": "midnight",
    "is_public": True,
    "owner_id": 1,
    "owner_email": None,
    "movies_count": 12,
    "is_subscribed": False,
    "subscribers_count": 3,
    "preview_movies": [{"id": 1, "title": "Inception", "poster": "https://posters.example/inception.jpg"}],
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-02T00:00:00Z",
}
_MOVIE: dict[str, Any] = {
    "id": 1,
    "title": "Inception",
    "imdb_id": "tt1375666",
    "poster": None,
    "year": "2010",
    "description": "A thief who steals secrets out of dreams is hired to leave one behind instead.",
    "imdb_rating": "8.8",
}


class PreviewMovie(BaseModel):
    """A movie of a collection, to show what is in it."""

    id: int
    title: str
    poster: str


class Collection(BaseModel):
    """A group of movies that somebody put together."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _COLLECTION})

    id: int
    name: str
    description: str | None
    design: str | None = Field(description="How a front end shows it: a word of the front end's own.")
    is_public: bool = Field(description="Whether everybody may see it; a private one is for its owner and staff.")
    owner_id: int
    owner_email: str | None = Field(description="Null for everybody but the owner and staff.")
    movies_count: int
    is_subscribed: bool = Field(description="Whether the caller follows it; false when anonymous.")
    subscribers_count: int
    preview_movies: list[PreviewMovie] = Field(description="The first three that have a poster.")
    created_at: UtcTime
    updated_at: UtcTime


class CollectionPage(Page[Collection]):
    """A page of collections."""


class CollectedMovie(BaseModel):
    """A movie of a collection; what is unknown is null."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _MOVIE})

    id: int
    title: str
    imdb_id: str
    poster: str | None
    year: str | None
    description: str | None = Field(validation_alias="plot", description="The plot.")
    imdb_rating: ImdbRating


class CollectedMoviePage(Page[CollectedMovie]):
    """A page of a collection's movies."""


def _null_when_blank(text: str | None) -> str | None:
    return text or None


_Stripped = StringConstraints(strict=True, strip_whitespace=True)
_Name = Annotated[str, _Stripped, StringConstraints(min_length=1, max_length=MAX_NAME_LENGTH), IsText]
_Description = Annotated[
    Annotated[str, _Stripped, StringConstraints(max_length=MAX_DESCRIPTION_LENGTH), IsText] | None,
    AfterValidator(_null_when_blank),
]
_Design = Annotated[
    Annotated[str, _Stripped, StringConstraints(max_length=MAX_DESIGN_LENGTH), IsText] | None,
    AfterValidator(_null_when_blank),
]
_Flag = Annotated[bool, Field(strict=True)]
_MovieId = Annotated[int, Field(ge=1, le=MAX_ID, strict=True)]


def _without_duplicates(movie_ids: list[int]) -> list[int]:
    return list(dict.fromkeys(movie_ids))


_MovieIds = Annotated[list[_MovieId], Field(max_length=MAX_MOVIES), AfterValidator(_without_duplicates)]
_MOVIES = "Ids of movies, in the collection's order; a repeated one counts where it comes first."


class NewCollection(BaseModel):
    """A new collection."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"name": "Heists that go wrong", "description": None, "is_public": True, "movie_ids": [3, 1]}
        }
    )

    name: _Name = Field(description="Without white space around it.")
    description: _Description = Field(None, description="Null or blank for none.")
    design: _Design = Field(None, description="How a front end shows it: a word of the front end's own.")
    is_public: _Flag = Field(default=False, description="Whether everybody may see it.")
    movie_ids: _MovieIds = Field([], description=_MOVIES)


class CollectionChanges(BaseModel):
    """What to change; what is not sent stays as it is."""

    # What stands for a field that was not sent is never read: `model_fields_set` tells which were.

    model_config = ConfigDict(json_schema_extra={"example": {"name": "Heists that go right", "movie_ids": [1, 3]}})

    name: _Name = Field(default_factory=str, description="Without white space around it.")
    description: _Description = Field(None, description="Null or blank for none.")
    design: _Design = Field(None, description="Null or blank for none.")
    is_public: _Flag = Field(default_factory=bool, description="Whether everybody may see it.")
    movie_ids: _MovieIds = Field(
        default_factory=list, description=f"{_MOVIES} They take the place of all that are in it."
    )


COLLECTION_ORDERINGS = ("subscribers", "created_at")
DEFAULT_ORDERING = "-created_at"
# By the subscriptions of the last 30 days, then all of them, then the newest.
TRENDING = "-recent,-subscribers,-created_at"
SORTS = {"trending": TRENDING, "newest": "-created_at", "oldest": "created_at"}
_Id = Annotated[int, Field(ge=1, le=MAX_ID)]


class CollectionFilters(BaseModel):
    """Filters of a list of collections; all that are given must hold."""

    is_public: Annotated[bool | None, *ABSENT_WHEN_BLANK] = Field(None, description="Public ones, or private ones.")
    owner_id: Annotated[_Id | None, *ABSENT_WHEN_BLANK] = Field(None, description="Of the user with this id.")
    subscribed: Annotated[bool | None, *ABSENT_WHEN_BLANK] = Field(
        None, description="Those that the caller follows, or the others; 401 when anonymous."
    )
    search: Substring = Field(None, description="Words that must all be in the name; case and accents do not matter.")


class CollectionQuery(CollectionFilters):
    """What a list of collections is asked for, apart from the page."""

    ordering: Annotated[
        Annotated[Text, AfterValidator(ordering_check(*COLLECTION_ORDERINGS))] | None, *ABSENT_WHEN_BLANK
    ] = Field(
        None,
        description=f"Comma-separated: {', '.join(COLLECTION_ORDERINGS)}; a leading - for descending. "
        f"Default: {DEFAULT_ORDERING}.",
        examples=["-subscribers"],
    )
    sort: Annotated[Literal["trending", "newest", "oldest"] | None, *ABSENT_WHEN_BLANK] = Field(
        None,
        description="A word for an ordering; with `ordering` too, that one counts. Trending are those with the most "
        "subscriptions of the last 30 days.",
    )


COLLECTED_ORDERINGS = ("position", "added_at", "title", "year", "imdb_id", "imdb_rating")
DEFAULT_COLLECTED_ORDERING = "position"


class CollectedMovieQuery(MovieFilters):
    """What the list of a collection's movies is asked for, apart from the page."""

    search: Substring = Field(
        None,
        description="Words that must all be in the title, or in one that the movie has elsewhere. Where no title has "
        "them all, typos are forgiven.",
    )
    ordering: Annotated[
        Annotated[Text, AfterValidator(ordering_check(*COLLECTED_ORDERINGS))] | None, *ABSENT_WHEN_BLANK
    ] = Field(
        None,
        description=f"Comma-separated: {', '.join(COLLECTED_ORDERINGS)}; a leading - for descending. The unknown comes "
        f"last either way. Default: {DEFAULT_COLLECTED_ORDERING}.",
        examples=["-imdb_rating,title"],
    )
