"""The user's data as a download."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.auth.schemas import Attempt

_MOVIE = {"movie_id": 1, "imdb_id": "tt1375666", "title": "Inception"}
_EXAMPLE: dict[str, Any] = {
    "account": {
        "id": 1,
        "email": "ada@example.com",
        "email_verified": True,
        "created_at": "2026-01-01T00:00:00Z",
        "account_tier": "free",
        "has_password": True,
        "google_subject": "110169484474386276334",
    },
    "likes": [{**_MOVIE, "year": "2010", "liked_at": "2026-01-02T00:00:00Z"}],
    "watch_later": [{**_MOVIE, "year": "2010", "added_at": "2026-01-02T00:00:00Z"}],
    "collections": [
        {
            "id": 3,
            "name": "Dreams within dreams",
            "description": "Films that wake up twice.",
            "design": "night",
            "is_public": True,
            "created_at": "2026-01-02T00:00:00Z",
            "updated_at": "2026-01-02T00:00:00Z",
            "movies": [{**_MOVIE, "added_at": "2026-01-02T00:00:00Z"}],
        }
    ],
    "subscriptions": [{"collection_id": 4, "name": "Rainy evenings", "created_at": "2026-01-02T00:00:00Z"}],
    "ai_searches": [{"day": "2026-01-02", "used": 2}],
}


class ExportedAccount(BaseModel):
    """The account itself."""

    id: int
    email: str
    email_verified: bool
    created_at: datetime
    account_tier: str
    has_password: bool
    google_subject: str | None


class ExportedMovie(BaseModel):
    """A movie, by what names it here and elsewhere."""

    model_config = ConfigDict(from_attributes=True)

    movie_id: int
    imdb_id: str
    title: str


class LikedMovie(ExportedMovie):
    """A movie that the user likes."""

    year: str | None
    liked_at: datetime


class QueuedMovie(ExportedMovie):
    """A movie on the watch-later list."""

    year: str | None
    added_at: datetime


class CollectedMovie(ExportedMovie):
    """A movie in a collection."""

    added_at: datetime


class ExportedCollection(BaseModel):
    """A collection, with its movies in their order."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    description: str | None
    design: str | None
    is_public: bool
    created_at: datetime
    updated_at: datetime
    movies: list[CollectedMovie]


class ExportedSubscription(BaseModel):
    """A collection that the user follows."""

    model_config = ConfigDict(from_attributes=True)

    collection_id: int
    name: str | None = Field(description="Null where the collection is private now.")
    created_at: datetime


class AiSearches(BaseModel):
    """How many AI searches were made on a day."""

    model_config = ConfigDict(from_attributes=True)

    day: date
    used: int


class AccountExport(BaseModel):
    """Everything that is stored of an account."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _EXAMPLE})

    account: ExportedAccount
    likes: Sequence[LikedMovie]
    watch_later: Sequence[QueuedMovie]
    collections: Sequence[ExportedCollection]
    subscriptions: Sequence[ExportedSubscription]
    ai_searches: Sequence[AiSearches] = Field(description="Of the days that are still kept.")


class Deletion(BaseModel):
    """The password, where the account has one."""

    model_config = ConfigDict(json_schema_extra={"example": {"password": "a long walk at night"}})

    password: Attempt | None = None
