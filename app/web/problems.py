"""Every error leaves as problem+json (RFC 9457), with a code and without a stack trace."""

from collections.abc import Iterator
from traceback import walk_tb
from typing import Any

import asyncpg
import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import storage
from app.core.errors import AppError, Conflict, Invalid, TooLarge, Unavailable

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 2
_CODES = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "too_slow",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "malformed",
    429: "too_many_requests",
    500: "internal",
    503: "unavailable",
}
log = structlog.get_logger(__name__)


def render(
    status: int, code: str, title: str, detail: str, *, extra: dict[str, Any] | None = None
) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
    }
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    retry_after = (extra or {}).get("retry_after", RETRY_AFTER if status == 503 else None)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id is not None:
        body["request_id"] = request_id
    content = orjson.dumps({**(extra or {}), **body}, default=str)
    return Response(content, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def of_error(error: AppError) -> Response:
    fields = dict(error.fields)
    if isinstance(error, Invalid) and "field" in fields and "errors" not in fields:
        fields["errors"] = [{"field": fields.pop("field"), "code": error.code, "message": error.detail}]
    return render(error.status, error.code, error.title, error.detail, extra=fields)


def install(app: FastAPI) -> None:
    """Answer every kind of exception; `Guard` takes what is left."""
    app.add_exception_handler(AppError, _app_error)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(PoolTimeout, _other)


async def _app_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)
    return of_error(error)


async def _malformed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": _field(item["loc"]), "code": item["type"], "message": _sentence(item["msg"])}
        for item in error.errors()
    ]
    first = errors[0] if errors else {"field": "", "message": ""}
    detail = f"{first['field'] or 'body'}: {first['message']}"
    return render(422, "malformed", "The request is malformed.", detail, extra={"errors": errors})


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location if part not in ("body", "query", "path", "header"))


def _sentence(text: str) -> str:
    return text.removeprefix("Value error, ")


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return of_http(error)


def of_http(error: HTTPException) -> Response:
    status = error.status_code
    detail = error.detail if status < 500 else "The server could not answer."
    answer = render(status, _CODES.get(status, "error"), detail, detail)
    answer.headers.update(error.headers or {})
    return answer


async def _other(request: Request, error: Exception) -> Response:
    return of_unexpected(error, request_id=request.scope.get("otklik.request_id", ""))


def of_unexpected(error: Exception, *, request_id: str) -> Response:
    """The answer to an exception nobody expected: the database is away, a value it refuses, or our fault."""
    full = storage.find(error)
    if full is not None:
        return of_error(full)
    known = _of_database(error)
    if known is not None:
        log.warning("database refused", code=known.code, reason=type(error).__name__, why=str(error)[:300])
        return of_error(known)
    log.error("unexpected error", exc_info=error, request_id=request_id)
    return render(
        500,
        "internal",
        "Something went wrong on the server.",
        f"Tell the administrator the request id {request_id}.",
        extra={"request_id": request_id},
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 10:
        yield error
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__
        seen += 1


def _of_database(error: Exception) -> AppError | None:
    for link in _chain(error):
        if isinstance(link, PoolTimeout) or _from_driver(link):
            return Unavailable("The database is busy or away; try again in a moment.")
        found = _of_sqlstate(getattr(link, "sqlstate", None))
        if found is not None:
            return found
    return None


def _from_driver(error: BaseException) -> bool:
    """Connection faults are plain OSErrors: they count when they come from under the driver."""
    if isinstance(error, asyncpg.InterfaceError | ConnectionError):
        return True
    if not isinstance(error, OSError | TimeoutError):
        return False
    return any("asyncpg" in frame.f_code.co_filename for frame, _line in walk_tb(error.__traceback__))


def _of_sqlstate(state: str | None) -> AppError | None:
    """See "PostgreSQL Error Codes" in its manual."""
    if not state:
        return None
    if state in ("22021", "22P05"):
        return Invalid("Text must not contain NUL characters.")
    if state in ("22003", "22008"):
        return Invalid("A number or a time is out of range.")
    if state in ("23505", "23503"):
        return Conflict("Something of this was changed or removed at the same moment; look again.")
    if state[:2] == "53":
        return Unavailable("The database has no connections or no memory left; try again in a moment.")
    away = state[:2] in ("08", "57", "40") or state in ("55P03", "25P03", "25P04")
    return Unavailable("The database is busy or away; try again in a moment.") if away else None


class Guard:
    """Pure ASGI: whatever escapes becomes an answer, unless one has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            answer = of_unexpected(error, request_id=scope.get("otklik.request_id", ""))
            if begun:
                raise
            await answer(scope, receive, send)


def too_large(limit: int) -> Response:
    return of_error(TooLarge(f"The body is larger than {limit} bytes.", limit=limit))
