"""The user's data over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request, Response

from app.account_data.schemas import AccountExport, Deletion
from app.account_data.service import AccountData, RecentLoginRequired
from app.auth.caller import RequiredCaller
from app.auth.problems import InvalidToken, Unauthorized, WrongPassword
from app.auth.throttles import Throttling
from app.core.database_errors import DatabaseUnavailable, QueryTooSlow
from app.core.problems import BodyTooLarge, FieldError, InvalidInput, UnsupportedMediaType, responses
from app.core.throttling import Throttled

router = APIRouter(
    tags=["accounts"], responses=responses(DatabaseUnavailable, QueryTooSlow, Unauthorized, InvalidToken)
)
_FAULT = FieldError(field="password", message="Input should be a valid string", code="string_type")
_DELETION = responses(
    WrongPassword, RecentLoginRequired, InvalidInput, UnsupportedMediaType, BodyTooLarge, Throttled, fault=_FAULT
)


async def open_account_data(request: Request) -> AccountData:
    """The application's account data."""
    account_data: AccountData = request.state.account_data
    return account_data


Service = Annotated[AccountData, Depends(open_account_data)]
Sent = Annotated[Deletion, Body(default_factory=Deletion)]


@router.get("/users/me/export/", operation_id="exportAccount", summary="Download all that is stored of the caller")
async def export_account(caller: RequiredCaller, account_data: Service, response: Response) -> AccountExport:
    """One JSON document with everything that is stored of the account."""
    response.headers["Content-Disposition"] = 'attachment; filename="movie-finder-export.json"'
    response.headers["Cache-Control"] = "no-store"
    return await account_data.export(caller)


@router.delete(
    "/users/me/",
    operation_id="deleteAccount",
    summary="Delete the caller's account",
    status_code=204,
    responses=_DELETION,
)
async def delete_account(caller: RequiredCaller, account_data: Service, throttling: Throttling, body: Sent) -> None:
    """Delete the account and all that it owns. It takes the password, or a login less than five minutes old."""
    async with throttling.prove(caller.user.email):
        await account_data.delete(caller, body.password)


@router.post(
    "/users/me/delete/",
    operation_id="deleteAccountByPost",
    summary="The same, for clients that drop the body of a DELETE",
    status_code=204,
    responses=_DELETION,
)
async def delete_account_by_post(
    caller: RequiredCaller, account_data: Service, throttling: Throttling, body: Sent
) -> None:
    """Delete the account and all that it owns. It takes the password, or a login less than five minutes old."""
    async with throttling.prove(caller.user.email):
        await account_data.delete(caller, body.password)
