"""Errors as clients see them: RFC 9457 problem documents.

A service raises a `Problem` of its own; it carries status, code and detail, one handler writes it out, and `responses`
puts it into the OpenAPI document from the same place.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount

MEDIA_TYPE = "application/problem+json"
# RFC 9110 section 9.1 names the methods; a resource's Allow is found by asking its routes for each.
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class FieldError(BaseModel):
    """What is wrong with one field of the request."""

    field: str = Field(description="A parameter's name, or the path to a member of the body.", examples=["limit"])
    message: str = Field(examples=["Input should be greater than or equal to 1"])
    code: str = Field(description="Stable, for programs.", examples=["greater_than_equal"])


# RFC 9110 section 15.5 renamed these, and Python followed with 3.13: the same words on every Python.
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
LIMIT_TOO_LOW = FieldError(
    field="limit", message="Input should be greater than or equal to 1", code="greater_than_equal"
)


class ProblemDocument(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What went wrong, for a person.")
    code: str = Field(description="What went wrong, stable, for a program.")
    request_id: str = Field(description="The answer's X-Request-ID; name it when you report a fault.")


class InvalidInputDocument(ProblemDocument):
    """A problem document that names the fields at fault."""

    errors: list[FieldError]


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """An error that a client is told of; subclasses say which."""

    status: int = 500
    code: str = "internal_error"
    detail: str = "Something went wrong here. It has been logged."
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.detail)
        self.detail = detail or self.detail


class HTTPProblem(Problem):
    """An error of the framework's own, named by its status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = title(status).lower().replace(" ", "_")


class InvalidInput(Problem):
    """The request is well-formed, but a field's value cannot be taken."""

    status = 422
    code = "invalid_input"
    detail = "The request has a field that cannot be taken; `errors` names it."

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = errors


class NotFound(Problem):
    """Nothing is at this address."""

    status = 404
    code = "not_found"
    detail = "There is nothing at this address."


class BodyTooLarge(Problem):
    """The request's body is over the limit."""

    status = 413
    code = "body_too_large"
    detail = "The request's body is too large."


class UnsupportedMediaType(Problem):
    """The request's body is of a type that is not read here."""

    status = 415
    code = "unsupported_media_type"
    detail = "The request's body must be JSON, sent as Content-Type: application/json."


def title(status: int) -> str:
    """A status in words."""
    return TITLES.get(status) or HTTPStatus(status).phrase


def document(problem: Problem, request_id: str) -> dict[str, Any]:
    """`problem` as it is told to who sent the request with this id."""
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": title(problem.status),
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id,
    }
    if isinstance(problem, InvalidInput):
        told["errors"] = [error.model_dump() for error in problem.errors]
    return told


def problem_document(request: Request, problem: Problem) -> dict[str, Any]:
    """`problem` as it is told to who sent `request`."""
    return document(problem, request.scope.get("request_id", ""))


def problem_response(request: Request, problem: Problem) -> JSONResponse:
    """`problem` as the answer to `request`."""
    document = problem_document(request, problem)
    return JSONResponse(document, problem.status, headers=dict(problem.headers), media_type=MEDIA_TYPE)


def responses(*problems: type[Problem], fault: FieldError = LIMIT_TOO_LOW) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of an operation that may raise `problems`; `fault` is the example of one in its input."""
    documents: dict[int | str, dict[str, Any]] = {}
    for problem in problems:
        model = InvalidInputDocument if issubclass(problem, InvalidInput) else ProblemDocument
        example = ProblemDocument(
            title=title(problem.status),
            status=problem.status,
            detail=problem.detail,
            code=problem.code,
            request_id="0d0e8a6c2f5b4b1e9d3c7a5f1e2d3c4b",
        ).model_dump()
        if model is InvalidInputDocument:
            example |= {"detail": InvalidInput([fault]).detail, "errors": [fault.model_dump()]}
        response = documents.setdefault(
            problem.status,
            {"description": title(problem.status), "content": {MEDIA_TYPE: {"schema": _schema(model), "examples": {}}}},
        )
        response["content"][MEDIA_TYPE]["examples"][problem.code] = {"value": example}
    return documents


def _schema(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    app.exception_handler(Problem)(_on_problem)
    app.exception_handler(RequestValidationError)(_on_invalid_request)
    app.exception_handler(HTTPException)(_on_http_exception)


async def _on_problem(request: Request, problem: Problem) -> JSONResponse:
    return problem_response(request, problem)


async def _on_invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
    return problem_response(request, _invalid_request(error))


def _invalid_request(error: RequestValidationError) -> Problem:
    faults = error.errors()
    if any(fault["loc"][0] == "path" for fault in faults):
        return NotFound()
    if isinstance(error.body, bytes):  # FastAPI hands over what it did not parse, for its Content-Type, as bytes
        return UnsupportedMediaType()
    return InvalidInput([_field_error(fault) for fault in faults])


def _field_error(fault: Mapping[str, Any]) -> FieldError:
    """A fault that pydantic found, without the input: that may be long, secret, or no valid text."""
    location = fault["loc"]
    path = location[1:] if fault["type"] != "json_invalid" else ()
    field = ".".join(str(part) for part in path) or str(location[0])
    return FieldError(field=field, message=fault["msg"], code=fault["type"])


async def _on_http_exception(request: Request, error: HTTPException) -> JSONResponse:
    """An error of the framework's own: no such path, wrong method, a body too large or unreadable."""
    problem: Problem = HTTPProblem(error.status_code, f"{error.detail}.")
    headers = dict(error.headers or {})
    match error.status_code:
        case 400:  # what FastAPI and Starlette say of a body that cannot be read, such as JSON nested too deep
            problem = InvalidInput([FieldError(field="body", message=error.detail, code="unreadable")])
        case 404:
            problem = NotFound()
        case 405:
            problem = HTTPProblem(405, f"{request.method} is not allowed here; `Allow` lists what is.")
            headers["Allow"] = ", ".join(_allowed_methods(request))
        case 413:
            problem = BodyTooLarge()
    response = problem_response(request, problem)
    response.headers.update(headers)
    return response


def _allowed_methods(request: Request) -> list[str]:
    """Every method of the resource: the framework's own Allow names those of one of its routes only."""
    routes = [route for route in request.app.router.routes if not isinstance(route, Mount)]
    scope = {"type": "http", "path": request.scope["path"], "root_path": request.scope.get("root_path", "")}
    allowed = [
        method
        for method in METHODS
        if any(route.matches({**scope, "method": method, "headers": []})[0] is Match.FULL for route in routes)
    ]
    if not allowed:  # below a mount there are static files only
        allowed = ["GET"]
    return ["HEAD", *allowed] if "GET" in allowed else allowed
