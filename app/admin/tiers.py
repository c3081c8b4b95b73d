"""Account tiers, for the staff."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette_admin import BooleanField, IntegerField, StringField
from starlette_admin.validators import regexp

from app.admin.repository import AdminRow, Listing, TierAdministrationRepository
from app.admin.tables import TableView, administration, is_text, staff_id

CODE_FORM = "Lower-case letters, digits, - and _; at most 32."
# PostgreSQL's integer ends here.
MAX_LIMIT = 2**31 - 1


class TierView(TableView):
    """A tier's code is what programs know it by, so it stays as it was made."""

    key = "tiers"
    display_name = "Account tier"
    menu_label = "Account tiers"
    named_by = "name"
    icon = "fa-solid fa-layer-group"
    fields = (
        IntegerField("id", label="Id"),
        StringField(
            "code",
            label="Code",
            required=True,
            maxlength=32,
            help_text=CODE_FORM,
            exclude_from_edit=True,
            validators=[is_text, regexp(r"[a-z0-9_-]{1,32}\Z", message=CODE_FORM)],
        ),
        StringField("name", label="Name", required=True, maxlength=100, validators=[is_text]),
        IntegerField(
            "daily_ai_search_limit", label="AI searches a day", required=True, min=0, max=MAX_LIMIT, help_text="In UTC."
        ),
        BooleanField(
            "throttle_exempt", label="Exempt from AI throttles", help_text="So that the quota can be used up."
        ),
        BooleanField("is_default", label="Default", help_text="New accounts get it; the default before loses this."),
        IntegerField("users_count", label="Users", exclude_from_create=True, exclude_from_edit=True),
    )
    sortable_fields = ()
    searchable_fields = ()

    async def rows(self, session: AsyncSession, listing: Listing) -> Sequence[AdminRow]:
        tiers = await TierAdministrationRepository(session).all()
        return tiers[listing.offset : listing.offset + listing.limit]

    async def total(self, session: AsyncSession, search: str | None) -> int:  # noqa: ARG002 - starlette-admin's signature
        return len(await TierAdministrationRepository(session).all())

    async def row(self, session: AsyncSession, pk: int) -> AdminRow | None:
        return await TierAdministrationRepository(session).get(pk)

    async def add(self, request: Request, data: dict[str, Any]) -> int:
        return await administration(request).add_tier(by=staff_id(request), **data)

    async def change(self, request: Request, pk: int, data: dict[str, Any]) -> None:
        await administration(request).change_tier(pk, by=staff_id(request), **data)

    async def remove(self, request: Request, pk: int) -> None:
        await administration(request).delete_tier(pk, by=staff_id(request))

    def can_create(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's signature
        return True
