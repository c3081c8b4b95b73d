"""Who calls: the account that the request's access token names, checked at every request."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer

from app.auth.problems import InvalidToken, Unauthorized
from app.auth.repository import UserRepository, UserRow
from app.auth.tokens import InvalidTokenError, TokenIssuer
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
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    issuer: TokenIssuer = request.state.token_issuer
    try:
        claims = issuer.read(token.strip() if scheme.lower() == "bearer" else "", "access")
    except InvalidTokenError:
        raise InvalidToken from None
    database: Database = request.state.database
    async with database.reading() as session:  # not the request's: no connection is held while a password is hashed
        user = await UserRepository(session).get(claims.user_id)
    if user is None or not user.is_active or user.session_version != claims.session_version:
        raise InvalidToken
    if (record := request_record()) is not None:
        record.user_id = user.id
    return Caller(user, claims.auth_time)


OptionalCaller = Annotated[Caller | None, Depends(optional_caller, scope="function")]


async def viewer(caller: OptionalCaller) -> int | None:
    """The id of the user for whom an answer is made; None for nobody in particular."""
    return caller.id if caller else None


Viewer = Annotated[int | None, Depends(viewer, scope="function")]


async def required_caller(caller: OptionalCaller) -> Caller:
    """The caller.

    Raises:
        Unauthorized: nobody is logged in.
    """
    if caller is None:
        raise Unauthorized
    return caller


RequiredCaller = Annotated[Caller, Depends(required_caller, scope="function")]
