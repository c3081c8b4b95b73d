"""A list on its way out, in pages, so that neither memory nor a connection is held for a slow reader."""

import csv
import io
import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC

from app.imports.formulas import neutralised
from app.imports.schemas import ExportedTitle, Format

PAGE = 200
MEDIA_TYPES: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
# IMDb's own names, in its order, so that whatever reads an IMDb export reads this too.
_HEADER = ("Position", "Const", "Created", "Title", "URL", "Title Type", "Year")
_TYPES = {"movie": "Movie", "series": "TV Series", "episode": "TV Episode", "game": "Video Game"}

Pages = AsyncIterator[Sequence[ExportedTitle]]


def written(pages: Pages, form: Format) -> AsyncIterator[str]:
    """The pages as one document of the form."""
    return _csv(pages) if form == "csv" else _json(pages)


async def begun(pages: Pages) -> Pages:
    """The same pages, once the first of them was read: what goes wrong with it can still be answered."""
    first = await anext(pages, None)

    async def all_of_them() -> Pages:
        if first is not None:
            yield first
            async for page in pages:
                yield page

    return all_of_them()


async def _csv(pages: Pages) -> AsyncIterator[str]:
    yield _lines([_HEADER])
    positions = itertools.count(1)
    async for page in pages:
        yield _lines([str(next(positions)), *map(neutralised, _cells(title))] for title in page)


def _lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cells(title: ExportedTitle) -> Sequence[str]:
    return (
        title.imdb_id,
        title.added_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        title.title,
        f"https://www.imdb.com/title/{title.imdb_id}/",
        _TYPES.get(title.type or "", ""),
        (title.year or "")[:4],
    )


async def _json(pages: Pages) -> AsyncIterator[str]:
    yield "["
    between = ""
    async for page in pages:
        yield between + ",\n".join(title.model_dump_json() for title in page)
        between = ",\n"
    yield "]\n"
