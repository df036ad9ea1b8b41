"""`Idempotency-Key`: a POST that is sent again gets the first answer, and nothing happens twice.

The key is claimed and the answer stored in the transaction of the request itself, so the answer is
kept exactly when the change is. A repeat that comes while the first still works waits for its
commit. A failed request leaves no trace: its repeat is carried out.
"""

import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from app.core.clock import now
from app.core.db import Database
from app.core.errors import Conflict, Invalid
from app.core.models import IdempotentAnswer

KEEP = timedelta(hours=24)
_SCOPE = "otklik.idempotency"
_MAX_KEY = 255


class IdempotencyMismatch(Conflict):
    code, title = "idempotency_mismatch", "This Idempotency-Key was used for another request."


@dataclass(slots=True)
class _Claim:
    key: str
    digest: bytes
    session: AsyncSession | None = None
    database: Database | None = None
    """Set when the answer is kept in a transaction of its own, after that of the change."""
    agent_id: UUID | None = None


class _Repeated(Exception):
    """Carries the stored answer from the dependency, where the caller is known, to the route."""

    def __init__(self, response: Response) -> None:
        self.response = response


class Route(APIRoute):
    """A route whose POST accepts an `Idempotency-Key`: `APIRouter(route_class=idempotency.Route)`.

    Not for answers that hold secrets: they would be stored in the clear.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        carry_out = super().get_route_handler()

        async def handler(request: Request) -> Response:
            claim = await _wanted(request)
            if claim is None:
                return await carry_out(request)
            request.scope[_SCOPE] = claim
            try:
                response = await carry_out(request)
            except _Repeated as repeated:
                return repeated.response
            await _keep(claim, response)
            return response

        return handler


async def _wanted(request: Request) -> _Claim | None:
    key = request.headers.get("idempotency-key")
    if request.method != "POST" or key is None:
        return None
    if request.headers.get("content-type", "").startswith("multipart/"):
        return None  # an upload twice is two files of which one is never used
    if not 0 < len(key) <= _MAX_KEY or not key.isprintable():
        raise Invalid(f"`Idempotency-Key` must be 1 to {_MAX_KEY} printable characters.")
    digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + await request.body()).digest()
    return _Claim(key, digest)


async def replay(session: AsyncSession, connection: HTTPConnection, *, agent_id: UUID) -> None:
    """Give the stored answer, if this request is a repeat. For endpoints that `claim` late."""
    wanted: _Claim | None = connection.scope.get(_SCOPE)
    if wanted is not None and await _find(session, wanted, agent_id) is not None:
        raise _Repeated(await _stored(session, wanted, agent_id))


async def claim(
    session: AsyncSession, connection: HTTPConnection, *, agent_id: UUID, database: Database | None = None
) -> None:
    """Take the key of this request, if it has one. Called as soon as the caller is known.

    With `database` the request works in several transactions: call it in the one that makes the
    change; the answer is kept in another one afterwards.
    """
    wanted: _Claim | None = connection.scope.get(_SCOPE)
    if wanted is None or wanted.session is not None:
        return
    taken = await session.scalar(
        insert(IdempotentAnswer)
        .values(agent_id=agent_id, key=wanted.key, request_hash=wanted.digest)
        .on_conflict_do_nothing()
        .returning(IdempotentAnswer.key)
    )
    if taken is None:
        raise _Repeated(await _stored(session, wanted, agent_id))
    wanted.session, wanted.agent_id, wanted.database = session, agent_id, database


async def _find(session: AsyncSession, wanted: _Claim, agent_id: UUID) -> IdempotentAnswer | None:
    return await session.scalar(
        select(IdempotentAnswer).where(
            IdempotentAnswer.agent_id == agent_id, IdempotentAnswer.key == wanted.key
        )
    )


async def _stored(session: AsyncSession, wanted: _Claim, agent_id: UUID) -> Response:
    answer = await _find(session, wanted, agent_id)
    if answer is None or answer.request_hash != wanted.digest or answer.status is None:
        raise IdempotencyMismatch
    return Response(
        answer.body or b"",
        status_code=answer.status,
        media_type="application/json" if answer.body else None,
        headers={"Idempotency-Replayed": "true"},
    )


async def _keep(claim: _Claim, response: Response) -> None:
    if claim.session is None:
        return  # the endpoint did not ask who calls
    answer = (
        update(IdempotentAnswer)
        .where(IdempotentAnswer.agent_id == claim.agent_id, IdempotentAnswer.key == claim.key)
        .values(status=response.status_code, body=bytes(response.body))
    )
    if claim.database is None:
        await claim.session.execute(answer)
        return
    async with claim.database.transaction() as session:
        await session.execute(answer)


async def forget_old(session: AsyncSession, *, limit: int = 500) -> int:
    """Drop some answers that nobody will ask for again; returns how many."""
    keys = tuple_(IdempotentAnswer.agent_id, IdempotentAnswer.key)
    old = (
        select(IdempotentAnswer.agent_id, IdempotentAnswer.key)
        .where(IdempotentAnswer.created_at < now() - KEEP)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    gone = await session.scalars(
        delete(IdempotentAnswer).where(keys.in_(old)).returning(IdempotentAnswer.key)
    )
    return len(gone.all())
