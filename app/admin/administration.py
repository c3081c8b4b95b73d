"""The rules of what staff may do with accounts and tiers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.repository import TierAdministrationRepository, UserAdministrationRepository
from app.auth.passwords import Passwords
from app.auth.repository import OneTimeTokenRepository, UserRepository
from app.core.database import Database
from app.core.database_errors import naming_violations

ADMINISTRATORS_TIER = "admin"
log = structlog.stdlib.get_logger(__name__)


class Refused(Exception):  # noqa: N818 - nothing is wrong with the program
    """What the rules do not allow.

    Attributes:
        message: says why, for a person.
        field: of a form, the one at fault.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


NO_DEFAULT = Refused("One tier must be the default. Make another the default instead.", "is_default")
NO_LONGER_STAFF = Refused("You are no longer staff.", "is_staff")
TIER_GONE = Refused("There is no such tier any more.", "account_tier_id")


class Administration:
    """What staff do. Nobody locks themselves out; whom it ends, it ends at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change_user(self, user_id: int, *, by: int, tier_id: int, is_active: bool, is_staff: bool) -> None:
        """Set a user's tier and flags. Who loses an entry loses every token and session in the same transaction.

        Raises:
            Refused: staff took away their own entry, lost it at the same moment, or the tier is gone.
        """
        if user_id == by and not is_active:
            raise Refused("You cannot deactivate your own account.", "is_active")
        if user_id == by and not is_staff:
            raise Refused("You cannot take staff from your own account.", "is_staff")
        async with self._changing(fk_users_account_tier_id=TIER_GONE) as session:
            before = await _state(session, user_id, by=by)
            users = UserRepository(session)
            await users.update(user_id, account_tier_id=tier_id, is_active=is_active, is_staff=is_staff)
            if before and ((before.is_active and not is_active) or (before.is_staff and not is_staff)):
                await users.end_sessions(user_id)
        log.info("user changed", user_id=user_id, by=by, tier_id=tier_id, is_active=is_active, is_staff=is_staff)

    async def delete_user(self, user_id: int, *, by: int) -> None:
        """Delete a user, with all that it owns.

        Raises:
            Refused: it is the staff member's own account, or they have lost their entry at the same moment.
        """
        if user_id == by:
            raise Refused("You cannot delete your own account here.")

        async def delete(session: AsyncSession) -> None:
            await _state(session, user_id, by=by)
            await UserRepository(session).delete(user_id)

        await self._database.write(delete)
        log.info("user deleted", user_id=user_id, by=by)

    async def add_tier(self, *, by: int, **values: object) -> int:
        """A new tier.

        Raises:
            Refused: its code is taken.
        """
        async with self._changing(
            uq_account_tiers_code=Refused("There is a tier with this code.", "code"),
            uq_account_tiers_is_default=_overtaken(),
        ) as session:
            tier_id = await TierAdministrationRepository(session).add(**values)
        log.info("tier added", tier_id=tier_id, by=by)
        return tier_id

    async def change_tier(self, tier_id: int, *, by: int, **values: object) -> None:
        """Change a tier.

        Raises:
            Refused: it would leave no default.
        """
        async with self._changing(
            account_tiers_keep_default=NO_DEFAULT, uq_account_tiers_is_default=_overtaken()
        ) as session:
            await TierAdministrationRepository(session).change(tier_id, **values)
        log.info("tier changed", tier_id=tier_id, by=by)

    async def delete_tier(self, tier_id: int, *, by: int) -> None:
        """Delete a tier.

        Raises:
            Refused: there are users in it, or it is the default.
        """
        async with self._changing(
            fk_users_account_tier_id=Refused("There are users in this tier. Give them another first."),
            account_tiers_keep_default=NO_DEFAULT,
        ) as session:
            await TierAdministrationRepository(session).delete(tier_id)
        log.info("tier deleted", tier_id=tier_id, by=by)

    async def make_administrator(self, email: str, password: str, passwords: Passwords) -> bool:
        """An administrator with this address and password; True for a new account, False for one raised to it.

        The password is a new one: every session of an account that existed ends.

        Raises:
            Refused: there is no tier for administrators.
        """
        hashed = await passwords.hash(password)
        async with self._database.transaction() as session:
            administrators = UserAdministrationRepository(session)
            tier_id = await administrators.tier_id(ADMINISTRATORS_TIER)
            if tier_id is None:
                raise Refused(f"there is no tier with the code {ADMINISTRATORS_TIER}: add it first")
            made = await administrators.upsert(
                email, password=hashed, account_tier_id=tier_id, is_active=True, is_staff=True, email_verified=True
            )
            await UserRepository(session).end_sessions(made.id)
            await OneTimeTokenRepository(session).drop(made.id)
        is_new: bool = made.is_new
        return is_new

    @asynccontextmanager
    async def _changing(self, **refusals: Refused) -> AsyncIterator[AsyncSession]:
        """A transaction in which a violated constraint is a refusal, told by the constraint's name."""
        with naming_violations(**refusals):
            async with self._database.transaction() as session:
                yield session


async def _state(session: AsyncSession, user_id: int, *, by: int) -> Row[int, bool, bool] | None:
    """Whether the user is active and staff, locked together with who acts: two cannot throw each other out.

    Raises:
        Refused: who acts has lost their entry since the request began.
    """
    states = await UserAdministrationRepository(session).lock(user_id, by)
    actor = states.get(by)
    if actor is None or not (actor.is_active and actor.is_staff):
        raise NO_LONGER_STAFF
    return states.get(user_id)


def _overtaken() -> Refused:
    return Refused("Another tier was made the default at the same moment. Try again.", "is_default")
