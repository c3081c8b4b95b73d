"""The catalogue, for the staff."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette_admin import IntegerField, StringField, TextAreaField, URLField
from starlette_admin.validators import regexp

from app.admin.administration import Refused
from app.admin.repository import AdminRow, Listing, MovieAdministrationRepository
from app.admin.tables import TableView, is_text, moment, staff_id
from app.movies.listing import MovieLists
from app.movies.repository import MovieRepository
from app.movies.schemas import MovieQuery

IMDB_ID = re.compile(r"tt\d+")
TEXTS = ("title", "year", "type", "runtime", "plot", "awards", "poster", "metascore", "total_seasons")
log = structlog.stdlib.get_logger(__name__)


def _joined(name: str) -> Callable[[Request, AdminRow], str]:
    return lambda _request, movie: ", ".join(getattr(movie, name))


def _text(name: str, label: str, *, in_list: bool = False, **options: Any) -> StringField:
    return StringField(name, label=label, exclude_from_list=not in_list, validators=[is_text], **options)


def _names(name: str) -> StringField:
    return StringField(name, getter=_joined(name), exclude_from_list=True, exclude_from_edit=True)


class MovieView(TableView):
    """Texts may be changed. A title that is refreshed from upstream afterwards is as upstream has it again."""

    key = "movies"
    display_name = "Movie"
    menu_label = "Movies"
    named_by = "title"
    icon = "fa-solid fa-film"
    fields = (
        IntegerField("id", label="Id", exclude_from_list=True),
        StringField("imdb_id", label="IMDb id", exclude_from_edit=True),
        _text("title", "Title", in_list=True, required=True, help_text="A refresh from upstream replaces these texts."),
        _text("year", "Year", in_list=True),
        _text("type", "Type", in_list=True),
        StringField("imdb_rating", label="IMDb rating", exclude_from_edit=True),
        IntegerField("likes_count", label="Likes", exclude_from_edit=True),
        StringField("released_date", label="Released", exclude_from_list=True, exclude_from_edit=True),
        _text("runtime", "Runtime"),
        TextAreaField("plot", label="Plot", exclude_from_list=True, validators=[is_text]),
        _text("awards", "Awards"),
        URLField(
            "poster",
            label="Poster",
            exclude_from_list=True,
            # As of a title from upstream: a front end puts it into a page as it is.
            validators=[is_text, regexp(r"(https?://\S+)?\Z", message="This must begin with https:// or http://.")],
        ),
        _text("metascore", "Metascore"),
        _text("total_seasons", "Seasons"),
        IntegerField("imdb_votes", label="IMDb votes", exclude_from_list=True, exclude_from_edit=True),
        *map(_names, ("genres", "directors", "writers", "actors", "languages", "countries")),
        moment("created_at", "Stored (UTC)"),
        moment("refreshed_at", "Refreshed (UTC)", in_list=False),
    )
    sortable_fields = ("imdb_id", "title", "year", "imdb_rating", "likes_count", "created_at")
    searchable_fields = ("title", "imdb_id")
    fields_default_sort = (("created_at", True),)

    async def rows(self, session: AsyncSession, listing: Listing) -> Sequence[AdminRow]:
        query = _query(listing.search, listing.ordering)
        if query is None:
            return []
        return await MovieLists(session).page(query, query.ordering, listing.limit, listing.offset)

    async def total(self, session: AsyncSession, search: str | None) -> int:
        query = _query(search)
        return 0 if query is None else await MovieLists(session).count(query)

    async def row(self, session: AsyncSession, pk: int) -> AdminRow | None:
        return await MovieRepository(session).get(pk)

    async def change(self, request: Request, pk: int, data: dict[str, Any]) -> None:
        # What is unknown is null, never an empty text.
        texts = {name: (data[name] or "").strip().replace("\r\n", "\n") or None for name in TEXTS}
        title = texts.pop("title")
        if title is None:
            raise Refused("A movie has a title.", "title")
        async with request.state.database.transaction() as session:
            await MovieAdministrationRepository(session).change(pk, title=title, **texts)
        log.info("movie changed", movie_id=pk, by=staff_id(request))

    async def remove(self, request: Request, pk: int) -> None:
        await request.state.database.write(lambda session: MovieAdministrationRepository(session).delete(pk))
        log.info("movie deleted", movie_id=pk, by=staff_id(request))


def _query(search: str | None, ordering: str | None = None) -> MovieQuery | None:
    """The API's query for what is in the search field; None where nothing can match."""
    field = "imdb_id" if IMDB_ID.fullmatch((search or "").strip()) else "title"
    try:
        return MovieQuery.model_validate({field: search and search.strip(), "ordering": ordering})
    except ValidationError:
        return None
