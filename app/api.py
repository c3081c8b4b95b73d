"""The routers, gathered."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from app.account_data.router import router as account_data
from app.auth.google_router import router as google
from app.auth.router import router as accounts
from app.core import health
from app.movies.router import router as movies

router = APIRouter()
router.include_router(accounts)
router.include_router(google)
router.include_router(account_data)
router.include_router(movies)
router.include_router(health.router)


@router.get("/", include_in_schema=False)
async def home() -> RedirectResponse:
    """Whoever opens the service in a browser is led to its documentation."""
    return RedirectResponse("/api/swagger/")
