"""Movies as clients see them, and what they may ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from app.core.docs import BLANK_IS_ABSENT
from app.core.ordering import ordering_check
from app.core.pagination import LimitOffset, Page
from app.core.text import IsText, Text

MAX_EXPRESSION_LENGTH = 255
MAX_FILTER_LENGTH = 255

INCEPTION: dict[str, Any] = {
    "id": 1,
    "imdb_id": "tt1375666",
    "title": "Inception",
    "year": "2010",
    "released_date": "2010-07-16",
    "runtime": "148 min",
    "plot": "A thief who steals secrets out of dreams is hired to leave one behind instead.",
    "languages": [{"name": "English"}, {"name": "Japanese"}, {"name": "French"}],
    "countries": [{"name": "United States"}, {"name": "United Kingdom"}],
    "awards": "Academy Award for Best Cinematography",
    "poster": None,
    "metascore": "74",
    "ratings": [{"source": "Internet Movie Database", "value": "8.8/10"}],
    "imdb_rating": "8.8",
    "imdb_votes": "2,500,000",
    "type": "movie",
    "total_seasons": None,
    "writers": [{"full_name": "Christopher Nolan"}],
    "genres": [{"name": "Action"}, {"name": "Adventure"}, {"name": "Sci-Fi"}],
    "actors": [{"full_name": "Leonardo DiCaprio"}, {"full_name": "Elliot Page"}],
    "directors": [{"full_name": "Christopher Nolan"}],
    "is_liked": False,
    "likes_count": 0,
    "is_watch_later": False,
    "watch_later_count": 0,
    "created_at": "2026-01-01T00:00:00Z",
}


class Name(BaseModel):
    """A genre, a language or a country."""

    name: str


class Person(BaseModel):
    """Somebody who made the film."""

    full_name: str


class Rating(BaseModel):
    """A critic's or a site's verdict, as it writes it."""

    source: str
    value: str


def _members(key: str) -> BeforeValidator:
    """A row holds plain names; the wire has an object for each."""
    return BeforeValidator(lambda names: [{key: name} if isinstance(name, str) else name for name in names])


def _votes(votes: object) -> object:
    return f"{votes:,}" if isinstance(votes, int) else votes


def _rating(rating: object) -> object:
    return rating if rating is None else str(rating)


Names = Annotated[list[Name], _members("name")]
People = Annotated[list[Person], _members("full_name")]
ImdbRating = Annotated[str | None, BeforeValidator(_rating)]
UtcTime = Annotated[datetime, AfterValidator(lambda time: time.astimezone(UTC))]


class Movie(BaseModel):
    """A movie; what is unknown is null. Names keep upstream's order."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": INCEPTION})

    id: int
    imdb_id: str
    title: str
    year: str | None = Field(description='A year, or the years of a series: "2008–2013", "2023–".')  # noqa: RUF001
    released_date: date | None
    runtime: str | None
    plot: str | None
    languages: Names
    countries: Names
    awards: str | None
    poster: str | None = Field(description="The poster's address.")
    metascore: str | None = Field(description="Metacritic's score, 0 to 100.")
    ratings: list[Rating]
    imdb_rating: ImdbRating = Field(description="0 to 10, one decimal.")
    imdb_votes: Annotated[str | None, BeforeValidator(_votes)]
    type: str | None = Field(description="movie, series, episode or game.")
    total_seasons: str | None
    writers: People
    genres: Names
    actors: People
    directors: People
    is_liked: bool = Field(description="Whether the caller likes it; false when anonymous.")
    likes_count: int
    is_watch_later: bool = Field(description="Whether the caller queued it; false when anonymous.")
    watch_later_count: int
    created_at: UtcTime


class MoviePage(Page[Movie]):
    """A page of movies."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What a user has to do with some movies, by their ids."""

    liked: frozenset[int] = frozenset()
    queued: frozenset[int] = frozenset()

    def show(self, row: object) -> Movie:
        """A movie that was found for nobody in particular, as the user sees it."""
        movie = Movie.model_validate(row)
        return movie.model_copy(update={"is_liked": movie.id in self.liked, "is_watch_later": movie.id in self.queued})


class LikedMovie(BaseModel):
    """A movie, as far as likes go."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": 1, "is_liked": True, "likes_count": 12}})

    id: int
    is_liked: bool
    likes_count: int


def _not_blank(expression: str) -> str:
    if not expression.strip():
        raise PydanticCustomError("blank", "Say what to search for")
    return expression


Expression = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_EXPRESSION_LENGTH, strict=True),
    IsText,
    AfterValidator(_not_blank),
]


class MovieSearchRequest(BaseModel):
    """What to search for."""

    model_config = ConfigDict(json_schema_extra={"example": {"expression": "inception"}})

    expression: Expression = Field(description="A title, or words of one.")


class Structures(BaseModel):
    """What filters can be filled with."""

    model_config = ConfigDict(json_schema_extra={"example": {"genres": ["Action", "Comedy", "Drama"]}})

    genres: Sequence[str] = Field(description="The stored movies' genres, sorted.")


def _absent_when_blank(value: object) -> object:
    """A form sends its empty fields too; nothing to filter by is no filter."""
    return None if isinstance(value, str) and not value.strip() else value


ABSENT_WHEN_BLANK = BeforeValidator(_absent_when_blank), Field(json_schema_extra={BLANK_IS_ABSENT: True})
Substring = Annotated[
    Annotated[str, StringConstraints(max_length=MAX_FILTER_LENGTH), IsText] | None, *ABSENT_WHEN_BLANK
]
RatingBound = Annotated[Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None, *ABSENT_WHEN_BLANK]
Kind = Literal["movie", "series", "episode", "game"]


class MovieFilters(BaseModel):
    """Filters of a list of movies; all that are given must hold."""

    imdb_id: Substring = Field(None, description="Exactly this IMDb id.", examples=["tt1375666"])
    title: Substring = Field(None, description="In the title; case and accents do not matter.")
    genres: Substring = Field(None, description="In the name of one of the genres; case does not matter.")
    year: Substring = Field(None, description="In the year.", examples=["2010"])
    search: Substring = Field(
        None,
        description="Words that must all be in the title, or in one that the movie has elsewhere. Without `ordering` "
        "the most relevant come first. Where no title has them all, typos are forgiven: one in each word, else two in "
        "a long one or one word too many; and so are articles and spaces.",
    )
    type: Annotated[Kind | None, *ABSENT_WHEN_BLANK] = Field(None, description="Of this kind.")
    rating_min: RatingBound = Field(None, description="IMDb rating at least this.")
    rating_max: RatingBound = Field(None, description="IMDb rating at most this.")


MOVIE_ORDERINGS = ("imdb_id", "title", "genre", "year", "likes_count", "imdb_rating", "created_at")
DEFAULT_MOVIE_ORDERING = "-created_at"


class MovieQuery(MovieFilters):
    """What a list of movies is asked for, apart from the page."""

    ordering: Annotated[
        Annotated[Text, AfterValidator(ordering_check(*MOVIE_ORDERINGS))] | None, *ABSENT_WHEN_BLANK
    ] = Field(
        None,
        description=f"Comma-separated: {', '.join(MOVIE_ORDERINGS)}; a leading - for descending. The unknown comes "
        f"last either way. Default: relevance with `search`, else {DEFAULT_MOVIE_ORDERING}.",
        examples=["-imdb_rating,title"],
    )


class MovieListing(LimitOffset, MovieQuery):
    """What a list of movies is asked for, the page included."""
