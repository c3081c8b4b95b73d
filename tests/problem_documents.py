"""What every error answer is, whatever went wrong."""

from http import HTTPStatus
from typing import Any

import httpx

# RFC 9110's, which Python has since 3.13.
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}


def problem(response: httpx.Response, status: int, code: str | None = None, *, case: object = "") -> dict[str, Any]:
    """The problem document in `response`, once it is found to be one of the contract's shape."""
    assert response.status_code == status, (case, response.status_code, response.text[:500])
    assert response.headers["Content-Type"] == "application/problem+json", case
    document: dict[str, Any] = response.json()
    assert set(document) == (MEMBERS | {"errors"} if status == 422 else MEMBERS), (case, document)
    assert document["type"] == "about:blank", case
    assert document["title"] == TITLES.get(status, HTTPStatus(status).phrase), case
    assert document["status"] == status, case
    assert document["request_id"] == response.headers["X-Request-ID"], case
    assert document["detail"], case
    assert " " in document["detail"], case
    assert document["code"].replace("_", "").isalpha(), case
    assert document["code"].islower(), case
    if code is not None:
        assert document["code"] == code, (case, document)
    if status == 422:
        assert document["errors"], case
        for error in document["errors"]:
            assert set(error) == {"field", "message", "code"}, (case, error)
            assert all(isinstance(part, str) and part for part in error.values()), (case, error)
            assert error["code"].replace("_", "").isalpha(), (case, error)
            assert f"{error['field']}: {error['message']}" in document["detail"], (case, document)
    return document


def fields(response: httpx.Response, *, case: object = "") -> set[str]:
    """The fields that a 422 names."""
    return {error["field"] for error in problem(response, 422, "invalid_input", case=case)["errors"]}
