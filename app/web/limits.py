"""Pure-ASGI middleware around everything: request id and access log, security headers, size of bodies."""

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import metrics
from app.core.config import Settings
from app.core.errors import Invalid
from app.web import problems
from app.web.admission import Admission

_REQUEST_ID = re.compile(r"[\w.-]{1,64}")
_UPLOAD = re.compile(r"/api/v1/files/?|/widget/v1/[^/]+/files/?|/api/v1/channels/[^/]+/inbound")
_MULTIPART_OVERHEAD = 64 * 1024
_PATIENCE = 30.0
"""Seconds to wait for the next part of a body."""
log = structlog.get_logger("access")
_REQUESTS = metrics.counter("http_requests", "Answered HTTP requests.", "route", "method", "status")
_SECONDS = metrics.histogram("http_request_seconds", "From the request to the end of the answer.", "route")
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_API = "/api/v1"
_HOOKS = "/hooks/"
_counters: dict[tuple[Any, str, int], Callable[[float], None]] = {}

CONSOLE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; font-src 'self' data:; connect-src 'self' ws: wss:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'"
)
NOTHING_POLICY = "default-src 'none'"
_NO_FRAMES = "; frame-ancestors 'none'"


class RequestLog:
    """Gives each request an id, answers with it, and logs one line at its end."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        id = request_id(Headers(scope=scope).get("x-request-id", ""))
        scope["otklik.request_id"] = id
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = id
            await send(message)

        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=id):
            try:
                await self.app(scope, receive, watch)
            finally:
                note(scope, status, time.perf_counter() - began)


def request_id(given: str) -> str:
    """The caller's own id of the request when it is sane, else a new one."""
    return given if given and _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()


def note(scope: Scope, status: int, seconds: float) -> None:
    """Count an answered request, and log it: what is asked every second only when it went wrong."""
    _count(scope, status, seconds)
    quiet = status < 400 and (scope["path"] in _QUIET or scope["path"].startswith(_HOOKS))
    if not quiet or logging.getLogger("access").isEnabledFor(logging.DEBUG):
        write = log.debug if quiet else log.info
        ms = round(seconds * 1000, 1)
        write("request", method=scope["method"], path=_public(scope["path"]), status=status, ms=ms)
    structlog.contextvars.unbind_contextvars("inbound_ids")


def _count(scope: Scope, status: int, seconds: float) -> None:
    key = scope.get("endpoint"), scope["method"], status
    count = _counters.get(key)
    if count is None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        count = _counter(template(scope), method, status)
        if method != "other":  # methods are endless
            _counters[key] = count
    count(seconds)


def template(scope: Scope) -> str:
    """The template of the route: addresses are endless, templates are not."""
    if scope["path"].startswith(_HOOKS):
        return f"{_HOOKS}{{key}}"
    route, endpoint = scope.get("route"), scope.get("endpoint")
    if route is None and endpoint is not None:
        route = next(
            (r for r in scope["app"].router.routes if getattr(r, "endpoint", None) is endpoint), None
        )
    path: str = getattr(route, "path", "")
    if not path:
        return "other"  # the console's files, and what there is not
    return _API + path if scope["path"].startswith(f"{_API}/") and not path.startswith(_API) else path


def _counter(route: str, method: str, status: int) -> Callable[[float], None]:
    requests, took = _REQUESTS.labels(route, method, status), _SECONDS.labels(route)

    def count(seconds: float) -> None:
        requests.inc()
        took.observe(seconds)

    return count


def _public(path: str) -> str:
    """The path without the key of a webhook, which proves who calls."""
    return f"{_HOOKS}***" if path.startswith(_HOOKS) else path


class SecurityHeaders:
    """Headers for browsers. A route that sets one of them itself knows better."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._https = settings.url.startswith("https://")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers(scope["path"]).items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, add)

    def _headers(self, path: str) -> dict[str, str]:
        framed = path.startswith("/widget/")
        api = path.startswith(("/api/", "/hooks/"))
        policy = NOTHING_POLICY if api else CONSOLE_POLICY
        headers = {
            "Content-Security-Policy": policy if framed else policy + _NO_FRAMES,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        }
        if not framed:
            headers["X-Frame-Options"] = "DENY"
        if api:
            headers["Cache-Control"] = "no-store"
        if self._https:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        return headers


class BodyLimit:
    """Refuses bodies that are too large, before and while they come, or do not come; and NUL in addresses."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._settings = settings

    def _limit(self, path: str) -> int:
        if _UPLOAD.fullmatch(path):
            return self._settings.max_file_bytes + _MULTIPART_OVERHEAD
        return self._settings.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if has_nul(scope):
            answer = problems.of_error(Invalid("The address must not contain NUL characters."))
            await answer(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            await problems.too_large(limit)(scope, receive, send)
            return
        await self.app(scope, bounded(receive, limit), send)


def has_nul(scope: Scope) -> bool:
    """The address holds what no column could."""
    return "\x00" in scope["path"] or b"%00" in scope.get("query_string", b"")


def bounded(receive: Receive, limit: int) -> Receive:
    """Receives a body of at most `limit` bytes whose parts come in time; else raises `HTTPException`."""
    total, complete = 0, False

    async def count() -> Message:
        nonlocal total, complete
        if complete:  # only the end of the connection is still to come
            return await receive()
        try:
            async with asyncio.timeout(_PATIENCE):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "The body did not come in time.") from None
        if message["type"] == "http.request":
            complete = not message.get("more_body", False)
            total += len(message.get("body", b""))
            if total > limit:
                raise HTTPException(413, f"The body is larger than {limit} bytes.")
        return message

    return count


Middleware = Callable[[ASGIApp], ASGIApp]


def around(settings: Settings) -> list[Middleware]:
    """The middleware of the program, the outermost first."""
    return [
        RequestLog,
        lambda app: SecurityHeaders(app, settings),
        lambda app: Admission(app, settings),
        problems.Guard,
        lambda app: BodyLimit(app, settings),
    ]
