"""AI searches as clients see them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.ai.events import Match
from app.movies.schemas import INCEPTION, Expression, Movie

REASON = "A heist inside dreams, as twisting as what you describe."


class AiSearchRequest(BaseModel):
    """What to look for."""

    model_config = ConfigDict(json_schema_extra={"example": {"expression": "a heist film that plays with dreams"}})

    expression: Expression = Field(description="In your own words, in any language.")


class SuggestedMovie(Movie):
    """A movie, and how well it fits."""

    model_config = ConfigDict(
        json_schema_extra={"example": {**INCEPTION, "match_score": 97, "match_reason": REASON}},
    )

    match_score: int = Field(ge=0, le=100, description="How well it fits. Of the catalogue's answers, by their order.")
    match_reason: str | None = Field(description="Why, in the language of the question; null from the catalogue.")

    @classmethod
    def of(cls, match: Match) -> "SuggestedMovie":
        """A match, as its caller sees it."""
        movie = match.marks.show(match.movie)
        return cls(**movie.model_dump(), match_score=match.score, match_reason=match.reason)


class SearchStatus(BaseModel):
    """How far the search is: of the titles that were suggested, so many have been looked for."""

    phase: Literal["thinking", "resolving"]
    done: int
    of: int


class SearchDone(BaseModel):
    """The search is at its end."""

    count: int = Field(description="How many movies were sent.")
    source: Literal["claude", "catalogue"]
