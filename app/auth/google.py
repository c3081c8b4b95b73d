"""Logging in with Google: from the front end to Google, and back with a code that is worth a token pair."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import structlog
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.google_accounts import account_of
from app.auth.google_state import LoginSeal, PendingLogin, cookie_name
from app.auth.models import User
from app.auth.problems import AccountExists, GoogleNotConfigured, GoogleUnavailable, InvalidOAuthCode, OAuthFailed
from app.auth.repository import OneTimeTokenRepository, UserRepository
from app.auth.schemas import TokenPair
from app.auth.service import Accounts
from app.core.database import Database
from app.core.problems import FieldError, InvalidInput, Problem
from app.setting_values import web_origin
from app.settings import Settings
from app.upstream.errors import UpstreamError
from app.upstream.google import Google, GoogleIdentity, Proof

# The purpose of the one-time codes.
OAUTH = "oauth"
CODE_AGE = timedelta(seconds=60)
# Ours in the address that the browser is sent back to; what it had under these names gives way.
OUR_PARAMETERS = {"code", "state", "error"}
# Its cookie has to hold it, in encrypted form, and a browser keeps 4 kB.
MAX_NEXT_LENGTH = 1024

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """A login that goes on at Google's: where to, and the cookie that the browser must bring back."""

    url: str
    cookie: str
    sealed: str


@dataclass(frozen=True, slots=True)
class Returned:
    """What the browser brings back from Google; any of it may be forged."""

    state: str
    code: str
    error: str
    sealed: str


class GoogleSignIn:
    """Logging in with Google.

    Args:
        google: None where no client id is configured.
        frontend_url: where a browser goes back to unless the front end says otherwise.
        origins: where it may be sent to.
    """

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        google: Google | None,
        seal: LoginSeal,
        *,
        frontend_url: str | None,
        origins: Collection[str],
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._google = google
        self._seal = seal
        self._frontend_url = frontend_url
        self._origins = origins

    @classmethod
    def configured(
        cls, settings: Settings, database: Database, accounts: Accounts, google: Google | None
    ) -> "GoogleSignIn":
        """As the settings have it."""
        frontend_url = settings.frontend_url
        allowed = (*settings.oauth_redirect_origins, *([frontend_url] if frontend_url else []))
        origins = {origin for url in allowed if (origin := web_origin(url))}
        seal = LoginSeal.configured(settings)
        return cls(database, accounts, google, seal, frontend_url=frontend_url, origins=origins)

    async def begin(
        self, destination: str | None, given_back: str | None, code_challenge: str | None, redirect_uri: str
    ) -> Begun:
        """A login, for a front end that wants the browser back at `destination`, with its state `given_back`.

        Raises:
            GoogleNotConfigured: there is no client id.
            InvalidInput: the browser may not be sent to `destination`.
            GoogleUnavailable: Google's addresses could not be had.
        """
        if self._google is None:
            raise GoogleNotConfigured
        if destination is not None and not self._may_go_to(destination):
            message = "The address's origin is not that of FRONTEND_URL, nor in OAUTH_REDIRECT_ORIGINS"
            raise InvalidInput([FieldError(field="next", message=message, code="origin_not_allowed")])
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        proof = Proof(state=state, nonce=nonce, verifier=verifier, redirect_uri=redirect_uri)
        try:
            url = await self._google.authorization_url(proof)
        except UpstreamError:
            raise GoogleUnavailable from None
        pending = PendingLogin(
            proof=proof, destination=destination or self._frontend_url, state=given_back, code_challenge=code_challenge
        )
        return Begun(url, cookie_name(proof.state), self._seal.seal(pending))

    async def finish(self, returned: Returned) -> str | TokenPair:
        """The address to send the browser to; a token pair where there is no front end.

        The address carries a one-time code, or an error: never a token.

        Raises:
            OAuthFailed: there is no front end to tell that the person or Google said no, or somebody forged this.
            AccountExists: there is no front end to tell that the address's account may not be entered so.
        """
        pending = self._seal.open(returned.sealed, returned.state)
        destination = pending.destination if pending else self._frontend_url
        state = pending.state if pending else None
        try:
            outcome = await self._outcome(pending, returned)
        except Problem as problem:
            log.warning("login with Google failed", code=problem.code)
            if destination is None:
                raise
            error = AccountExists.code if isinstance(problem, AccountExists) else OAuthFailed.code
            return _with_parameters(destination, error=error, state=state)
        if isinstance(outcome, TokenPair) or destination is None:
            return outcome
        return _with_parameters(destination, code=outcome, state=state)

    async def redeem(self, code: str, verifier: str | None) -> TokenPair:
        """The token pair for a one-time code, which is used up by this, also where the verifier is wrong.

        Who has a code and not its verifier has stolen it: to try again must not be worth the while, and whose it was
        sees that something is amiss. A verifier where no challenge was given is refused as well: somebody has slipped
        their own code to a front end that asked for another (RFC 9700 section 4.8).

        Raises:
            InvalidOAuthCode: the code is not valid, or not with this verifier.
        """
        async with self._database.transaction() as session:
            taken = await OneTimeTokenRepository(session).take(OAUTH, code)
            if taken is not None and _fits(verifier, taken.code_challenge):
                pair = await self._log_in(session, taken.user_id)
                if pair is not None:
                    return pair
        raise InvalidOAuthCode  # after the commit: the code is used up

    def _may_go_to(self, destination: str) -> bool:
        return len(destination) <= MAX_NEXT_LENGTH and web_origin(destination) in self._origins

    async def _outcome(self, pending: PendingLogin | None, returned: Returned) -> str | TokenPair:
        """A one-time code for the front end; a token pair where there is none."""
        if self._google is None or pending is None or returned.error or not returned.code:
            raise OAuthFailed
        try:
            identity = await self._google.identity(returned.code, pending.proof)
        except UpstreamError:
            raise OAuthFailed from None
        return await self._database.write(lambda session: self._enter(session, identity, pending))

    async def _enter(self, session: AsyncSession, identity: GoogleIdentity, pending: PendingLogin) -> str | TokenPair:
        user_id = await account_of(session, identity)
        if pending.destination is not None:
            return await OneTimeTokenRepository(session).add(OAUTH, user_id, CODE_AGE, pending.code_challenge)
        pair = await self._log_in(session, user_id)
        if pair is None:
            raise OAuthFailed
        return pair

    async def _log_in(self, session: AsyncSession, user_id: int) -> TokenPair | None:
        """A pair for who has proved to be this user; None where the account is deactivated."""
        version = await UserRepository(session).update(user_id, User.is_active, last_login_at=func.now())
        return None if version is None else await self._accounts.new_pair(session, user_id, version)


def _fits(verifier: str | None, challenge: str | None) -> bool:
    """Whether `verifier` is the one of `challenge`, by PKCE's S256 (RFC 7636 section 4.6)."""
    if verifier is None or challenge is None:
        return verifier is challenge
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    return hmac.compare_digest(digest.rstrip(b"="), challenge.encode())


def _with_parameters(url: str, **parameters: str | None) -> str:
    """`url` with these parameters in its query; those that are None are left out."""
    parts = urlsplit(url)
    theirs = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in theirs if name not in OUR_PARAMETERS]
    ours = [(name, value) for name, value in parameters.items() if value is not None]
    return urlunsplit(parts._replace(query=urlencode([*kept, *ours])))
