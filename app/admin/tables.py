"""A table as the staff see it: paged, sorted and searched by SQL, and changed by the rules."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import StringConstraints, TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette_admin import BaseField, StringField
from starlette_admin.exceptions import ActionFailed, FormValidationError
from starlette_admin.filters import FilterGroup
from starlette_admin.views import BaseModelView

from app.admin.administration import Administration, Refused
from app.admin.repository import AdminRow, Listing
from app.admin.staff import StaffMember
from app.core.database import Database
from app.core.text import Text

MAX_TEXT_LENGTH = 20_000
# Past this nobody has paged; PostgreSQL's OFFSET ends at 2^63.
MAX_OFFSET = 10_000_000
MAX_ID = 2**63 - 1
_TEXT = TypeAdapter(Annotated[Text, StringConstraints(strict=True, max_length=MAX_TEXT_LENGTH)])


def is_text(_request: Request, _field: BaseField, value: object, _form: dict[str, Any]) -> None:
    """A validator of form fields.

    Raises:
        ValueError: what was sent is no text that can be stored.
    """
    if not valid_text(value):
        raise ValueError(f"This must be text without control characters, of at most {MAX_TEXT_LENGTH} characters.")


def valid_text(value: object) -> bool:
    """Whether a form's value is text that PostgreSQL takes."""
    try:
        _TEXT.validate_python(value)
    except ValidationError:
        return False
    return True


def moment(name: str, label: str, *, in_list: bool = True) -> StringField:
    """A time in UTC. starlette-admin's own field formats it one way with Babel installed, and another without."""

    def shown(_request: Request, row: AdminRow) -> str | None:
        time: datetime | None = getattr(row, name)
        return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" if time else None

    return StringField(name, label=label, getter=shown, exclude_from_list=not in_list, exclude_from_edit=True)


class TableView(BaseModelView):
    """A table. Nothing is exported, imported, or done to many rows at once."""

    pk_attr = "id"
    # The column that names a row.
    named_by: str
    exporters = ()
    importers = ()
    actions: Sequence[str] = ()
    page_size = 25
    page_size_options = (25, 50, 100)
    column_visibility = False

    @abstractmethod
    async def rows(self, session: AsyncSession, listing: Listing) -> Sequence[AdminRow]:
        """A page of the table."""

    @abstractmethod
    async def total(self, session: AsyncSession, search: str | None) -> int:
        """How many rows match."""

    @abstractmethod
    async def row(self, session: AsyncSession, pk: int) -> AdminRow | None:
        """One row."""

    # Of a table that takes new rows: adds one, and gives its id.
    add: Callable[[Request, dict[str, Any]], Awaitable[int]]

    # Of one whose rows may be changed, by what a form sent, and deleted. All three raise Refused where the rules do not
    # allow it.
    change: Callable[[Request, int, dict[str, Any]], Awaitable[None]]
    remove: Callable[[Request, int], Awaitable[None]]

    async def find_all(
        self,
        request: Request,
        skip: int = 0,
        limit: int = 100,
        q: str | None = None,
        sorts: Sequence[tuple[str, str]] | None = None,
        filters: FilterGroup | None = None,  # noqa: ARG002 - no field offers any
    ) -> Sequence[AdminRow]:
        if skip > MAX_OFFSET or not valid_text(q or ""):
            return []
        ordering = ",".join(f"-{name}" if direction == "desc" else name for name, direction in sorts or ())
        async with _database(request).reading() as session:
            return await self.rows(session, Listing(q, ordering, limit, skip))

    async def count(self, request: Request, q: str | None = None, filters: FilterGroup | None = None) -> int:  # noqa: ARG002 - starlette-admin's signature
        if not valid_text(q or ""):
            return 0
        async with _database(request).reading() as session:
            return await self.total(session, q)

    async def find_by_pk(self, request: Request, pk: object) -> AdminRow | None:
        number = _id(pk)
        if number is None:
            return None
        async with _database(request).reading() as session:
            return await self.row(session, number)

    async def find_by_pks(self, request: Request, pks: list[Any]) -> Sequence[AdminRow]:
        found = [await self.find_by_pk(request, pk) for pk in pks[: self.page_size]]
        return [row for row in found if row is not None]

    async def delete(self, request: Request, pks: list[Any]) -> int:
        numbers = [number for number in map(_id, pks) if number is not None]
        try:
            for number in numbers:
                await self.remove(request, number)
        except Refused as refusal:
            raise ActionFailed(refusal.message) from None
        return len(numbers)

    async def create(self, request: Request, data: dict[str, Any]) -> AdminRow | None:
        with _refusals_in_form():
            return await self.find_by_pk(request, await self.add(request, data))

    async def edit(self, request: Request, pk: object, data: dict[str, Any]) -> AdminRow:
        with _refusals_in_form():
            await self.change(request, int(str(pk)), data)
        row = await self.find_by_pk(request, pk)
        if row is None:
            raise HTTPException(404)  # somebody else has deleted it meanwhile
        return row

    async def repr(self, obj: object, request: Request) -> str:  # noqa: ARG002 - starlette-admin's signature
        return str(getattr(obj, self.named_by))

    def can_create(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's signature
        return False

    def can_import(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's signature
        return False

    def can_export(self, request: Request) -> bool:  # noqa: ARG002 - starlette-admin's signature
        return False


def administration(request: Request) -> Administration:
    """What staff may do."""
    return Administration(_database(request))


def staff_id(request: Request) -> int:
    """Who does it."""
    member: StaffMember = request.state.admin_user
    return member.id


@contextmanager
def _refusals_in_form() -> Iterator[None]:
    """Show a refusal beside its field."""
    try:
        yield
    except Refused as refusal:
        raise FormValidationError({refusal.field: refusal.message}) from None


def _database(request: Request) -> Database:
    database: Database = request.state.database
    return database


def _id(text: object) -> int | None:
    """The id in an address, or None where it is none."""
    try:
        number = int(str(text))
    except ValueError:
        return None
    return number if 0 < number <= MAX_ID else None
