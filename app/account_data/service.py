"""The user's data, to take along and to delete."""

import time

from app.account_data.repository import AccountDataRepository
from app.account_data.schemas import AccountExport, ExportedAccount
from app.auth.caller import Caller
from app.auth.problems import WrongPassword
from app.auth.repository import UserRepository
from app.auth.service import Accounts
from app.core.database import Database
from app.core.problems import Problem

# An account without a password proves itself by a login as recent as this.
RECENT_LOGIN_SECONDS = 5 * 60


class RecentLoginRequired(Problem):
    """An account without a password deletes itself only shortly after a login."""

    status = 403
    code = "recent_login_required"
    detail = "This account has no password: log in again, and repeat this within five minutes."


class AccountData:
    """What an account holds, as a whole."""

    def __init__(self, database: Database, accounts: Accounts) -> None:
        self._database = database
        self._accounts = accounts

    async def export(self, caller: Caller) -> AccountExport:
        """Everything that is stored of the caller."""
        user = caller.user
        account = ExportedAccount(
            id=user.id,
            email=user.email,
            email_verified=user.email_verified,
            created_at=user.created_at,
            account_tier=user.tier_code,
            has_password=user.password is not None,
            google_subject=user.google_subject,
        )
        async with self._database.reading() as session:
            stored = AccountDataRepository(session, user.id)
            return AccountExport.model_validate(
                {
                    "account": account,
                    "likes": await stored.likes(),
                    "watch_later": await stored.watch_later(),
                    "collections": await stored.collections(),
                    "subscriptions": await stored.subscriptions(),
                    "ai_searches": await stored.ai_searches(),
                }
            )

    async def delete(self, caller: Caller, password: str | None) -> None:
        """Delete the account and all that it owns.

        Raises:
            WrongPassword: the password is missing or not right.
            RecentLoginRequired: the account has no password, and its login is older than five minutes.
        """
        if caller.user.password is None:
            if time.time() - caller.auth_time > RECENT_LOGIN_SECONDS:
                raise RecentLoginRequired
        elif not await self._accounts.prove(caller.user, password or ""):
            raise WrongPassword
        await self._database.write(lambda session: UserRepository(session).delete(caller.id))
