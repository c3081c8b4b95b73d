"""The top movies, for the staff."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette_admin import IntegerField, StringField
from starlette_admin.actions import ActionSelection, action
from starlette_admin.exceptions import ActionFailed
from starlette_admin.flash import flash

from app.admin.repository import Listing
from app.admin.tables import TableView, moment, staff_id
from app.ai.top import NotRefreshed, TopRenewal, top_movies

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """A place among the top movies.

    Attributes:
        generated_at: when Claude chose the movie; None where the catalogue fills the place.
    """

    id: int
    position: int
    title: str
    year: str | None
    imdb_rating: str | None
    likes_count: int
    generated_at: datetime | None


class TopMovieView(TableView):
    """What clients are shown as top movies, and a button that has Claude choose them anew."""

    key = "top-movies"
    display_name = "Top movie"
    menu_label = "Top movies"
    named_by = "title"
    icon = "fa-solid fa-trophy"
    fields = (
        IntegerField("position", label="Place"),
        StringField("title", label="Title"),
        StringField("year", label="Year"),
        StringField("imdb_rating", label="IMDb rating"),
        IntegerField("likes_count", label="Likes"),
        moment("generated_at", "Chosen by Claude (UTC)"),
    )
    sortable_fields = ()
    searchable_fields = ()
    actions = ("refresh",)

    @action(
        "refresh",
        "Refresh",
        icon_class="fa-solid fa-arrows-rotate",
        allow_empty_selection=True,
        dedicated_button=True,
    )
    async def refresh(self, request: Request, _selection: ActionSelection) -> None:
        """Have Claude choose, and wait for it: staff see what has come of it."""
        renewal: TopRenewal = request.state.top_renewal
        try:
            number = await renewal.refresh()
        except NotRefreshed as reason:
            raise ActionFailed(str(reason)) from None
        log.info("top movies refreshed by hand", by=staff_id(request))
        flash(request, f"Claude has chosen the top movies anew: {number}.", "success")

    async def rows(self, session: AsyncSession, listing: Listing) -> Sequence[Any]:
        top = (await top_movies(session)).movies
        places = [
            Place(
                movie.id,
                position,
                movie.title,
                movie.year,
                movie.imdb_rating and str(movie.imdb_rating),
                movie.likes_count,
                getattr(movie, "generated_at", None),
            )
            for position, movie in enumerate(top, 1)
        ]
        return places[listing.offset : listing.offset + listing.limit]

    async def total(self, session: AsyncSession, search: str | None) -> int:  # noqa: ARG002 - starlette-admin's signature
        return len((await top_movies(session)).movies)

    async def row(self, session: AsyncSession, pk: int) -> Any | None:  # noqa: ANN401
        places = await self.rows(session, Listing(None, "", self.page_size, 0))
        return next((place for place in places if place.id == pk), None)

    def can_edit(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's signature
        return False

    def can_delete(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's signature
        return False
