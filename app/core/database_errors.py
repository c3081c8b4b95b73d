"""What PostgreSQL and its driver fail with, by names of our own: no caller reads driver errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import asyncpg
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.problems import Problem

# SQLSTATE codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
QUERY_CANCELED = "57014"
CONFLICTS = {"40001", "40P01", "55P03"}  # serialization_failure, deadlock_detected, lock_not_available
SHUT_DOWN = {"57P01", "57P02"}  # by an administrator, by a crash


class DatabaseUnavailable(Problem):
    """PostgreSQL cannot be reached, or has no connection left for us."""

    status = 503
    code = "database_unavailable"
    detail = "The database cannot be reached at the moment. Try again shortly."
    headers: ClassVar = {"Retry-After": "5"}


class QueryTooSlow(Problem):
    """A statement ran into its time limit."""

    status = 503
    code = "query_timeout"
    detail = "The answer took too long to find. Ask for less, or try again shortly."
    headers: ClassVar = {"Retry-After": "5"}


class WriteConflict(Problem):
    """PostgreSQL broke off one of two transactions that stood in each other's way."""

    status = 503
    code = "write_conflict"
    detail = "Another change came in between. Try again."
    headers: ClassVar = {"Retry-After": "1"}


def name_error(context: ExceptionContext) -> Exception | None:
    """The problem that a session's failed statement is; None where it has no name."""
    error = context.original_exception
    driver = context.connection.connection.driver_connection if context.connection is not None else None
    context.is_disconnect |= isinstance(error, TimeoutError)
    return problem_of(error, driver, disconnected=context.is_disconnect)


def problem_of(error: BaseException, driver: asyncpg.Connection | None, *, disconnected: bool) -> Problem | None:
    """The problem that a failed statement is; None where it has no name."""
    state = getattr(error, "sqlstate", None)
    if isinstance(error, TimeoutError) and driver is not None:  # asyncpg's command_timeout: no answer comes any more
        driver.terminate()  # else SQLAlchemy says goodbye, and waits two seconds more for an answer
    if disconnected or state in SHUT_DOWN:
        return DatabaseUnavailable()
    if state == QUERY_CANCELED:
        return QueryTooSlow()
    return WriteConflict() if state in CONFLICTS else None


@contextmanager
def naming_violations(**problems: Exception) -> Iterator[None]:
    """Raise an error of ours in the place of a violated constraint, which is told by its name.

    The error is that of PostgreSQL where the constraint is none of those named.
    """
    try:
        yield
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "__cause__", None), "constraint_name", None)
        problem = problems.get(constraint or "")
        if problem is None:
            raise
        raise problem from None


@contextmanager
def named_pool_timeout() -> Iterator[None]:
    """Raise DatabaseUnavailable where the pool has no connection in time."""
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailable from error
