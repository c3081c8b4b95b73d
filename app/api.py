"""The routers, gathered."""

from fastapi import APIRouter, FastAPI
from fastapi.responses import RedirectResponse

from app.account_data.router import router as account_data
from app.ai.picks_router import router as picks
from app.ai.router import router as ai
from app.auth.google_router import router as google
from app.auth.router import router as accounts
from app.auth.token_router import router as tokens
from app.collections.import_router import router as collection_imports
from app.collections.router import router as collections
from app.core import health, metrics_page
from app.movies.router import direct
from app.movies.router import router as movies
from app.watch_later.import_router import router as watch_later_imports
from app.watch_later.router import router as watch_later

home = APIRouter()


@home.get("/", include_in_schema=False)
async def lead_to_documentation() -> RedirectResponse:
    """Whoever opens the service in a browser is led to its documentation."""
    return RedirectResponse("/api/swagger/")


# A request is matched against the routes in their order: those that are asked for most come first.
ROUTERS = (
    movies,
    picks,
    watch_later,
    collections,
    accounts,
    tokens,
    health.router,
    ai,
    watch_later_imports,
    collection_imports,
    google,
    account_data,
    metrics_page.router,
    home,
)


def include(app: FastAPI) -> None:
    """Let `app` serve the API."""
    # Not by include_router, which puts layers of its own around each route; and before FastAPI's own.
    app.router.routes[:0] = direct.routes
    for router in ROUTERS:
        app.include_router(router)
