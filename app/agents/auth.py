"""Who calls: a browser with the session cookie, or a program with an API token.

Works for HTTP requests and websockets alike. A cookie comes along by itself, so a request that
changes something must also carry a header that a foreign page cannot set.
"""

from datetime import timedelta
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from app.agents import sessions, tokens
from app.agents.errors import Csrf, PasswordChangeRequired
from app.agents.viewer import Viewer
from app.core.config import Settings
from app.core.errors import Unauthenticated

COOKIE = "otklik_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def authenticate(
    session: AsyncSession, connection: HTTPConnection, *, newcomer: bool = False
) -> Viewer:
    """The caller; raises `Unauthenticated`, or `Csrf` when a foreign page may be behind the call.

    `newcomer`: he need not have chosen a password of his own; else `PasswordChangeRequired`.
    """
    settings: Settings = connection.app.state.settings
    bearer = _bearer(connection)
    if bearer is not None:
        return await _by_token(session, bearer)
    cookie = connection.cookies.get(COOKIE)
    if not cookie:
        raise Unauthenticated
    _refuse_foreign(connection, settings)
    caller = await sessions.find(session, token=cookie, ttl=timedelta(days=settings.session_days))
    if caller is None:
        raise Unauthenticated
    if caller.must_change_password and not newcomer:
        raise PasswordChangeRequired
    return caller


async def _by_token(session: AsyncSession, text: str) -> Viewer:
    caller = await tokens.find(session, token=text)
    if caller is None:
        raise Unauthenticated
    return caller


def _bearer(connection: HTTPConnection) -> str | None:
    scheme, _, value = connection.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def _refuse_foreign(connection: HTTPConnection, settings: Settings) -> None:
    if connection.scope["type"] == "websocket":
        if not same_origin(connection, settings):
            raise Csrf
    elif connection.scope["method"] not in _SAFE and (
        connection.headers.get("x-otklik") != "1" or not same_origin(connection, settings)
    ):
        raise Csrf


def same_origin(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether a page of ours sent this, as far as the browser says; programs send no `Origin`."""
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    parts = urlsplit(origin)
    own = urlsplit(settings.url)
    if (parts.scheme, parts.netloc) == (own.scheme, own.netloc):
        return True
    return bool(parts.netloc) and parts.netloc == connection.headers.get("host")
