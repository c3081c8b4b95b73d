"""The user's data as a download."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from app.auth.schemas import Attempt


class ExportedAccount(BaseModel):
    """The account itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": 1,
                "email": "ada@example.com",
                "email_verified": True,
                "created_at": "2026-01-01T00:00:00Z",
                "account_tier": "free",
                "has_password": True,
                "google_subject": None,
            }
        }
    )

    id: int
    email: str
    email_verified: bool
    created_at: datetime
    account_tier: str
    has_password: bool
    google_subject: str | None


class AccountExport(BaseModel):
    """Everything that is stored of an account."""

    account: ExportedAccount


class Deletion(BaseModel):
    """The password, where the account has one."""

    model_config = ConfigDict(json_schema_extra={"example": {"password": "a long walk at night"}})

    password: Attempt | None = None
