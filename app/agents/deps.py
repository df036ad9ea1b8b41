"""Who calls: `Caller` (any signed-in agent or token) and what he may do."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from app.agents import auth
from app.agents.viewer import Viewer
from app.core import idempotency
from app.core.deps import Db, Session

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def _need(connection: HTTPConnection, viewer: Viewer) -> None:
    viewer.need("write" if connection.scope.get("method") in UNSAFE else "read")


async def _caller(connection: HTTPConnection, session: Session) -> Viewer:
    viewer = await auth.authenticate(session, connection)
    _need(connection, viewer)
    await idempotency.claim(session, connection, agent_id=viewer.agent_id)
    return viewer


async def _newcomer(connection: HTTPConnection, session: Session) -> Viewer:
    viewer = await auth.authenticate(session, connection, newcomer=True)
    _need(connection, viewer)
    await idempotency.claim(session, connection, agent_id=viewer.agent_id)
    return viewer


async def _admin(caller: Annotated[Viewer, Depends(_caller)]) -> Viewer:
    caller.need("admin")
    return caller


async def _brief_admin(connection: HTTPConnection, database: Db) -> Viewer:
    async with database.transaction() as session:
        viewer = await auth.authenticate(session, connection)
    _need(connection, viewer)
    viewer.need("admin")
    return viewer


async def _brief_caller(connection: HTTPConnection, database: Db) -> Viewer:
    async with database.transaction() as session:
        viewer = await auth.authenticate(session, connection)
    _need(connection, viewer)
    return viewer


async def _source(connection: HTTPConnection, session: Session) -> Viewer:
    viewer = await auth.authenticate(session, connection)
    viewer.need("inbound")
    if viewer.session_id is not None:
        viewer.need("admin")
    await idempotency.claim(session, connection, agent_id=viewer.agent_id)
    return viewer


Caller = Annotated[Viewer, Depends(_caller)]
Newcomer = Annotated[Viewer, Depends(_newcomer)]
"""As `Caller`, also before he has chosen a password of his own: for what that takes."""
Admin = Annotated[Viewer, Depends(_admin)]
BriefAdmin = Annotated[Viewer, Depends(_brief_admin)]
"""An administrator, known from a transaction that has ended: for endpoints that call platforms."""
BriefCaller = Annotated[Viewer, Depends(_brief_caller)]
"""As `Caller`, known from a transaction that has ended: for endpoints that ask the outside world."""
Source = Annotated[Viewer, Depends(_source)]
"""A token that may post customers' messages (scope `inbound`), or an administrator."""
