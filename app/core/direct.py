"""For the few operations that are asked for most: what FastAPI does for all others, at a small part of its cost.

FastAPI goes through an operation's dependencies, and through every field of a query's model, anew at every request;
that takes longer than a page of movies does by itself (docs/performance.md). Such an operation is given the request
alone, reads it with `read_query`, and is documented by the signature that it would have.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope, Send

from app.core.http import check_parameters

Model = TypeVar("Model", bound=BaseModel)


class DirectRoute(APIRoute):
    """A route whose endpoint makes the response from the request, with nothing in between."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in (self.methods or ()):
            response = await self.endpoint(Request(scope, receive, send))
            await response(scope, receive, send)
        else:
            await super().handle(scope, receive, send)


def read_query(model: type[Model], request: Request) -> Model:
    """The query string of a request.

    Raises:
        InvalidInput: a parameter is given twice.
        RequestValidationError: one cannot be taken.
    """
    check_parameters(request)
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise RequestValidationError([{**fault, "loc": ("query", *fault["loc"])} for fault in faults]) from None


def json_response(content: str, headers: Mapping[str, str] | None = None) -> Response:
    """An answer whose JSON is ready."""
    return Response(content, media_type="application/json", headers=headers)


def documented_as(path: str, endpoint: Callable[..., object]) -> dict[str, Any]:
    """What the OpenAPI document says of the input of an operation with the signature of `endpoint`."""
    app = FastAPI()
    app.get(path)(endpoint)
    (operations,) = app.openapi()["paths"].values()
    return {key: value for key, value in operations["get"].items() if key in {"parameters", "security"}}
