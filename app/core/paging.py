"""Lists page by keyset: an opaque cursor holds the sort values of the last row."""

import base64
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel
from starlette.responses import Response

from app.core.errors import Invalid

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=200, description="How many items at most.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the page before.")]


class Page(BaseModel, Generic[T]):
    """A page of a list; `next` is null on the last one."""

    items: list[T]
    next: str | None = None


def answer(items: list[dict[str, Any]], *, following: str | None) -> Response:
    """A page as it goes out, without a model for each row: for lists that are asked for all the time."""
    body = orjson.dumps({"items": items, "next": following}, default=str, option=orjson.OPT_UTC_Z)
    return Response(body, media_type="application/json")


def encode(values: list[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def decode(cursor: str, *, length: int) -> list[Any]:
    """The values of a cursor; raises `Invalid` when it is not one of ours."""
    try:
        values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        values = None
    if not isinstance(values, list) or len(values) != length:
        raise Invalid("`cursor` must be the `next` of a page of the same list.")
    return values
