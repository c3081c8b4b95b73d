"""Users, for the staff."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette_admin import BooleanField, EnumField, IntegerField, StringField

from app.admin.administration import TIER_GONE
from app.admin.repository import AdminRow, Listing, TierAdministrationRepository, UserAdministrationRepository
from app.admin.tables import TableView, administration, moment, staff_id


def _tier_choices(request: Request) -> Sequence[tuple[str, str]]:
    choices: Sequence[tuple[str, str]] = request.state.tier_choices
    return choices


def _tier_id(_request: Request, user: AdminRow) -> str:
    return str(user.account_tier_id)  # a choice's value is a string


class UserView(TableView):
    """Tier, staff and active may be changed; what proves who somebody is may not."""

    key = "users"
    display_name = "User"
    menu_label = "Users"
    named_by = "email"
    icon = "fa-solid fa-users"
    fields = (
        IntegerField("id", label="Id"),
        StringField("email", label="Email address", exclude_from_edit=True),
        StringField("tier_name", label="Tier", exclude_from_edit=True),
        EnumField(
            "account_tier_id",
            label="Tier",
            choices_loader=_tier_choices,
            getter=_tier_id,
            required=True,
            exclude_from_list=True,
            exclude_from_detail=True,
        ),
        BooleanField("is_active", label="Active", help_text="Off ends every token and session of the account at once."),
        BooleanField("is_staff", label="Staff", help_text="Staff may use these pages."),
        BooleanField("email_verified", label="Address verified", exclude_from_edit=True),
        BooleanField("has_password", label="Has a password", exclude_from_list=True, exclude_from_edit=True),
        BooleanField("has_google", label="Google account", exclude_from_list=True, exclude_from_edit=True),
        moment("created_at", "Created (UTC)"),
        moment("last_login_at", "Last login (UTC)"),
    )
    sortable_fields = ("id", "email")
    searchable_fields = ("email",)
    fields_default_sort = (("id", True),)

    async def rows(self, session: AsyncSession, listing: Listing) -> Sequence[AdminRow]:
        return await UserAdministrationRepository(session).page(listing)

    async def total(self, session: AsyncSession, search: str | None) -> int:
        return await UserAdministrationRepository(session).total(search)

    async def row(self, session: AsyncSession, pk: int) -> AdminRow | None:
        return await UserAdministrationRepository(session).get(pk)

    async def find_by_pk(self, request: Request, pk: object) -> AdminRow | None:
        async with request.state.database.reading() as session:
            tiers = await TierAdministrationRepository(session).all()
        # For the form, which asks without waiting.
        request.state.tier_choices = [(str(tier.id), tier.name) for tier in tiers]
        return await super().find_by_pk(request, pk)

    async def change(self, request: Request, pk: int, data: dict[str, Any]) -> None:
        if data["account_tier_id"] not in dict(_tier_choices(request)):
            raise TIER_GONE
        await administration(request).change_user(
            pk,
            by=staff_id(request),
            tier_id=int(data["account_tier_id"]),
            is_active=data["is_active"],
            is_staff=data["is_staff"],
        )

    async def remove(self, request: Request, pk: int) -> None:
        await administration(request).delete_user(pk, by=staff_id(request))
