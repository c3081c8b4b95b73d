"""The generated documentation: the OpenAPI document, Swagger UI and Redoc, all from files of our own."""

import os
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline
from pydantic.json_schema import models_json_schema

from app import __version__
from app.core.observability import has_secret_query
from app.core.problems import FieldError, InvalidInputDocument, ProblemDocument

# Of a parameter: sent without a value, it is as if it were not sent (OpenAPI 3.1, Parameter Object).
BLANK_IS_ABSENT = "allowEmptyValue"
DESCRIPTION = """
Find films, keep them, and organise them.

**Lists** come in pages: `limit` (12 unless told, 100 at most) and `offset`; `next` and `previous` are whole addresses.
`ordering` is a comma-separated list of fields, `-` for descending.

**Errors** are problem documents (RFC 9457, `application/problem+json`): `detail` is for a person, `code` for a program,
and on 422 `errors` names the fields. Every answer has an `X-Request-ID`; name it when you report a fault.
"""

TAGS = [
    {"name": "accounts", "description": "Sign up, log in, stay in. Tokens go into the `Authorization` header."},
    {"name": "movies", "description": "The catalogue, and the search that fills it."},
    {"name": "watch later", "description": "What the caller wants to watch."},
    {"name": "collections", "description": "Groups of movies: to keep, to follow, to copy and to share."},
    {"name": "ai", "description": "Search in your own words."},
    {"name": "health", "description": "For orchestrators."},
]


def documented_app(**options: Any) -> FastAPI:
    """A FastAPI application with its documentation at the contract's paths."""
    app: FastAPI = FastAPIOffline(
        title="Movie Finder API",
        version=__version__,
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_tags=TAGS,
        openapi_url="/api/schema/",
        docs_url="/api/swagger/",
        redoc_url="/api/redoc/",
        swagger_ui_oauth2_redirect_url="/api/swagger/oauth2-redirect",
        static_url="/api/static",
        telemetry={"auto_configure": True, "exclude": has_secret_query, **_collected()},
        **options,
    )
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(generate())
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _collected() -> TelemetryConfig:
    """What OpenTelemetry collects: nothing without its variables, for which FastAPI would look at every request."""
    is_configured = any(name.startswith("OTEL_") for name in os.environ)
    return {"tracing": is_configured, "metrics": is_configured, "logs": is_configured}


def _complete(document: dict[str, Any]) -> None:
    """Add the problem documents, and put them in the place of FastAPI's own error model, which is never sent."""
    _, definitions = models_json_schema(
        [(model, "serialization") for model in (ProblemDocument, InvalidInputDocument, FieldError)],
        ref_template="#/components/schemas/{model}",
    )
    schemas = document["components"]["schemas"]
    schemas.update(definitions["$defs"])
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    for schema in schemas.values():
        if "example" in schema:  # FastAPI drops every null from its document, those of examples too
            schema["example"] = {**dict.fromkeys(schema.get("required", ())), **schema["example"]}
    for operation in (operation for path in document["paths"].values() for operation in path.values()):
        for parameter in operation.get("parameters", []):
            parameter["schema"] = _without_null(parameter["schema"])
            if parameter["schema"].pop(BLANK_IS_ABSENT, False):
                parameter[BLANK_IS_ABSENT] = True
        invalid = operation["responses"].get("422", {}).get("content", {})
        if invalid.pop("application/json", None) and not invalid:
            del operation["responses"]["422"]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema without the null that stands for its absence: no query string can say null."""
    options = [option for option in schema.pop("anyOf", []) if option != {"type": "null"}]
    return {**schema, **options[0]} if options else schema
