"""An account of the Django service, as this service keeps one."""

from typing import Any

from asyncpg import Record
from email_validator import EmailNotValidError, validate_email

from app.auth.models import MAX_EMAIL_LENGTH
from app.auth.passwords import DjangoHasher
from app.auth.repository import normal_email
from app.takeover.findings import Findings

# What Django puts in front where no password is set.
UNUSABLE = "!"
_AS_THEY_ARE = ("id", "is_active", "is_staff", "created_at", "last_login_at", "tier_code", "email_verified")


def staged_user(row: Record, findings: Findings) -> dict[str, Any]:
    """The values of a user; with `left_out` where nobody could ever log in to it.

    A password stays as Django hashed it until its owner logs in. An address that no mail can be sent to stays too:
    it is what its owner logs in with.
    """
    email = normal_email(row["email"])
    values = {name: row[name] for name in _AS_THEY_ARE} | {"email": email, "password": _password(row, findings)}
    if not email:
        values["left_out"] = "no address"
    elif len(email) > MAX_EMAIL_LENGTH:
        values["left_out"] = f"an address of more than {MAX_EMAIL_LENGTH} characters"
    else:
        _note_addresses(row, email, findings)
    return values


def _password(row: Record, findings: Findings) -> str | None:
    password: str = row["password"]
    if not password or password.startswith(UNUSABLE):
        return None
    if not DjangoHasher.identify(password):
        findings.change("users", "a password of another kind than pbkdf2_sha256: it has to be reset", row["id"])
        return None
    return password


def _note_addresses(row: Record, email: str, findings: Findings) -> None:
    if row["other_addresses"]:
        findings.change("users", "further addresses stay behind: an account has one here", row["id"])
    try:
        validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        findings.change("users", "an address that no mail can be sent to, kept for logging in", row["id"])
