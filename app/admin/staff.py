"""Who is at the staff's pages: the login, and the session that it begins."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import structlog
from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin.auth import AdminUser, AuthProvider
from starlette_admin.exceptions import LoginFailed
from starlette_admin.helpers import safe_redirect_url

from app.auth.problems import InvalidCredentials
from app.auth.repository import UserRepository
from app.auth.schemas import Credentials
from app.auth.service import Accounts
from app.auth.throttles import AccountThrottles
from app.core.database import Database

PATH = "/admin"
# Without a dot, by which a browser would find its way out of here.
PAGE = re.compile(rf"{PATH}/[a-z_/]*")
COOKIE = "movie_finder_admin"
# A working day; then the password is asked for again.
SESSION_AGE = timedelta(hours=12)
REFUSAL = "There is no active staff account with this email address and password."
log = structlog.stdlib.get_logger(__name__)


@dataclass
class StaffMember(AdminUser):
    """Who is logged in."""

    id: int = 0


class StaffSessions:
    """Sessions as signed cookies: the user's id, and the session version that is compared at every request.

    Args:
        keys: the first signs; the others verify only, so that a key can be replaced.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._signer = URLSafeTimedSerializer(
            list(reversed(keys)),  # itsdangerous signs with the last
            salt="movie-finder: admin session",
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )

    def issue(self, user_id: int, session_version: int) -> str:
        """A cookie's value for a new session."""
        return str(self._signer.dumps([user_id, session_version]))

    def read(self, cookie: str) -> tuple[int, int] | None:
        """The user's id and the session version of a cookie, or None where it was forged or is too old."""
        try:
            user_id, session_version = self._signer.loads(cookie, max_age=int(SESSION_AGE.total_seconds()))
        except BadData:
            return None
        return user_id, session_version


class StaffLogin(AuthProvider):
    """Lets active staff in by the password of their account. Every request asks the database whether they still are."""

    def __init__(self, sessions: StaffSessions, *, secure: bool) -> None:
        super().__init__()
        self._sessions = sessions
        self._secure = secure

    async def authenticate(self, request: Request) -> StaffMember | None:
        """The staff member whose session this is."""
        cookie = request.cookies.get(COOKIE)
        # The assets are open to all, and a page has a dozen.
        if cookie is None or request.url.path.startswith(f"{PATH}/static/"):
            return None
        session = self._sessions.read(cookie)
        if session is None:
            return None
        user_id, session_version = session
        database: Database = request.state.database
        async with database.reading() as reading:
            user = await UserRepository(reading).get(user_id)
        if user is None or not user.is_active or not user.is_staff or user.session_version != session_version:
            return None
        return StaffMember(username=user.email, id=user.id)

    async def login(self, username: str, password: str, remember_me: bool, request: Request) -> Response:  # noqa: ARG002, FBT001 - starlette-admin's signature
        """Begin a session, and lead to where the visitor wanted to go.

        Raises:
            LoginFailed: this is no active staff account, or not its password; which, nobody is told.
            Throttled: too many attempts; login with tokens counts along.
        """
        accounts: Accounts = request.state.accounts
        try:
            sent = Credentials(email=username, password=password)
            async with AccountThrottles(request).log_in(sent.email):
                user = await accounts.authenticate(sent.email, sent.password)
                if not user.is_staff:
                    raise InvalidCredentials  # noqa: TRY301 - a failure that counts
        except (ValidationError, InvalidCredentials):
            raise LoginFailed(REFUSAL) from None
        log.info("staff logged in", user_id=user.id)
        response = RedirectResponse(_destination(request), 303)
        response.set_cookie(
            COOKIE,
            self._sessions.issue(user.id, user.session_version),
            max_age=int(SESSION_AGE.total_seconds()),
            path=PATH,
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )
        return response

    async def logout(self, request: Request) -> Response:
        """End the session in this browser."""
        response = RedirectResponse(str(request.url_for("admin:login")), 303)
        response.delete_cookie(COOKIE, path=PATH, secure=self._secure, httponly=True, samesite="lax")
        return response


def _destination(request: Request) -> str:
    """Where `next` leads, as long as that is one of these pages."""
    home = str(request.url_for("admin:index"))
    wanted = safe_redirect_url(request.query_params.get("next") or home, request, home)
    return wanted if PAGE.fullmatch(urlsplit(wanted).path) else home
