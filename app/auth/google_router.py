"""Logging in with Google, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from app.auth.google import MAX_NEXT_LENGTH, GoogleSignIn, Returned
from app.auth.google_state import LOGIN_AGE, cookie_name
from app.auth.problems import AccountExists, GoogleNotConfigured, GoogleUnavailable, InvalidOAuthCode, OAuthFailed
from app.auth.routing import WithTokens
from app.auth.schemas import OAuthCode, TokenPair
from app.core.database_errors import DatabaseUnavailable, QueryTooSlow, WriteConflict
from app.core.http import refuse_repeated_parameters
from app.core.problems import (
    BodyTooLarge,
    FieldError,
    InvalidInput,
    UnsupportedMediaType,
    problem_response,
    responses,
)

router = APIRouter(tags=["accounts"], responses=responses(DatabaseUnavailable, QueryTooSlow))
_REPEATED = FieldError(field="state", message="Give this parameter once", code="repeated")
_NO_CODE = FieldError(field="code", message="Field required", code="missing")


async def open_google_sign_in(request: Request) -> GoogleSignIn:
    """The application's login with Google."""
    google_sign_in: GoogleSignIn = request.state.google_sign_in
    return google_sign_in


Service = Annotated[GoogleSignIn, Depends(open_google_sign_in)]
Next = Annotated[
    str | None,
    Query(
        alias="next",
        description="Where the browser goes afterwards: a page of the front end. Default: `FRONTEND_URL`.",
        examples=["https://app.example.com/welcome"],
        json_schema_extra={"maxLength": MAX_NEXT_LENGTH},
    ),
]
# Both have to fit into the cookie (see `MAX_NEXT_LENGTH`).
State = Annotated[
    str | None,
    Query(pattern="^[ -~]{1,512}$", description="The front end's own: comes back beside the code.", examples=["af0if"]),
]
CodeChallenge = Annotated[
    str | None,
    Query(
        pattern="^[A-Za-z0-9_-]{43}$",
        description="PKCE, S256 (RFC 7636): the code is then worth nothing without the verifier.",
        examples=["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"],
    ),
]


@router.get(
    "/accounts/google/login/",
    operation_id="logInWithGoogle",
    summary="Log in with Google",
    status_code=302,
    response_class=RedirectResponse,
    responses=responses(GoogleNotConfigured, GoogleUnavailable, InvalidInput, fault=_REPEATED),
    dependencies=[Depends(refuse_repeated_parameters)],
)
async def log_in_with_google(
    request: Request,
    google_sign_in: Service,
    destination: Next = None,
    state: State = None,
    code_challenge: CodeChallenge = None,
) -> Response:
    """Send the browser here: it is led to Google, and comes back to the front end at `next`.

    There it has a `code` for `POST /token/oauth/`, good for a minute, or an `error`: `account_exists` (log in with the
    password) or `oauth_failed`. Without a front end it ends at the callback, with the tokens.
    """
    callback = request.url_for(finish_google_login.__name__)
    begun = await google_sign_in.begin(destination, state, code_challenge, str(callback))
    response = RedirectResponse(begun.url, 302, headers={"Cache-Control": "no-store"})
    response.set_cookie(
        begun.cookie,
        begun.sealed,
        max_age=int(LOGIN_AGE.total_seconds()),
        path=callback.path,
        secure=not request.state.settings.debug,
        httponly=True,
        samesite="lax",  # the way back begins at Google's: `strict` would hold the cookie back
    )
    return response


@router.get(
    "/accounts/google/login/callback/",
    operation_id="finishGoogleLogin",
    summary="Where Google sends the browser back to",
    response_model=TokenPair,
    responses={
        302: {"description": "Back to the front end."},
        **responses(OAuthFailed, AccountExists, InvalidInput, fault=_REPEATED),
    },
    dependencies=[Depends(refuse_repeated_parameters)],
)
async def finish_google_login(
    request: Request,
    google_sign_in: Service,
    state: Annotated[str, Query(description="Ours, as it was sent to Google.")] = "",
    code: Annotated[str, Query(description="Google's.")] = "",
    error: Annotated[str, Query(description="Google's, where the person or Google refused.")] = "",
) -> Response:
    """Not for clients. Leads to the front end with a one-time `code`, or an `error`; without one, gives the tokens."""
    cookie = cookie_name(state)
    returned = Returned(state=state, code=code, error=error, sealed=request.cookies.get(cookie, ""))
    response: Response
    try:
        outcome = await google_sign_in.finish(returned)
    except (OAuthFailed, AccountExists) as problem:
        response = problem_response(request, problem)
    else:
        response = RedirectResponse(outcome, 302) if isinstance(outcome, str) else JSONResponse(outcome.model_dump())
    response.headers["Cache-Control"] = "no-store"
    path, secure = request.url.path, not request.state.settings.debug
    response.delete_cookie(cookie, path=path, secure=secure, httponly=True, samesite="lax")
    return response


@router.post(
    "/token/oauth/",
    operation_id="redeemOAuthCode",
    summary="Trade the code of a login for tokens",
    responses=responses(
        InvalidOAuthCode, InvalidInput, UnsupportedMediaType, BodyTooLarge, WriteConflict, fault=_NO_CODE
    ),
    dependencies=WithTokens,
)
async def redeem_oauth_code(body: OAuthCode, google_sign_in: Service) -> TokenPair:
    """A pair of tokens for the code that a login with Google ended with. It is used up by this in any case.

    The verifier belongs with a code for which a `code_challenge` was given, and with no other.
    """
    return await google_sign_in.redeem(body.code, body.code_verifier)
