"""Adapters of this process: one per connected account, made on first use, closed when settings change.

They belong to the running event loop, as their connections do.
"""

import asyncio
import hashlib
import sys
from asyncio import AbstractEventLoop
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from uuid import UUID
from weakref import WeakKeyDictionary

import orjson
import structlog
from sqlalchemy import select

from app.core.config import Settings
from app.core.db import Database
from app.core.errors import Invalid
from channels import drafts, registry
from channels.base import Adapter
from channels.drafts import Box
from channels.models import Channel

log = structlog.get_logger(__name__)
_GRACE = 120.0  # seconds that calls under way on a superseded adapter may still take


@dataclass(slots=True)
class _Opened:
    current: dict[UUID, tuple[bytes, Adapter]] = field(default_factory=dict)
    leaving: set[asyncio.Task[None]] = field(default_factory=set)


_opened: WeakKeyDictionary[AbstractEventLoop, _Opened] = WeakKeyDictionary()


async def open(channel: Channel, box: Box, settings: Settings) -> Adapter:
    """The adapter of a channel; the same one until the channel's settings change."""
    store = _opened.setdefault(asyncio.get_running_loop(), _Opened())
    seal = version(channel)
    known = store.current.get(channel.id)
    if known is not None and known[0] == seal:
        return known[1]
    prepared = await drafts.redraft(channel, box)
    kind = await drafts.load_kind(channel.kind)
    known = store.current.get(channel.id)
    if known is not None and known[0] == seal:
        return known[1]  # another call was quicker while the adapter was imported
    adapter = kind(prepared.account(settings.url))
    store.current[channel.id] = (seal, adapter)
    if known is not None:
        task = asyncio.create_task(_close_later(known[1]))
        store.leaving.add(task)
        task.add_done_callback(store.leaving.discard)
    return adapter


async def warm_up(database: Database, *, fully: bool = False) -> None:
    """Import the adapters of connected channels: seconds that nobody should wait for.

    `fully`: with the libraries that understanding their events takes.
    """
    async with database.transaction() as session:
        kinds = list(await session.scalars(select(Channel.kind).distinct()))
    for kind in kinds:
        try:
            await drafts.load_kind(kind)
            if fully:
                await prepare(kind)
        except Invalid:
            log.error("no adapter for a connected channel", kind=kind)


async def prepare(kind: str) -> None:
    """Import what understanding the events of `kind` takes, before the event loop would wait for it."""
    module = registry.HEAVY.get(kind)
    if module is not None and module not in sys.modules:
        await asyncio.to_thread(import_module, module)


async def forget(channel_id: UUID) -> None:
    """Close the adapter of a channel that is gone."""
    store = _opened.get(asyncio.get_running_loop())
    known = store.current.pop(channel_id, None) if store else None
    if known is not None:
        await known[1].close()


async def close_all() -> None:
    """Close all adapters of this event loop."""
    store = _opened.pop(asyncio.get_running_loop(), None)
    if store is None:
        return
    for task in list(store.leaving):
        task.cancel()
    await asyncio.gather(*store.leaving, return_exceptions=True)
    for _version, adapter in store.current.values():
        with suppress(Exception):
            await adapter.close()


async def _close_later(adapter: Adapter) -> None:
    try:
        await asyncio.sleep(_GRACE)
    finally:
        await adapter.close()


def version(channel: Channel) -> bytes:
    parts = orjson.dumps([channel.name, channel.settings, channel.webhook_key], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(parts + bytes(channel.secrets)).digest()
