"""Collections, for the staff."""

from collections.abc import Sequence
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette_admin import BooleanField, IntegerField, StringField, TextAreaField

from app.admin.administration import Refused
from app.admin.repository import AdminRow, Listing
from app.admin.tables import TableView, is_text, moment, staff_id
from app.collections.access import Visitor
from app.collections.repository import CollectionRepository
from app.collections.schemas import (
    MAX_DESCRIPTION_LENGTH,
    MAX_DESIGN_LENGTH,
    MAX_NAME_LENGTH,
    CollectionChanges,
    CollectionQuery,
)
from app.collections.service import Collections

TEXTS = ("name", "description", "design")
# Whoever is at these pages sees, and may change, all collections.
STAFF = Visitor(is_staff=True)
log = structlog.stdlib.get_logger(__name__)


class CollectionView(TableView):
    """Everything but the movies may be changed."""

    key = "collections"
    display_name = "Collection"
    menu_label = "Collections"
    named_by = "name"
    icon = "fa-solid fa-layer-group"
    fields = (
        IntegerField("id", label="Id"),
        StringField("name", label="Name", required=True, maxlength=MAX_NAME_LENGTH, validators=[is_text]),
        StringField("owner_email", label="Owner", exclude_from_edit=True),
        BooleanField("is_public", label="Public", help_text="Everybody may see it, and its page to share."),
        IntegerField("movies_count", label="Movies", exclude_from_edit=True),
        IntegerField("subscribers_count", label="Subscribers", exclude_from_edit=True),
        TextAreaField(
            "description",
            label="Description",
            maxlength=MAX_DESCRIPTION_LENGTH,
            exclude_from_list=True,
            validators=[is_text],
        ),
        StringField(
            "design", label="Design", maxlength=MAX_DESIGN_LENGTH, exclude_from_list=True, validators=[is_text]
        ),
        moment("created_at", "Created (UTC)"),
        moment("updated_at", "Changed (UTC)", in_list=False),
    )
    sortable_fields = ("subscribers_count", "created_at")
    searchable_fields = ("name",)
    fields_default_sort = (("created_at", True),)

    async def rows(self, session: AsyncSession, listing: Listing) -> Sequence[AdminRow]:
        query = _query(listing.search)
        if query is None:
            return []
        ordering = listing.ordering.replace("subscribers_count", "subscribers")
        return await CollectionRepository(session, STAFF).page(query, ordering, listing.limit, listing.offset)

    async def total(self, session: AsyncSession, search: str | None) -> int:
        query = _query(search)
        return 0 if query is None else await CollectionRepository(session, STAFF).count(query)

    async def row(self, session: AsyncSession, pk: int) -> AdminRow | None:
        return await CollectionRepository(session, STAFF).get(pk)

    async def change(self, request: Request, pk: int, data: dict[str, Any]) -> None:
        texts = {name: (data[name] or "").replace("\r\n", "\n") for name in TEXTS}
        try:
            changes = CollectionChanges.model_validate({**texts, "is_public": data["is_public"]})
        except ValidationError as error:
            fault = error.errors()[0]
            raise Refused(fault["msg"], str(fault["loc"][0])) from None
        await Collections(request.state.database, STAFF).change(pk, changes)
        log.info("collection changed", collection_id=pk, by=staff_id(request))

    async def remove(self, request: Request, pk: int) -> None:
        await request.state.database.write(lambda session: CollectionRepository(session, STAFF).delete(pk))
        log.info("collection deleted", collection_id=pk, by=staff_id(request))


def _query(search: str | None) -> CollectionQuery | None:
    """The API's query for what is in the search field; None where nothing can match."""
    try:
        return CollectionQuery.model_validate({"search": search})
    except ValidationError:
        return None
