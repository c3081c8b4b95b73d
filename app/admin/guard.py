"""What stands before the staff's pages: whose forms are taken, what a browser may load, and how an error looks."""

import base64
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Collection
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import structlog
from jinja2 import Environment
from jinja2.ext import Extension
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_admin.security.csrf import CSRFMiddleware

from app.admin.staff import PATH
from app.core.problems import Problem

ErrorPage = Callable[[Request, Exception], Awaitable[Response]]
# The event handlers that starlette-admin's templates write into attributes: of these two, and no other.
HANDLERS = ("window.location = this.value", "applyColumnVisibility()")
FOREIGN_FORM = "This form was sent from a page elsewhere. (CSRF_TRUSTED_ORIGINS names the pages that may send it.)"
FORM_EXPIRED = (
    "This form has expired: go back, load the page again, and send it once more. "
    "Where that does not help, the browser keeps no cookies here: use HTTPS."
)
log = structlog.stdlib.get_logger(__name__)


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def content_security_policy(nonce: str) -> str:
    """What a page may load: our own files, and the scripts and styles in it that carry its nonce.

    starlette-admin sets widths in `style` attributes, so those are let be; the icons of its stylesheets are `data:`.
    """
    handlers = " ".join(map(_hash, HANDLERS))
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-hashes' {handlers};"
        f" style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; img-src 'self' data:;"
        " font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


class Nonces(Extension):
    """Gives every script and style in a template the page's nonce."""

    _element = re.compile(r"<(script|style)\b(?![^>]*\bsrc=)")

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 - Jinja's signature
        return self._element.sub(r'<\1 nonce="{{ request.state.csp_nonce }}"', source)


def add_nonces(environment: Environment) -> None:
    """Have the templates of `environment` carry nonces."""
    environment.add_extension(Nonces)


class FormTokens(CSRFMiddleware):
    """starlette-admin's protection against forged forms, with a page for the refusal."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await super().dispatch(request, call_next)
        if isinstance(response, PlainTextResponse):  # its own: what comes from further in is a stream
            raise HTTPException(403, FORM_EXPIRED)
        return response


def _alone(error: Exception) -> Exception:
    """What anyio has wrapped in a group of one, as it does where a body turns out too large in a task that reads it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


class Guard:
    """Outermost on the staff's pages.

    Args:
        app: the pages.
        trusted_origins: whose forms are taken beside our own.
        secure: whether cookies are for HTTPS only.
        error_page: writes an error out.
    """

    def __init__(self, app: ASGIApp, *, trusted_origins: Collection[str], secure: bool, error_page: ErrorPage) -> None:
        self.app = app
        self.trusted_origins = trusted_origins
        self.secure = secure
        self.error_page = error_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # starlette-admin keeps in it who is logged in: of this request, whatever the server hands from one to the next.
        scope["state"] = {**scope.get("state", {})}
        request = Request(scope, receive)
        request.state.csp_nonce = secrets.token_urlsafe(16)
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._write_headers(request, MutableHeaders(scope=message))
            await send(message)

        try:
            if not self._takes(request):
                raise HTTPException(403, FOREIGN_FORM)  # noqa: TRY301 - a page like every other error
            await self.app(scope, receive, send_guarded)
        except Exception as raised:
            error = _alone(raised)
            if not isinstance(error, (Problem, HTTPException)):
                log.exception("request failed", method=scope["method"], path=scope["path"])
            if started:
                raise
            response = await self.error_page(request, error)
            await response(scope, receive, send_guarded)

    def _takes(self, request: Request) -> bool:
        """Whether a form may come from where it comes from; where the browser does not say, its token decides."""
        if request.method in CSRFMiddleware.safe_methods:
            return True
        referer = urlsplit(request.headers.get("referer", ""))
        origin = request.headers.get("origin") or (f"{referer.scheme}://{referer.netloc}" if referer.netloc else None)
        own = f"{request.url.scheme}://{request.url.netloc}"
        return origin is None or origin.lower() == own.lower() or origin.lower() in self.trusted_origins

    def _write_headers(self, request: Request, headers: MutableHeaders) -> None:
        headers["Content-Security-Policy"] = content_security_policy(request.state.csp_nonce)
        if not request.url.path.startswith(f"{PATH}/static/"):
            headers["Cache-Control"] = "no-store"
        cookies = headers.getlist("set-cookie")
        del headers["set-cookie"]
        for cookie in cookies:
            headers.append("set-cookie", self._harden(cookie))

    def _harden(self, cookie: str) -> str:
        """starlette-admin leaves its cookies open to scripts, and to the whole host."""
        (morsel,) = SimpleCookie(cookie).values()
        for attribute, value in {"path": PATH, "httponly": True, "secure": self.secure, "samesite": "Lax"}.items():
            morsel[attribute] = value
        return morsel.OutputString()
