"""How often an account may be made, entered, and written to."""

from contextlib import AbstractAsyncContextManager
from typing import Annotated

from fastapi import Depends, Request

from app.auth.problems import InvalidCredentials, WrongPassword
from app.auth.repository import normal_email
from app.core.client_address import client_address
from app.core.problems import Problem
from app.core.throttling import Throttle, Throttles
from app.settings import Settings


class AccountThrottles:
    """The throttles of one request. Each counts by the client's address, so none shuts an owner out elsewhere.

    Call them once the input is known to be good: what is refused for its form counts for nothing.
    """

    def __init__(self, request: Request) -> None:
        self._throttles: Throttles = request.state.throttles
        self._settings: Settings = request.state.settings
        self._address = client_address(request)

    def log_in(self, email: str) -> AbstractAsyncContextManager[None]:
        """Around the check of a password: the attempt counts, and a failure for this account from here as well.

        A login with tokens, one to the admin's pages, and a password that proves the caller anew count together.

        Raises:
            Throttled: on entering, before anything is hashed.
        """
        return self._attempt(email, InvalidCredentials)

    def prove(self, email: str) -> AbstractAsyncContextManager[None]:
        """The same for somebody who is logged in: a stolen token must not try passwords out.

        Raises:
            Throttled: on entering, before anything is hashed.
        """
        return self._attempt(email, WrongPassword)

    async def sign_up(self) -> None:
        """Count a signup.

        Raises:
            Throttled: too many from here.
        """
        await self._throttles.take(Throttle("signup", self._settings.throttle_signup[0], (self._address,)))

    async def request_reset(self, email: str) -> None:
        """Count a mail to set a new password with, whether or not there is such an account.

        Raises:
            Throttled: too many from here, in all or for this account.
        """
        await self._count_mail("reset", normal_email(email))

    async def resend(self, user_id: int) -> None:
        """Count a mail that proves an address.

        Raises:
            Throttled: too many from here, in all or for this account.
        """
        await self._count_mail("resend", user_id)

    async def confirm_reset(self) -> None:
        """Count a new password by the token of a mail: each costs a hash, and the token might be guessed.

        Raises:
            Throttled: too many from here.
        """
        await self._throttles.take(Throttle("reset confirmation", self._settings.throttle_reset[0], (self._address,)))

    def _attempt(self, email: str, failure: type[Problem]) -> AbstractAsyncContextManager[None]:
        in_all, failed = self._settings.throttle_login[0], self._settings.throttle_login[-1]
        return self._throttles.attempt(
            Throttle("login", in_all, (self._address,)),
            failures=Throttle("failed login", failed, (self._address, normal_email(email))),
            failure=failure,
        )

    async def _count_mail(self, name: str, account: str | int) -> None:
        in_all, for_account = self._settings.throttle_reset[0], self._settings.throttle_reset[-1]
        await self._throttles.take(
            Throttle(name, in_all, (self._address,)),
            Throttle(f"{name} of an account", for_account, (self._address, account)),
        )


async def open_account_throttles(request: Request) -> AccountThrottles:
    """The throttles for this request."""
    return AccountThrottles(request)


Throttling = Annotated[AccountThrottles, Depends(open_account_throttles)]
