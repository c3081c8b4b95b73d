"""What the routes of accounts have in common."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response

from app.auth.service import Accounts
from app.core.problems import BodyTooLarge, FieldError, InvalidInput, UnsupportedMediaType, responses


def refusals(field: str, message: str, code: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of an operation that takes a body; the rest is the example of a fault in it."""
    fault = FieldError(field=field, message=message, code=code)
    return responses(InvalidInput, UnsupportedMediaType, BodyTooLarge, fault=fault)


async def open_accounts(request: Request) -> Accounts:
    """The application's accounts."""
    accounts: Accounts = request.state.accounts
    return accounts


Service = Annotated[Accounts, Depends(open_accounts)]


async def never_stored(response: Response) -> None:
    """An answer with tokens stays in no cache (RFC 6749 section 5.1)."""
    response.headers["Cache-Control"] = "no-store"


WithTokens = [Depends(never_stored)]
