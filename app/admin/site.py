"""The staff's pages, put together from starlette-admin."""

import logging
import secrets
from pathlib import Path
from typing import cast

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin.base import BaseAdmin
from starlette_admin.routing import route
from starlette_admin.security.csrf import CSRFMiddleware
from starlette_admin.views import CustomView

from app.admin.collections import CollectionView
from app.admin.guard import FormTokens, Guard, add_nonces
from app.admin.movies import MovieView
from app.admin.staff import PATH, StaffLogin, StaffSessions
from app.admin.tiers import TierView
from app.admin.top_movies import TopMovieView
from app.admin.users import UserView
from app.core.problems import Problem
from app.settings import Settings

TEMPLATES = Path(__file__).parent / "templates"


class Home(CustomView):
    """Where a login leads: to the users."""

    @route("")
    async def index(self, request: Request) -> Response:
        return RedirectResponse(str(request.url_for("admin:list", key=UserView.key)), 303)


class AdminSite(BaseAdmin):
    """The pages and what protects them."""

    def __init__(self, settings: Settings) -> None:
        # In DEBUG there may be no key: then sessions end with the process.
        key = settings.secret_key.get_secret_value() or secrets.token_hex(32)
        fallbacks = [fallback.get_secret_value() for fallback in settings.secret_key_fallbacks]
        secure = not settings.debug
        guard = Middleware(
            Guard,
            trusted_origins=frozenset(origin.lower() for origin in settings.csrf_trusted_origins),
            secure=secure,
            error_page=self.error_page,
        )
        super().__init__(
            title="Movie Finder",
            base_url=PATH,
            templates_dir=str(TEMPLATES),
            index_view=Home(route_name="index", add_to_menu=False),
            auth_provider=StaffLogin(StaffSessions([key, *fallbacks]), secure=secure),
            secret_key=key,
            middlewares=[guard],
            timezone_config=None,  # times are UTC
        )
        self.middlewares = [
            Middleware(FormTokens, secret_key=key) if cast("object", middleware.cls) is CSRFMiddleware else middleware
            for middleware in self.middlewares
        ]
        add_nonces(self.templates.env)
        for view in (UserView(), TierView(), MovieView(), TopMovieView(), CollectionView()):
            self.add_view(view)

    async def error_page(self, request: Request, error: Exception) -> Response:
        """An error, for a person."""
        match error:
            case Problem():
                shown = HTTPException(error.status, error.detail, dict(error.headers))
            case HTTPException():
                shown = error
            case _:
                shown = HTTPException(500, Problem.detail)
        page = self.templates.TemplateResponse(request, "error.html", {"exc": shown}, shown.status_code)
        page.headers.update(shown.headers or {})
        return page


def mount(app: FastAPI, settings: Settings) -> None:
    """Put the staff's pages below /admin/ of `app`."""
    # Its lines name what visitors type into the login form; ours name ids.
    logging.getLogger("starlette_admin").setLevel(logging.CRITICAL)
    site = AdminSite(settings)
    site.mount_to(app)
    site.app.add_exception_handler(HTTPException, site.error_page)
