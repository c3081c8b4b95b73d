"""Access and refresh tokens: HS256 JWTs (RFC 7519) of our own issuer."""

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from jose import JOSEError, jwk, jwt
from pydantic import BaseModel, ConfigDict, Field

from app.settings import Settings

# A token of the Django service with the same key is none of ours.
ISSUER = "movie-finder"
# The only one, for signing and for verifying: a token that names another is not looked at.
ALGORITHM = "HS256"
# A token is under 500 bytes; what is longer is not even decoded.
MAX_TOKEN_LENGTH = 4096
# RFC 7515 section 7.1. The library passes over what is no base64url, so that one token had many spellings.
COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
TokenType = Literal["access", "refresh"]


class InvalidTokenError(ValueError):
    """A token that was forged, has expired, or is of another kind."""


class Login(BaseModel):
    """What every token of a login says.

    Attributes:
        session_version: the user's, when the token was issued; it has ended where the user's is another now.
        auth_time: when the user proved who they are, in seconds since 1970 (OpenID Connect Core, section 2).
    """

    model_config = ConfigDict(frozen=True)

    user_id: int = Field(strict=True, ge=1, lt=2**63)
    session_version: int = Field(strict=True)
    auth_time: int = Field(default_factory=lambda: int(time.time()), strict=True)


class Claims(Login):
    """What one token says.

    Attributes:
        family: of a refresh token, the login that it descends from.
    """

    auth_time: int = Field(strict=True)  # a token that says nothing of it is not taken for a new login
    token_type: TokenType
    jti: UUID
    iat: int
    exp: int
    family: UUID | None = None


class TokenIssuer:
    """Issues and reads tokens.

    Args:
        key: signs and verifies.
        fallbacks: keys that verify only, so that a key can be replaced without ending every session.
    """

    def __init__(self, key: str, fallbacks: Sequence[str], *, access: timedelta, refresh: timedelta) -> None:
        self._keys = [jwk.construct(secret, ALGORITHM) for secret in (key, *fallbacks)]
        self.access_age = access
        self.refresh_age = refresh

    @classmethod
    def configured(cls, settings: Settings) -> "TokenIssuer":
        """As the settings have it."""
        return cls(
            settings.secret_key.get_secret_value(),
            [key.get_secret_value() for key in settings.secret_key_fallbacks],
            access=timedelta(minutes=settings.access_token_minutes),
            refresh=timedelta(days=settings.refresh_token_days),
        )

    def access(self, login: Login) -> str:
        """A new access token."""
        return self._issue("access", login, uuid4(), self.access_age)

    def refresh(self, login: Login, *, family: UUID, jti: UUID) -> str:
        """A new refresh token with the id `jti`."""
        return self._issue("refresh", login, jti, self.refresh_age, family=str(family))

    def read(self, token: str, token_type: TokenType) -> Claims:
        """The claims of a valid token of this type.

        Raises:
            InvalidTokenError: it is none.
        """
        if len(token) > MAX_TOKEN_LENGTH or COMPACT.fullmatch(token) is None:
            raise InvalidTokenError
        for key in self._keys:
            try:
                found = jwt.decode(
                    token,
                    key,
                    algorithms=[ALGORITHM],
                    issuer=ISSUER,
                    options={"require_exp": True, "require_iat": True, "require_jti": True, "require_iss": True},
                )
                claims = Claims.model_validate(found)
            except (JOSEError, ValueError, TypeError, ArithmeticError, RecursionError):
                continue
            if claims.token_type == token_type:
                return claims
        raise InvalidTokenError

    def _issue(self, token_type: TokenType, login: Login, jti: UUID, age: timedelta, **more: str) -> str:
        now = datetime.now(UTC)
        claims = {
            "iss": ISSUER,
            "token_type": token_type,
            "user_id": login.user_id,
            "session_version": login.session_version,
            "auth_time": login.auth_time,
            "jti": str(jti),
            "iat": int(now.timestamp()),
            "exp": int((now + age).timestamp()),
            **more,
        }
        return str(jwt.encode(claims, self._keys[0], ALGORITHM))
