"""`/healthz`: the process lives. `/readyz`: it can answer, has room on its disks, and is to be sent requests.

Whether somebody runs the loops is told there too, but decides nothing: all web processes would be
taken out at once for what none of them lacks.
"""

import asyncio
from typing import Any

import asyncpg
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.core import heartbeat, revision, storage
from app.core.db import Database


async def _alive(_request: Request) -> Response:
    return Response(b"ok\n", media_type="text/plain", headers={"Cache-Control": "no-store"})


async def _ready(request: Request) -> Response:
    state = request.app.state
    checks = await _checks(state)
    checks["storage"] = not storage.full(state.settings.data_dir)
    ready = all(good for name, good in checks.items() if name != "loops") and not state.draining
    headers = {"Cache-Control": "no-store"} | ({} if ready else {"Retry-After": "2"})
    return Response(
        orjson.dumps({"ready": ready, "checks": checks} | _more(state)),
        status_code=200 if ready else 503,
        media_type="application/json",
        headers=headers,
    )


def _more(state: Any) -> dict[str, Any]:
    """What an operator wants to know and a load balancer does not."""
    carrier = state.database.bell.carrier
    nats = {"nats": carrier.connected} if carrier.name == "nats" else {}
    return nats | ({"draining": True} if state.draining else {})


async def _checks(state: Any) -> dict[str, bool]:
    database: Database = state.database
    try:
        async with asyncio.timeout(3):
            await database.raw.fetchval("select 1")
            migrated = state.migrated = state.migrated or await revision.is_newest(database.raw)
            loops = migrated and bool(await heartbeat.fresh(database.raw))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return {"database": False, "migrations": False, "loops": False}
    return {"database": True, "migrations": migrated, "loops": loops}


routes = [Route("/healthz", _alive, name="alive"), Route("/readyz", _ready, name="ready")]
