"""Tokens over HTTP: logging in, staying in, logging out."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from app.auth.problems import InvalidCredentials, InvalidToken, TokenReused, TokenSpent
from app.auth.routing import Service, WithTokens, refusals
from app.auth.schemas import Credentials, OAuthTokenPair, PasswordGrant, Refresh, TokenPair
from app.auth.throttles import Throttling
from app.core.database_errors import DatabaseUnavailable, QueryTooSlow
from app.core.problems import FieldError, InvalidInput, UnsupportedMediaType, responses
from app.core.throttling import Throttled

router = APIRouter(tags=["accounts"], responses=responses(DatabaseUnavailable, QueryTooSlow))
_BAD_CREDENTIALS = refusals("password", "Field required", "missing")
_BAD_REFRESH = refusals("refresh", "Field required", "missing")
_FORM = "application/x-www-form-urlencoded"
# RFC 6749 section 4.3.2: what the Authorize button of the documentation sends.
_LOGIN_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Credentials.model_json_schema()},
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": ["username", "password"],
                    "example": {
                        "grant_type": "password",
                        "username": "ada@example.com",
                        "password": "a long walk at night",
                    },
                    "properties": {
                        "grant_type": {"type": "string", "const": "password"},
                        "username": {"type": "string", "description": "The email address."},
                        "password": {"type": "string", "format": "password"},
                    },
                }
            },
        },
    }
}


@router.post(
    "/token/",
    operation_id="logIn",
    summary="Log in",
    responses=responses(InvalidCredentials, Throttled) | _BAD_CREDENTIALS,
    openapi_extra=_LOGIN_BODY,
    dependencies=WithTokens,
)
async def log_in(request: Request, accounts: Service, throttling: Throttling) -> TokenPair | OAuthTokenPair:
    """A pair of tokens for an email address and its password.

    Also takes the OAuth2 password form, and then answers with `access_token` and `token_type` too.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == _FORM:
        form = await request.form()
        fields = {"email": form.get("username"), "password": form.get("password")}
        grant = {"grant_type": form["grant_type"]} if "grant_type" in form else {}
        sent = _credentials(PasswordGrant, {**fields, **grant}, email="username")
        async with throttling.log_in(sent.email):
            pair = await accounts.log_in(sent.email, sent.password)
        return OAuthTokenPair(**pair.model_dump(), access_token=pair.access)
    if media_type != "application/json":
        raise UnsupportedMediaType
    sent = _credentials(Credentials, await _json(request))
    async with throttling.log_in(sent.email):
        return await accounts.log_in(sent.email, sent.password)


async def _json(request: Request) -> object:
    try:
        return await request.json()
    except (ValueError, RecursionError):
        raise InvalidInput([FieldError(field="body", message="This is no JSON", code="json_invalid")]) from None


def _credentials(model: type[Credentials], sent: object, **names: str) -> Credentials:
    """What was sent, by a client that calls the members by these names."""
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        faults = [
            {**fault, "loc": ("body", *(names.get(str(part), part) for part in fault["loc"]))}
            for fault in error.errors(include_input=False)
        ]
        raise RequestValidationError(faults) from None


@router.post(
    "/token/refresh/",
    operation_id="refreshTokens",
    summary="Get the next pair of tokens",
    responses=responses(InvalidToken, TokenSpent, TokenReused) | _BAD_REFRESH,
    dependencies=WithTokens,
)
async def refresh_tokens(body: Refresh, accounts: Service) -> TokenPair:
    """The next pair for a refresh token, which is used up by this.

    Used again before its successor is, it gets another pair, which replaces the successor: the answer may have been
    lost on the way. Within two seconds that is refused as `token_spent`. Used again after its successor, it was
    stolen: `token_reused`, and everything that descends from the same login ends.
    """
    return await accounts.refresh(body.refresh)


@router.post(
    "/token/revoke/",
    operation_id="logOut",
    summary="Log out",
    status_code=204,
    responses=_BAD_REFRESH,
)
async def log_out(body: Refresh, accounts: Service) -> None:
    """End the login that a refresh token descends from; always 204."""
    await accounts.revoke(body.refresh)
