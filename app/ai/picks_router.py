"""Recommendations and top movies over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.ai.recommendations import Recommendations
from app.ai.top import TopMovies
from app.auth.caller import RequiredCaller
from app.auth.problems import InvalidToken, Unauthorized
from app.core.database_errors import DatabaseUnavailable, QueryTooSlow, WriteConflict
from app.core.problems import responses
from app.movies.schemas import Movie

router = APIRouter(tags=["movies"], responses=responses(DatabaseUnavailable, QueryTooSlow, WriteConflict))


async def top_movies(request: Request) -> TopMovies:
    """The application's top movies."""
    top: TopMovies = request.state.top_movies
    return top


async def recommendations(request: Request) -> Recommendations:
    """The application's recommendations."""
    service: Recommendations = request.state.recommendations
    return service


@router.get("/movies/top/", operation_id="listTopMovies", summary="The movies of the week")
async def list_top_movies(top: Annotated[TopMovies, Depends(top_movies)]) -> list[Movie]:
    """Up to ten movies, best first, the same for everybody.

    They are chosen anew every week by Claude; where it has not, they are what is liked most, else the best rated.
    """
    return [Movie.model_validate(movie) for movie in await top.movies()]


@router.get(
    "/movies/recommendations/",
    operation_id="listRecommendations",
    summary="Movies for the caller",
    responses=responses(Unauthorized, InvalidToken),
)
async def list_recommendations(
    caller: RequiredCaller, service: Annotated[Recommendations, Depends(recommendations)]
) -> list[Movie]:
    """Up to ten movies that go with what the caller likes and has queued, best first, and none of those.

    They are chosen once a day (UTC): by Claude, which the first request of a day does not wait for; until it has, and
    where it cannot, by the genres, directors and actors that they share with the caller's. Whoever likes and has queued
    nothing yet gets what is liked most.
    """
    return [Movie.model_validate(movie) for movie in await service.movies(caller.id)]
