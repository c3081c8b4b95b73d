"""What browsers are told to refuse, on every answer."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# https://owasp.org/www-project-secure-headers/
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
# Swagger UI and Redoc start from an inline script, style themselves inline, and Redoc searches in a worker that it
# makes of a blob. Nothing may come from elsewhere: Redoc would fetch a logo.
DOCUMENTATION = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " worker-src blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


class SecurityHeaders:
    """Sets the headers that an answer does not set itself."""

    def __init__(self, app: ASGIApp, documentation: str) -> None:
        """`documentation` is the path below which the pages of the documentation are."""
        self.app = app
        self.documentation = documentation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = HEADERS
        if scope["path"].startswith(self.documentation):
            headers = {**HEADERS, "Content-Security-Policy": DOCUMENTATION}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                for name, value in headers.items():
                    sent.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)
