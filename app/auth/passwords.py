"""Passwords: which are taken, and how they are kept.

Hashes are argon2id. Django's `pbkdf2_sha256$…` hashes are verified, and replaced at the login that proves them.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
from difflib import SequenceMatcher

from anyio import CapacityLimiter, to_thread
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic_core import PydanticCustomError
from zxcvbn.frequency_lists import FREQUENCY_LISTS

MIN_LENGTH, MAX_LENGTH = 8, 128
COMMON = frozenset(FREQUENCY_LISTS["passwords"])
# As alike as this, a password is the address written a little differently.
TOO_CLOSE = 0.7
# A part of an address that is shorter is in nearly every password.
SHORTEST_PART = 3
# A hash costs tens of milliseconds of a core, and 64 MB: more at once would only wait for each other.
AT_ONCE = 2


class Argon2id(Argon2Hasher):
    """Makes and verifies argon2id hashes: by default at what RFC 9106, section 4, recommends where memory is scarce.

    Attributes:
        nobodys: a hash of no password, which costs as much to verify as any other.
    """

    def __init__(self, *, passes: int = 3, kibibytes: int = 64 * 1024, lanes: int = 4) -> None:
        super().__init__(time_cost=passes, memory_cost=kibibytes, parallelism=lanes)
        salt, digest = (base64.b64encode(os.urandom(size)).rstrip(b"=").decode() for size in (16, 32))
        self.nobodys = f"$argon2id$v=19$m={kibibytes},t={passes},p={lanes}${salt}${digest}"


ARGON2ID = Argon2id()


class DjangoHasher:
    """Verifies Django's PBKDF2 hashes: `pbkdf2_sha256$iterations$salt$base64 of the digest`."""

    pattern = re.compile(r"pbkdf2_sha256\$(\d{1,9})\$([^$]+)\$([A-Za-z0-9+/=]+)")

    @classmethod
    def identify(cls, hash: str | bytes) -> bool:  # noqa: A002 - pwdlib's name
        return isinstance(hash, str) and cls.pattern.fullmatch(hash) is not None

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        raise NotImplementedError("Django's hashes are verified only")

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002
        match = self.pattern.fullmatch(str(hash))
        if match is None:
            return False
        iterations, salt, digest = match.groups()
        secret = password.encode() if isinstance(password, str) else password
        found = hashlib.pbkdf2_hmac("sha256", secret, salt.encode(), int(iterations))
        try:
            return hmac.compare_digest(found, base64.b64decode(digest))
        except binascii.Error:
            return False

    def check_needs_rehash(self, hash: str | bytes) -> bool:  # noqa: A002, ARG002
        return True


class Passwords:
    """Hashes and verifies in threads, a few at once."""

    def __init__(self, argon2id: Argon2id = ARGON2ID) -> None:
        self._hashes = PasswordHash((argon2id, DjangoHasher()))
        self._limiter = CapacityLimiter(AT_ONCE)
        self._nobodys = argon2id.nobodys

    async def hash(self, password: str) -> str:
        """A hash of `password`."""
        return await to_thread.run_sync(self._hashes.hash, password, limiter=self._limiter)

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether `password` is the one of the hash `stored`, and a hash to store instead of one out of date.

        Costs one hash also where `stored` is None or of a kind that is not known, as Django's unusable ones are.
        """
        usable = stored if stored and any(h.identify(stored) for h in self._hashes.hashers) else None
        right, better = await to_thread.run_sync(
            self._hashes.verify_and_update, password, usable or self._nobodys, limiter=self._limiter
        )
        return (right, better) if usable else (False, None)


def check_password(password: str, email: str) -> str:
    """`password`, where it may be used by the account of `email`.

    Raises:
        PydanticCustomError: it may not: too short, too long, common, all digits, or close to the address.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise PydanticCustomError("password_length", f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters")
    if password.isdigit():
        raise PydanticCustomError("password_all_digits", "A password of digits alone is guessed too soon")
    if password.lower() in COMMON:
        raise PydanticCustomError("password_common", "This password is one of the most common ones")
    parts = {email.lower(), *re.split(r"\W+", email.lower())}
    if any(_alike(password.lower(), part) for part in parts if len(part) >= SHORTEST_PART):
        raise PydanticCustomError("password_close_to_email", "This password is too close to the email address")
    return password


def _alike(one: str, other: str) -> bool:
    if len(one) >= 10 * len(other):  # a part of an address in a long sentence
        return False
    return SequenceMatcher(a=one, b=other).quick_ratio() >= TOO_CLOSE
