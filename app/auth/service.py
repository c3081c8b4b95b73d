"""The rules of accounts and of their tokens."""

from uuid import UUID, uuid4

from pydantic_core import PydanticCustomError
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.mails import MAIL_TASK, RESET_PASSWORD, VERIFY_EMAIL, MailPayload, Template
from app.auth.models import User
from app.auth.passwords import Passwords, check_password
from app.auth.problems import (
    EmailTaken,
    InvalidCredentials,
    InvalidMailToken,
    InvalidToken,
    TokenReused,
    TokenSpent,
    WrongPassword,
)
from app.auth.quota import Quota, QuotaRepository
from app.auth.repository import (
    OneTimeTokenRepository,
    Presented,
    TokenFamilyRepository,
    UserRepository,
    UserRow,
    normal_email,
)
from app.auth.schemas import Account, TokenPair
from app.auth.tokens import Claims, InvalidTokenError, Login, TokenIssuer
from app.core.database import Database
from app.core.jobs import enqueue
from app.core.problems import FieldError, InvalidInput

REFUSED = {Presented.UNKNOWN: InvalidToken, Presented.SPENT: TokenSpent, Presented.REUSED: TokenReused}


class Accounts:
    """Signing up, logging in, staying in. Passwords are hashed while no connection is held."""

    def __init__(self, database: Database, passwords: Passwords, tokens: TokenIssuer) -> None:
        self._database = database
        self._passwords = passwords
        self._tokens = tokens

    async def sign_up(self, email: str, password: str) -> Account:
        """A new account of the default tier. A mail to prove the address is sent once it is stored.

        Raises:
            EmailTaken: there is one with this address.
        """
        hashed = await self._passwords.hash(password)
        async with self._database.transaction() as session:
            user_id = await UserRepository(session).add(email, password=hashed)
            if user_id is None:
                raise EmailTaken
            await _mail(session, user_id, VERIFY_EMAIL)
        return Account(id=user_id, email=normal_email(email), email_verified=False)

    async def quota(self, user_id: int) -> Quota:
        """What a user has of AI searches today."""
        async with self._database.reading() as session:
            return await QuotaRepository(session).get(user_id)

    async def log_in(self, email: str, password: str) -> TokenPair:
        """A token pair for who knows the password.

        Costs one hash, and takes the same time, whether or not there is such an account.

        Raises:
            InvalidCredentials: address and password do not belong together, or the account is deactivated.
        """
        user, better = await self._proved(email, password)
        async with self._database.transaction() as session:
            version = await self._record_login(session, user, better)
            return await self.new_pair(session, user.id, version)

    async def authenticate(self, email: str, password: str) -> UserRow:
        """The user of these credentials, for a login without tokens.

        Raises:
            InvalidCredentials: as for `log_in`.
        """
        user, better = await self._proved(email, password)
        async with self._database.transaction() as session:
            await self._record_login(session, user, better)
        return user

    async def refresh(self, token: str) -> TokenPair:
        """The next pair for a refresh token.

        Raises:
            InvalidToken: it was forged, has expired, or its family or session has ended.
            TokenSpent: it was used a moment ago.
            TokenReused: it was used before, and so was its successor; the family has ended now.
        """
        claims = self._read_refresh(token)
        family, successor = claims.family or uuid4(), uuid4()
        async with self._database.transaction() as session:
            user = await UserRepository(session).get(claims.user_id)
            if user is None or not user.is_active or user.session_version != claims.session_version:
                raise InvalidToken
            families = TokenFamilyRepository(session)
            outcome = await families.rotate(family, claims.jti, successor, self._tokens.refresh_age)
        if outcome in REFUSED:  # after the commit: the end of a stolen family must last
            raise REFUSED[outcome]
        return self._pair(claims, family=family, jti=successor)

    async def revoke(self, token: str) -> None:
        """Log out: end the token's family. What is no token of ours has nothing to end."""
        try:
            claims = self._read_refresh(token)
        except InvalidToken:
            return
        if claims.family is not None:
            async with self._database.transaction() as session:
                await TokenFamilyRepository(session).end(claims.family)

    async def change_password(self, user: UserRow, old: str, new: str) -> TokenPair:
        """Set a new password: every older token and session of the account ends at once.

        Raises:
            WrongPassword: the old one is not right.
            InvalidInput: the new one is not good enough.
        """
        right, _ = await self._passwords.verify(old, user.password)
        if not right:
            raise WrongPassword
        _refuse_bad_password(new, user.email)
        hashed = await self._passwords.hash(new)
        async with self._database.transaction() as session:
            users = UserRepository(session)
            if await users.update(user.id, User.session_version == user.session_version, password=hashed) is None:
                raise WrongPassword  # another request was faster
            version = await users.end_sessions(user.id)
            await OneTimeTokenRepository(session).drop(user.id)
            return await self.new_pair(session, user.id, version)

    async def verify_email(self, token: str) -> None:
        """Take the token of a mail as proof of the address that it was sent to.

        Raises:
            InvalidMailToken: it is not valid, or no longer.
        """
        async with self._database.transaction() as session:
            taken = await OneTimeTokenRepository(session).take(VERIFY_EMAIL, token)
            if taken is None:
                raise InvalidMailToken
            await UserRepository(session).update(taken.user_id, email_verified=True)

    async def resend_verification(self, user: UserRow) -> None:
        """Send the mail that proves the address once more, where it is not proved."""
        if not user.email_verified:
            async with self._database.transaction() as session:
                await _mail(session, user.id, VERIFY_EMAIL)

    async def request_reset(self, email: str) -> None:
        """Send a mail to set a new password with, where there is an active account with this address."""
        async with self._database.transaction() as session:
            user = await UserRepository(session).by_email(email)
            if user is not None and user.is_active:
                await _mail(session, user.id, RESET_PASSWORD)

    async def reset_password(self, token: str, new: str) -> None:
        """Set a new password by the token of a mail, which proves the address too. Every session ends.

        Raises:
            InvalidMailToken: the token is not valid, or no longer.
            InvalidInput: the password is not good enough; the token stays valid.
        """
        _refuse_bad_password(new, "")
        hashed = await self._passwords.hash(new)
        async with self._database.transaction() as session:
            taken = await OneTimeTokenRepository(session).take(RESET_PASSWORD, token)
            users = UserRepository(session)
            user = taken and await users.get(taken.user_id)
            if not user or not user.is_active:
                raise InvalidMailToken
            _refuse_bad_password(new, user.email)  # rolls back, so that the token is not used up
            # Whoever linked a Google account to an address that was never proved need not be its owner.
            link = {} if user.email_verified else {"google_subject": None}
            await users.update(user.id, password=hashed, email_verified=True, **link)
            await users.end_sessions(user.id)
            await OneTimeTokenRepository(session).drop(user.id)

    async def prove(self, user: UserRow, password: str) -> bool:
        """Whether `password` is the user's."""
        right, _ = await self._passwords.verify(password, user.password)
        return right

    async def new_pair(self, session: AsyncSession, user_id: int, version: int) -> TokenPair:
        """A pair that begins a family, for a user whose identity has been proved."""
        family, jti = uuid4(), uuid4()
        await TokenFamilyRepository(session).add(family, user_id, jti, self._tokens.refresh_age)
        return self._pair(Login(user_id=user_id, session_version=version), family=family, jti=jti)

    async def _proved(self, email: str, password: str) -> tuple[UserRow, str | None]:
        """The active user of these credentials, and a new hash where the stored one is out of date."""
        async with self._database.reading() as session:
            user = await UserRepository(session).by_email(email)
        right, better = await self._passwords.verify(password, user.password if user else None)
        if user is None or not right or not user.is_active:
            raise InvalidCredentials
        return user, better

    async def _record_login(self, session: AsyncSession, user: UserRow, better: str | None) -> int:
        """Note the login, unless password or state have changed meanwhile; the session version."""
        values = {"password": better} if better else {}
        # A better hash of the same password, which a login at the same moment may have stored, is no change.
        unchanged = (User.session_version == user.session_version, User.is_active)
        version = await UserRepository(session).update(user.id, *unchanged, last_login_at=func.now(), **values)
        if version is None:
            raise InvalidCredentials
        return version

    def _pair(self, login: Login, *, family: UUID, jti: UUID) -> TokenPair:
        return TokenPair(access=self._tokens.access(login), refresh=self._tokens.refresh(login, family=family, jti=jti))

    def _read_refresh(self, token: str) -> Claims:
        try:
            return self._tokens.read(token, "refresh")
        except InvalidTokenError:
            raise InvalidToken from None


def _refuse_bad_password(password: str, email: str) -> None:
    try:
        check_password(password, email)
    except PydanticCustomError as error:
        fault = FieldError(field="new_password", message=error.message(), code=error.type)
        raise InvalidInput([fault]) from None


async def _mail(session: AsyncSession, user_id: int, template: Template) -> None:
    """Have a mail sent once the transaction has committed."""
    await enqueue(session, MAIL_TASK, MailPayload(user_id=user_id, template=template))
