"""The routers, gathered."""

from fastapi import APIRouter
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
from app.movies.router import router as movies
from app.watch_later.import_router import router as watch_later_imports
from app.watch_later.router import router as watch_later

router = APIRouter()
router.include_router(accounts)
router.include_router(tokens)
router.include_router(google)
router.include_router(account_data)
router.include_router(movies)
router.include_router(picks)
router.include_router(ai)
router.include_router(watch_later)
router.include_router(watch_later_imports)
router.include_router(collections)
router.include_router(collection_imports)
router.include_router(health.router)
router.include_router(metrics_page.router)


@router.get("/", include_in_schema=False)
async def home() -> RedirectResponse:
    """Whoever opens the service in a browser is led to its documentation."""
    return RedirectResponse("/api/swagger/")
