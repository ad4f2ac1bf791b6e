"""Lists by key, page by page: the next page is named in the answer, and in a Link header (RFC 8288)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from pydantic import BaseModel, ConfigDict, Field

from jeos.server.api import problems, shapes
from jeos.server.content import paging

SIZE = 30  # rows of a page
Row = TypeVar("Row", bound=Model)
Item = TypeVar("Item", bound=BaseModel)


class Listed(BaseModel, Generic[Item]):
    """One page of a list; `next` is the address of the following one, and null at the end."""

    model_config = ConfigDict(json_schema_extra={"description": "One page of a list."})

    items: list[Item]
    next: str | None = Field(default=None, examples=["https://exchange.example/api/v1/threads?after=WyIyMDI2Il0"])

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Return what the document calls a list of something."""
        return f"ListOf{params[0].__name__}"


def page(
    request: HttpRequest,
    response: HttpResponse,
    rows: QuerySet[Row],
    shape: Callable[[Sequence[Row]], Sequence[Item]],
    *,
    keys: Mapping[str, type],
    after: str,
    rising: bool = False,
) -> Listed[Item]:
    """Return a page of rows, falling or rising by `keys`. Raises Invalid for a cursor that is none of ours."""
    if after and paging.decode(after, kinds=list(keys.values())) is None:
        raise problems.Invalid([problems.Fault(where="after", message="this is no cursor of this list")])
    read = paging.by_name if rising else paging.newest
    found = read(rows, keys=keys, after=after, size=SIZE)
    return listed(request, response, shape(found.rows), after=found.after)


def listed(request: HttpRequest, response: HttpResponse, items: Sequence[Item], *, after: str) -> Listed[Item]:
    """Return items as a page, with the address of the one that begins after a cursor; no cursor is the end."""
    if not after:
        return Listed(items=list(items), next=None)
    wanted = request.GET.copy()
    wanted["after"] = after
    following = shapes.address(f"{request.path}?{wanted.urlencode()}")
    response["Link"] = f'<{following}>; rel="next"'
    return Listed(items=list(items), next=following)
