"""Accounts over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from app.auth.caller import RequiredCaller
from app.auth.problems import (
    EmailTaken,
    InvalidCredentials,
    InvalidMailToken,
    InvalidToken,
    TokenReused,
    TokenSpent,
    Unauthorized,
    WrongPassword,
)
from app.auth.schemas import (
    Account,
    Credentials,
    MailToken,
    OAuthTokenPair,
    PasswordChange,
    PasswordReset,
    PasswordResetConfirmation,
    PersonalInfo,
    Refresh,
    Signup,
    Tier,
    TokenPair,
)
from app.auth.service import Accounts
from app.auth.throttles import Throttling
from app.core.database import DatabaseUnavailable, QueryTooSlow
from app.core.problems import BodyTooLarge, FieldError, InvalidInput, UnsupportedMediaType, responses
from app.core.throttling import Throttled

router = APIRouter(tags=["accounts"], responses=responses(DatabaseUnavailable, QueryTooSlow))


def _refusals(field: str, message: str, code: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of an operation that takes a body; the rest is the example of a fault in it."""
    fault = FieldError(field=field, message=message, code=code)
    return responses(InvalidInput, UnsupportedMediaType, BodyTooLarge, fault=fault)


_WEAK = ("This password is one of the most common ones", "password_common")
_BAD_EMAIL = _refusals("email", "value is not a valid email address", "value_error")
_BAD_CREDENTIALS = _refusals("password", "Field required", "missing")
_BAD_PASSWORD = _refusals("password", *_WEAK)
_BAD_NEW_PASSWORD = _refusals("new_password", *_WEAK)
_BAD_REFRESH = _refusals("refresh", "Field required", "missing")
_BAD_TOKEN = _refusals("token", "Field required", "missing")


async def open_accounts(request: Request) -> Accounts:
    """The application's accounts."""
    accounts: Accounts = request.state.accounts
    return accounts


Service = Annotated[Accounts, Depends(open_accounts)]


async def never_stored(response: Response) -> None:
    """An answer with tokens stays in no cache (RFC 6749 section 5.1)."""
    response.headers["Cache-Control"] = "no-store"


WithTokens = [Depends(never_stored)]
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
    "/signup/",
    operation_id="signUp",
    summary="Make an account",
    status_code=201,
    responses=responses(EmailTaken, Throttled) | _BAD_PASSWORD,
)
async def sign_up(body: Signup, accounts: Service, throttling: Throttling) -> Account:
    """A new account of the default tier. A mail with a link that proves the address is sent to it."""
    await throttling.sign_up()
    return await accounts.sign_up(body.email, body.password)


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
        sent = _credentials({"email": form.get("username"), "password": form.get("password")}, email="username")
        async with throttling.log_in(sent.email):
            pair = await accounts.log_in(sent.email, sent.password)
        return OAuthTokenPair(**pair.model_dump(), access_token=pair.access)
    if media_type != "application/json":
        raise UnsupportedMediaType
    sent = _credentials(await _json(request))
    async with throttling.log_in(sent.email):
        return await accounts.log_in(sent.email, sent.password)


async def _json(request: Request) -> object:
    try:
        return await request.json()
    except (ValueError, RecursionError):
        raise InvalidInput([FieldError(field="body", message="This is no JSON", code="json_invalid")]) from None


def _credentials(sent: object, **names: str) -> Credentials:
    """What was sent, by a client that calls the members by these names."""
    try:
        return Credentials.model_validate(sent)
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


@router.patch(
    "/users/change_password/",
    operation_id="changePassword",
    summary="Change the password",
    responses=responses(WrongPassword, Unauthorized, InvalidToken, Throttled) | _BAD_NEW_PASSWORD,
    dependencies=WithTokens,
)
async def change_password(
    body: PasswordChange, caller: RequiredCaller, accounts: Service, throttling: Throttling
) -> TokenPair:
    """Set a new password. Every older token of the account ends at once; the answer has a new pair."""
    async with throttling.prove(caller.user.email):
        return await accounts.change_password(caller.user, body.old_password, body.new_password)


@router.get(
    "/users/personal-info/",
    operation_id="getPersonalInfo",
    summary="The caller's account",
    responses=responses(Unauthorized, InvalidToken),
)
async def get_personal_info(caller: RequiredCaller) -> PersonalInfo:
    """The account behind the access token, its tier, and what is left of today's AI searches."""
    user = caller.user
    tier = Tier(code=user.tier_code, name=user.tier_name, daily_ai_search_limit=user.daily_ai_search_limit)
    return PersonalInfo(
        id=user.id,
        email=user.email,
        email_verified=user.email_verified,
        created_at=user.created_at,
        account_tier=tier,
        ai_searches_left=tier.daily_ai_search_limit,
    )


@router.post(
    "/users/verify_email/",
    operation_id="verifyEmail",
    summary="Prove the email address",
    status_code=204,
    responses=responses(InvalidMailToken) | _BAD_TOKEN,
)
async def verify_email(body: MailToken, accounts: Service) -> None:
    """Take the token of a mail as proof of the address. A token works once, for an hour."""
    await accounts.verify_email(body.token)


@router.post(
    "/users/verify_email/resend/",
    operation_id="resendVerification",
    summary="Send the mail that proves the address again",
    status_code=202,
    response_class=Response,
    responses=responses(Unauthorized, InvalidToken, Throttled),
)
async def resend_verification(caller: RequiredCaller, accounts: Service, throttling: Throttling) -> None:
    """Where the address is proved already, nothing is sent."""
    await throttling.resend(caller.id)
    await accounts.resend_verification(caller.user)


@router.post(
    "/users/reset_password/",
    operation_id="requestPasswordReset",
    summary="Send a mail to set a new password with",
    status_code=202,
    response_class=Response,
    responses=responses(Throttled) | _BAD_EMAIL,
)
async def request_password_reset(body: PasswordReset, accounts: Service, throttling: Throttling) -> None:
    """202 whether or not there is an account with this address."""
    await throttling.request_reset(body.email)
    await accounts.request_reset(body.email)


@router.post(
    "/users/reset_password/confirm/",
    operation_id="confirmPasswordReset",
    summary="Set a new password by the token of a mail",
    status_code=204,
    responses=responses(InvalidMailToken, Throttled) | _BAD_NEW_PASSWORD,
)
async def confirm_password_reset(body: PasswordResetConfirmation, accounts: Service, throttling: Throttling) -> None:
    """Every session of the account ends, and its address is proved. A token works once, for an hour."""
    await throttling.confirm_reset()
    await accounts.reset_password(body.token, body.new_password)
