"""Lists in pages: limit, offset, and the envelope around the results."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Self, TypeVar
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Query, Response
from fastapi_pagination import pagination_ctx
from fastapi_pagination.api import request
from fastapi_pagination.bases import AbstractPage, AbstractParams, RawParams
from pydantic import BaseModel, Field, field_validator
from starlette.datastructures import URL

from app.core.direct import json_response

DEFAULT_LIMIT = 12
MAX_LIMIT = 100
MAX_OFFSET = 2**63 - 1  # PostgreSQL's bigint
EXAMPLE = "https://api.example.com/movies/?limit=12&offset="

T = TypeVar("T")


class LimitOffset(BaseModel, AbstractParams):
    """Which part of a list is asked for."""

    limit: int = Query(
        DEFAULT_LIMIT, ge=1, description=f"Results on a page; values above {MAX_LIMIT} act as {MAX_LIMIT}."
    )
    offset: int = Query(0, ge=0, le=MAX_OFFSET, description="Results to pass over.")

    @field_validator("limit")
    @classmethod
    def _at_most(cls, limit: int) -> int:
        return min(limit, MAX_LIMIT)

    def to_raw_params(self) -> RawParams:
        """These parameters as fastapi-pagination has them."""
        return RawParams(limit=self.limit, offset=self.offset)


class Page(AbstractPage[T]):
    """One page of a list."""

    __params_type__: ClassVar[type[AbstractParams]] = LimitOffset

    count: int = Field(description="All results of the list, on whatever page.", examples=[30])
    next: str | None = Field(description="The next page's address.", examples=[f"{EXAMPLE}24"])
    previous: str | None = Field(description="The previous page's address.", examples=[f"{EXAMPLE}0"])
    results: Sequence[T]

    @classmethod
    def create(cls, items: Sequence[T], params: AbstractParams, *, total: int | None = None, **_: Any) -> Self:
        """The page of `items` which `params` asked for, with links that keep every other query parameter."""
        count = total or 0
        following, preceding = _links(params, count, request().url)
        return cls(count=count, next=following, previous=preceding, results=items)


def page_of_json(items: Sequence[str], params: AbstractParams, total: int, url: URL) -> Response:
    """The same page of results that are JSON already, as they are sent to who asked for `url`."""
    following, preceding = map(json.dumps, _links(params, total, url))
    results = ",".join(items)
    return json_response(f'{{"count":{total},"next":{following},"previous":{preceding},"results":[{results}]}}')


def _links(params: AbstractParams, count: int, url: URL) -> tuple[str | None, str | None]:
    """The addresses of the next page and of the previous one."""
    raw = params.to_raw_params().as_limit_offset()
    limit, offset = raw.limit or DEFAULT_LIMIT, raw.offset or 0
    following = _link(url, limit, offset + limit) if offset + limit < count else None
    # From beyond the end it leads back to the last results, not through pages of nothing.
    preceding = _link(url, limit, max(min(offset, count) - limit, 0)) if offset > 0 else None
    return following, preceding


def _link(url: URL, limit: int, offset: int) -> str:
    address, _, query = str(url).partition("?")
    others = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in {"limit", "offset"}]
    return f"{address}?{urlencode([*others, ('limit', limit), ('offset', offset)])}"


Paging = Annotated[LimitOffset, Depends(pagination_ctx(Page, __page_ctx_dep__=True))]
