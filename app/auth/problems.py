"""What accounts can go wrong with, in the words of the API."""

from typing import ClassVar

from app.core.problems import Problem


class Unauthorized(Problem):
    """The caller is nobody we know."""

    status = 401
    code = "not_authenticated"
    detail = "Log in first: send `Authorization: Bearer <access token>`."
    headers: ClassVar = {"WWW-Authenticate": "Bearer"}


class InvalidToken(Unauthorized):
    """A token that was forged, has expired or ended, or is of another kind."""

    code = "invalid_token"
    detail = "The token is not valid, or no longer."
    headers: ClassVar = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class InvalidCredentials(Unauthorized):
    """Address and password do not belong together, or the account is deactivated: which, nobody is told."""

    code = "invalid_credentials"
    detail = "There is no active account with this email address and password."


class TokenSpent(Unauthorized):
    """A refresh token was used a moment ago: two requests of one client raced."""

    code = "token_spent"
    detail = "This token was used a moment ago; use the one that was given for it."


class TokenReused(Unauthorized):
    """A refresh token was used again after its successor: one of the two was stolen."""

    code = "token_reused"
    detail = "This token was used before, and so was its successor. Everything that descends from it has ended: log in."


class EmailTaken(Problem):
    """There is an account with this address."""

    status = 409
    code = "email_taken"
    detail = "There is an account with this email address."


class WrongPassword(Problem):
    """The password that should prove the caller's identity is not theirs."""

    status = 400
    code = "wrong_password"
    detail = "The password is not right."


class InvalidMailToken(Problem):
    """A token from a mail that was used, has expired, or never was."""

    status = 400
    code = "invalid_token"
    detail = "The link is not valid: it works once, for an hour. Ask for a new one."


class GoogleNotConfigured(Problem):
    """This deployment has no client id of Google's."""

    status = 503
    code = "google_not_configured"
    detail = "Logging in with Google is not set up here."
    headers: ClassVar = {"Retry-After": "3600"}


class GoogleUnavailable(Problem):
    """Google's addresses could not be had."""

    status = 503
    code = "google_unavailable"
    detail = "Google cannot be reached at the moment. Try again shortly."
    headers: ClassVar = {"Retry-After": "30"}


class OAuthFailed(Problem):
    """A login with Google came to nothing: which check it failed, nobody is told."""

    status = 400
    code = "oauth_failed"
    detail = "Logging in with Google did not work. Begin again."


class AccountExists(Problem):
    """There is an account with this address, and Google's word is not enough to enter it."""

    status = 400
    code = "account_exists"
    detail = "There is an account with this email address. Log in with its password."


class InvalidOAuthCode(Unauthorized):
    """The code of a login that was used, has expired, never was, or is another client's."""

    code = "invalid_code"
    detail = "The code is not valid: it works once, for a minute, and with its verifier. Log in again."
