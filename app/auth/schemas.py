"""Accounts as clients see them, and what they send."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, EmailStr, Field, StringConstraints, ValidationInfo, field_validator

from app.auth.models import MAX_EMAIL_LENGTH
from app.auth.passwords import MAX_LENGTH, MIN_LENGTH, check_password
from app.core.text import IsText, Text

Email = Annotated[EmailStr, StringConstraints(max_length=MAX_EMAIL_LENGTH), IsText]
# A password that is sent to be compared; what is longer than any stored one needs no hash to be wrong.
Attempt = Annotated[str, StringConstraints(min_length=1, max_length=1024, strict=True)]
# The rule speaks of the length in words of its own; the document has it as every schema does.
_LENGTHS: dict[str, Any] = {"minLength": MIN_LENGTH, "maxLength": MAX_LENGTH}
NewPassword = Annotated[str, StringConstraints(strict=True), IsText, Field(json_schema_extra=_LENGTHS)]
OpaqueToken = Annotated[Text, StringConstraints(min_length=1, max_length=4096, strict=True)]
_NEW = f"{MIN_LENGTH} to {MAX_LENGTH} characters; not common, not digits alone, not close to the email address."


def _example(**members: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": members})


class Signup(BaseModel):
    """A new account."""

    model_config = _example(email="ada@example.com", password="a long walk at night")

    email: Email = Field(description="Case does not matter.")
    password: NewPassword = Field(description=_NEW)

    @field_validator("password")
    @classmethod
    def _is_good(cls, password: str, info: ValidationInfo) -> str:
        return check_password(password, info.data.get("email", ""))


class Account(BaseModel):
    """An account, as its signup answers."""

    model_config = _example(id=1, email="ada@example.com", email_verified=False)

    id: int
    email: str
    email_verified: bool


class Credentials(BaseModel):
    """What a login sends."""

    model_config = _example(email="ada@example.com", password="a long walk at night")

    email: Annotated[Text, StringConstraints(min_length=1, max_length=MAX_EMAIL_LENGTH)]
    password: Attempt


class PasswordGrant(Credentials):
    """The same as OAuth2 has it (RFC 6749 section 4.3.2)."""

    grant_type: Literal["password"] = "password"


class TokenPair(BaseModel):
    """An access token for the `Authorization` header, and a refresh token for the next pair."""

    model_config = _example(access="eyJhbGciOiJIUzI1NiIs…", refresh="eyJhbGciOiJIUzI1NiIs…")

    access: str
    refresh: str


class OAuthTokenPair(TokenPair):
    """The same, with the names of the OAuth2 password grant (RFC 6749 section 5.1)."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"


class Refresh(BaseModel):
    """A refresh token."""

    model_config = _example(refresh="eyJhbGciOiJIUzI1NiIs…")

    refresh: OpaqueToken


class OAuthCode(BaseModel):
    """The one-time code of a login with Google."""

    model_config = _example(code="n1d8Gk…", code_verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")

    code: OpaqueToken
    code_verifier: OpaqueToken | None = Field(None, description="Where a `code_challenge` was given, and only there.")


class PasswordChange(BaseModel):
    """The old password, and the new one."""

    model_config = _example(old_password="a long walk at night", new_password="a short swim at noon")

    old_password: Attempt
    new_password: NewPassword = Field(description=_NEW)


class MailToken(BaseModel):
    """The token from a mail."""

    model_config = _example(token="k3rC0J…")

    token: OpaqueToken


class PasswordReset(BaseModel):
    """The address whose password was forgotten."""

    model_config = _example(email="ada@example.com")

    email: Email


class PasswordResetConfirmation(MailToken):
    """The token from the mail, and the new password."""

    model_config = _example(token="k3rC0J…", new_password="a short swim at noon")

    new_password: NewPassword = Field(description=_NEW)


class Tier(BaseModel):
    """What an account may do."""

    code: str
    name: str
    daily_ai_search_limit: int = Field(description="AI searches in a UTC day.")


class PersonalInfo(BaseModel):
    """The caller's account."""

    model_config = _example(
        id=1,
        email="ada@example.com",
        email_verified=True,
        created_at="2026-01-01T00:00:00Z",
        account_tier={"code": "free", "name": "Free", "daily_ai_search_limit": 3},
        ai_searches_left=3,
    )

    id: int
    email: str
    email_verified: bool
    created_at: datetime
    account_tier: Tier
    ai_searches_left: int = Field(description="Today, until midnight UTC.")
