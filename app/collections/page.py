"""A collection as an HTML page to share: drawn here, without scripts, and with nothing from elsewhere but posters."""

import base64
import hashlib
from datetime import UTC, datetime
from importlib.resources import files
from textwrap import shorten

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from app.collections.service import SharedCollection

EXAMPLE_PAGE = "<!doctype html>…"
# How long a page may be shown by whoever keeps it: so long may one still be about that was made private since.
KEPT_SECONDS = 60
# Past this, what shows previews of links cuts a description off.
MAX_SUMMARY_LENGTH = 200
NAMED_IN_SUMMARY = 5

_STYLE = files("app.collections").joinpath("templates", "page.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src https: data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    # The posters come from other servers, which need not know who looks at what.
    "Referrer-Policy": "no-referrer",
}


def share_page(shared: SharedCollection, address: str) -> HTMLResponse:
    """The page of a public collection; `address` is its own, whole."""
    posters = [movie.poster for movie in shared.movies if _is_shown(movie.poster)]
    body = _TEMPLATES.get_template("page.html").render(
        collection=shared.collection,
        movies=shared.movies,
        more=max(shared.collection.movies_count - len(shared.movies), 0),
        address=address,
        summary=_summary(shared),
        cover=posters[0] if posters else None,
    )
    headers = {**_HEADERS, "Cache-Control": f"public, max-age={KEPT_SECONDS}"}
    return HTMLResponse(body, headers=headers)


def missing_page() -> HTMLResponse:
    """What is shown where there is no such page."""
    body = _TEMPLATES.get_template("missing.html").render()
    return HTMLResponse(body, 404, headers={**_HEADERS, "Cache-Control": "no-store"})


def _is_shown(poster: str | None) -> bool:
    """Whether a poster is at an address that the page may load from."""
    return poster is not None and poster.startswith("https://")


def _summary(shared: SharedCollection) -> str:
    """The collection in a sentence, for previews of links."""
    if shared.collection.description:
        return shorten(shared.collection.description, MAX_SUMMARY_LENGTH, placeholder="…")
    if not shared.movies:
        return "A collection of movies."
    titles = ", ".join(movie.title for movie in shared.movies[:NAMED_IN_SUMMARY])
    return shorten(
        f"{_counted(shared.collection.movies_count, 'movie')}: {titles}", MAX_SUMMARY_LENGTH, placeholder="…"
    )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _day(time: datetime) -> str:
    utc = time.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y}"


_TEMPLATES = Environment(
    loader=PackageLoader("app.collections", "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["style"] = _STYLE
_TEMPLATES.filters.update(counted=_counted, day=_day)
_TEMPLATES.tests["shown"] = _is_shown
