"""`/healthz`: the process lives. `/readyz`: database, migrations, loops somewhere, room on the disks."""

import asyncio
from typing import Any

import asyncpg
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.core import heartbeat, migrate, storage
from app.core.db import Database


async def _alive(_request: Request) -> Response:
    return Response(b"ok\n", media_type="text/plain", headers={"Cache-Control": "no-store"})


async def _ready(request: Request) -> Response:
    state = request.app.state
    checks = await _checks(state.database)
    checks["storage"] = not storage.full(state.settings.data_dir)
    ready = all(checks.values())
    body: dict[str, Any] = {"ready": ready, "checks": checks}
    headers = {"Cache-Control": "no-store"} | ({} if ready else {"Retry-After": "2"})
    return Response(
        orjson.dumps(body),
        status_code=200 if ready else 503,
        media_type="application/json",
        headers=headers,
    )


async def _checks(database: Database) -> dict[str, bool]:
    try:
        async with asyncio.timeout(3):
            await database.raw.fetchval("select 1")
            migrated = not await migrate.pending(database.url)
            loops = migrated and bool(await heartbeat.fresh(database.raw))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return {"database": False, "migrations": False, "loops": False}
    return {"database": True, "migrations": migrated, "loops": loops}


routes = [Route("/healthz", _alive, name="alive"), Route("/readyz", _ready, name="ready")]
