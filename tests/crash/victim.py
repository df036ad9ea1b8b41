"""A process that dies. Run as a module, it forks a child for each order and reports how that ended.

Order and report are lines of JSON. A child runs the program's own code and kills itself with SIGKILL at
the n-th step: just before or just after something is written to the database's socket or to the
platform. Forking saves the seconds that importing the program takes.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from asyncio import selector_events
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.orm import configure_mappers

from app.core.config import Settings
from app.core.db import Database
from app.core.files import open_files
from app.core.secrets import Box
from channels import adapters, pulling, registry
from channels.gateway import Gateway
from dialogs import inbox, outbox
from tests.dialogs import fake


class Steps:
    """Counts writes, and ends the process at the chosen one."""

    def __init__(self, kill_at: int, when: str) -> None:
        self.kill_at, self.when = kill_at, when
        self.count = 0
        self.counting = False

    def around(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            if not self.counting:
                return write(*given, **named)
            self.count += 1
            fatal = self.count == self.kill_at
            if fatal and self.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = write(*given, **named)
            if fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counted


async def work(order: dict[str, Any], steps: Steps) -> None:
    settings = Settings(_env_file=None, database_url=order["url"], data_dir=Path(order["folder"]))
    db = Database(order["url"])
    await db.open()
    gateway = Gateway(Box(b"k" * 32), settings)
    async with db.transaction() as session:
        await session.execute(text("select 1"))
    steps.counting = True
    if order["job"] == "inbound":
        await receive(db, gateway, settings, UUID(order["channel_id"]))
    else:
        async with db.transaction() as session:
            await outbox.reap(session)
        await outbox.drain(db, gateway, open_files(settings))
    steps.counting = False
    await adapters.close_all()
    await db.close()


async def receive(db: Database, gateway: Gateway, settings: Settings, channel_id: UUID) -> None:
    """Pull until the platform has nothing left, understanding meanwhile."""
    async with db.transaction() as session:
        adapter: Any = await gateway.adapter(session, channel_id)
    pull = asyncio.create_task(
        pulling.pull(db, gateway, channel_id, holder="the only one", wake=lambda: None)
    )
    while not adapter.exhausted.is_set():
        await inbox.turn(db, gateway, settings)
        await asyncio.sleep(0)
    await inbox.drain(db, gateway, settings)
    pull.cancel()
    await asyncio.gather(pull, return_exceptions=True)


def child(order: dict[str, Any]) -> None:
    steps = Steps(order["kill_at"], order["when"])
    transport: Any = selector_events._SelectorSocketTransport  # type: ignore[attr-defined]
    transport.write = steps.around(transport.write)
    fake.Plain._write = steps.around(fake.Plain._write)  # type: ignore[method-assign]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(work(order, steps))


def main() -> None:
    configure_mappers()  # once, for all children
    for kind in fake.KINDS:
        registry.ADAPTERS[kind] = fake.KINDS[kind]
        registry.load(kind)
    for line in sys.stdin:
        process = os.fork()
        if not process:
            code = 1
            try:
                child(json.loads(line))
                code = 0
            finally:
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(process, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print(json.dumps({"killed": killed, "status": status}), flush=True)


if __name__ == "__main__":
    main()
