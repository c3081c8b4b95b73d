"""What imports can go wrong with, in the words of the API."""

from datetime import UTC, datetime, timedelta

from app.core.problems import FieldError, InvalidInput, Problem, UnsupportedMediaType

MOST_IMPORTS_A_DAY = 5
FILE_FAULT = FieldError(
    field="file", message="It is a zip archive: unpack it, and send one of the files in it", code="archive"
)


class UnreadableFile(InvalidInput):
    """The file is none that can be read; the message says why, and what would be."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__([FieldError(field="file", message=message, code=code)])


class NoMultipart(UnsupportedMediaType):
    """The request's body is no form with a file."""

    detail = "Send the file as multipart/form-data, in a part that is named `file`."


class ImportNotFound(Problem):
    """There is no import with this id that the caller may see."""

    status = 404
    code = "import_not_found"
    detail = "There is no import with this id."


class ImportRunning(Problem):
    """The user's last import has not ended."""

    status = 409
    code = "import_running"
    detail = "An import of yours is under way. Wait until it has ended."


class ImportLimitReached(Problem):
    """The user has begun as many imports today as they may."""

    status = 429
    code = "import_limit_reached"
    detail = f"{MOST_IMPORTS_A_DAY} imports a day, counted in UTC. Try again tomorrow."

    def __init__(self) -> None:
        super().__init__()
        seconds = int(until_tomorrow(datetime.now(UTC)).total_seconds()) + 1
        self.headers = {"Retry-After": str(seconds)}  # type: ignore[misc]  # another problem's are the same every time


def until_tomorrow(now: datetime) -> timedelta:
    """How long the day still lasts, in UTC."""
    return datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC) - now
