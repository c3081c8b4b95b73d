"""Who calls: the account that the request's access token names, checked at every request."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer

from app.auth.problems import InvalidToken, Unauthorized
from app.auth.repository import UserRepository, UserRow, session_version
from app.auth.tokens import Claims, InvalidTokenError, TokenIssuer
from app.core.database import Database
from app.core.request_record import request_record


@dataclass(frozen=True, slots=True)
class Caller:
    """The account behind a request.

    Attributes:
        auth_time: when the caller proved who they are, in seconds since 1970.
    """

    user: UserRow
    auth_time: int

    @property
    def id(self) -> int:
        """The account's id."""
        user_id: int = self.user.id
        return user_id


# The scheme of the documentation's Authorize button; the header is read below.
_SCHEME = OAuth2PasswordBearer(tokenUrl="/token/", auto_error=False, description="Your email address and password.")


async def optional_caller(request: Request, _documented: Annotated[str | None, Depends(_SCHEME)]) -> Caller | None:
    """The caller, or None where no Authorization header was sent.

    Raises:
        InvalidToken: a header was sent, and it proves nobody.
    """
    claims = _claims(request)
    if claims is None:
        return None
    database: Database = request.state.database
    async with database.reading() as session:  # not the request's: no connection is held while a password is hashed
        user = await UserRepository(session).get(claims.user_id)
    if user is None or not user.is_active or user.session_version != claims.session_version:
        raise InvalidToken
    _note(user.id)
    return Caller(user, claims.auth_time)


async def find_viewer(request: Request) -> int | None:
    """The id of the user for whom an answer is made; None for nobody in particular.

    Raises:
        InvalidToken: an Authorization header was sent, and it proves nobody.
    """
    claims = _claims(request)
    if claims is None:
        return None
    database: Database = request.state.database
    if await session_version(database, claims.user_id) != claims.session_version:
        raise InvalidToken
    _note(claims.user_id)
    return claims.user_id


def _claims(request: Request) -> Claims | None:
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    issuer: TokenIssuer = request.state.token_issuer
    try:
        return issuer.read(token.strip() if scheme.lower() == "bearer" else "", "access")
    except InvalidTokenError:
        raise InvalidToken from None


def _note(user_id: int) -> None:
    if (record := request_record()) is not None:
        record.user_id = user_id


async def _viewer(request: Request, _documented: Annotated[str | None, Depends(_SCHEME)]) -> int | None:
    return await find_viewer(request)


OptionalCaller = Annotated[Caller | None, Depends(optional_caller, scope="function")]
Viewer = Annotated[int | None, Depends(_viewer, scope="function")]


async def required_caller(caller: OptionalCaller) -> Caller:
    """The caller.

    Raises:
        Unauthorized: nobody is logged in.
    """
    if caller is None:
        raise Unauthorized
    return caller


RequiredCaller = Annotated[Caller, Depends(required_caller, scope="function")]
