"""Who calls: `Caller` (any signed-in agent or token) and what he may do."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from app.agents import auth
from app.agents.viewer import Viewer
from app.core.deps import Session

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


async def _caller(connection: HTTPConnection, session: Session) -> Viewer:
    viewer = await auth.authenticate(session, connection)
    viewer.need("write" if connection.scope.get("method") in UNSAFE else "read")
    return viewer


async def _admin(caller: Annotated[Viewer, Depends(_caller)]) -> Viewer:
    caller.need("admin")
    return caller


Caller = Annotated[Viewer, Depends(_caller)]
Admin = Annotated[Viewer, Depends(_admin)]
