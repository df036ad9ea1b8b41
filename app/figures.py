"""What `/metrics` shows beside the counters of a process: its pools, its disk; and the worker's door to it.

The worker has no web server: it answers GET /metrics, and nothing else, at a port of its own.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from app.core import metrics
from app.core.config import Settings
from app.core.db import Database
from app.core.metrics import Family, sample

log = structlog.get_logger()
_SECONDS = 5.0
_LIMIT = 16 * 1024


def of_process(database: Database, settings: Settings) -> list[Family]:
    """Figures of this process that nobody counts as they happen."""
    pools = database.in_use()
    used = {(name,): float(pool[0]) for name, pool in pools.items()}
    size = {(name,): float(pool[1]) for name, pool in pools.items()}
    found: list[Family] = [
        sample("database_pool_used", "Connections in use.", used, "pool"),
        sample("database_pool_size", "Connections there may be.", size, "pool"),
    ]
    if settings.data_dir.exists():
        free = shutil.disk_usage(settings.data_dir).free
        found.append(sample("disk_free_bytes", "Free space where the data folder is.", free))
    return found


@asynccontextmanager
async def door(database: Database, settings: Settings) -> AsyncIterator[int | None]:
    """Answer GET /metrics while inside, when a port is set; yields it. A port that is taken stops nothing."""
    if settings.worker_metrics_port is None:
        yield None
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                await _answer(reader, writer, database, settings)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            pass  # whoever asked has gone, or speaks no HTTP
        finally:
            writer.close()

    try:
        server = await asyncio.start_server(answer, settings.host, settings.worker_metrics_port, limit=_LIMIT)
    except OSError as error:
        log.error("metrics.no_port", port=settings.worker_metrics_port, reason=str(error))
        yield None
        return
    port: int = server.sockets[0].getsockname()[1]
    log.info("metrics.listening", port=port)
    async with server:
        yield port


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, database: Database, settings: Settings
) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    peer = writer.get_extra_info("peername")[0]
    if first.split(" ")[:2] != ["GET", "/metrics"]:
        status, body = "404 Not Found", b""
    elif not metrics.may_read(
        settings.metrics_token, peer=peer, authorization=headers.get("authorization", "")
    ):
        status, body = "403 Forbidden", b""
    else:
        status, body = "200 OK", metrics.text(*of_process(database, settings))
    answer = f"HTTP/1.1 {status}\r\nContent-Type: {metrics.CONTENT_TYPE}\r\n"
    answer += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(answer.encode() + body)
    await writer.drain()
