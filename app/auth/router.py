"""Accounts over HTTP."""

from fastapi import APIRouter, Response

from app.auth.caller import RequiredCaller
from app.auth.problems import EmailTaken, InvalidMailToken, InvalidToken, Unauthorized, WrongPassword
from app.auth.routing import Service, WithTokens, refusals
from app.auth.schemas import (
    Account,
    MailToken,
    PasswordChange,
    PasswordReset,
    PasswordResetConfirmation,
    PersonalInfo,
    Signup,
    Tier,
    TokenPair,
)
from app.auth.throttles import Throttling
from app.core.database_errors import DatabaseUnavailable, QueryTooSlow
from app.core.problems import responses
from app.core.throttling import Throttled

router = APIRouter(tags=["accounts"], responses=responses(DatabaseUnavailable, QueryTooSlow))


_WEAK = ("This password is one of the most common ones", "password_common")
_BAD_EMAIL = refusals("email", "value is not a valid email address", "value_error")
_BAD_PASSWORD = refusals("password", *_WEAK)
_BAD_NEW_PASSWORD = refusals("new_password", *_WEAK)
_BAD_TOKEN = refusals("token", "Field required", "missing")


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
async def get_personal_info(caller: RequiredCaller, accounts: Service) -> PersonalInfo:
    """The account behind the access token, its tier, and what is left of today's AI searches."""
    user = caller.user
    quota = await accounts.quota(caller.id)
    tier = Tier(code=user.tier_code, name=user.tier_name, daily_ai_search_limit=user.daily_ai_search_limit)
    return PersonalInfo(
        id=user.id,
        email=user.email,
        email_verified=user.email_verified,
        created_at=user.created_at,
        account_tier=tier,
        ai_searches_left=quota.left,
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
