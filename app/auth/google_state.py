"""What a browser keeps between the two halves of a login with Google, sealed.

A cookie for each login, so that two tabs do not stand in each other's way, and nothing in the database for a login that
nobody finishes. It is encrypted: the PKCE verifier and the nonce are of no use to who reads the browser's cookies, and
what a front end hands in comes back as it was.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, ConfigDict, ValidationError

from app.settings import Settings
from app.upstream.google import Proof

# As long as somebody may take at Google's.
LOGIN_AGE = timedelta(minutes=10)
# Tells this key from every other that is made of the same SECRET_KEY.
PURPOSE = b"movie-finder: login with Google"


class PendingLogin(BaseModel):
    """A login whose outcome Google has yet to tell.

    Attributes:
        proof: what Google's answer is checked against.
        destination: where the front end wants the browser back; None where there is no front end.
        state: the front end's own, given back to it.
        code_challenge: the front end's own; who trades the code for tokens must know its verifier.
    """

    model_config = ConfigDict(frozen=True)

    proof: Proof
    destination: str | None
    state: str | None
    code_challenge: str | None


class LoginSeal:
    """Seals pending logins, and opens what it has sealed.

    Args:
        keys: the first seals, and all open, so that a key can be replaced.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(_derived(key)) for key in keys])

    @classmethod
    def configured(cls, settings: Settings) -> "LoginSeal":
        """As the settings have it."""
        return cls([key.get_secret_value() for key in (settings.secret_key, *settings.secret_key_fallbacks)])

    def seal(self, pending: PendingLogin) -> str:
        """A cookie's value."""
        return self._fernet.encrypt(pending.model_dump_json().encode()).decode()

    def open(self, sealed: str, state: str) -> PendingLogin | None:
        """The login that was sealed for `state`; None where it is forged, too old, or another's."""
        try:
            opened = self._fernet.decrypt(sealed.encode(), ttl=int(LOGIN_AGE.total_seconds()))
            pending = PendingLogin.model_validate_json(opened)
        except (InvalidToken, ValidationError, UnicodeEncodeError):
            return None
        return pending if pending.proof.state == state else None


def cookie_name(state: str) -> str:
    """The cookie of the login with this state, which may hold what a cookie's name may not."""
    return f"google_login_{hashlib.sha256(state.encode()).hexdigest()[:16]}"


def _derived(key: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(key.encode())
    return base64.urlsafe_b64encode(derived)
