"""The application and the people of the API's tests; a worker beside them where a test wants one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.config import Settings
from app.core.db import Database
from app.core.files import open_files
from app.worker import Worker
from channels import adapters
from tests.api.conftest import *  # noqa: F403 - fixtures


@asynccontextmanager
async def working(db: Database, settings: Settings) -> AsyncIterator[Worker]:
    """A worker's loops, run beside the test."""
    worker = Worker(db, settings, files=open_files(settings))
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await adapters.close_all()
