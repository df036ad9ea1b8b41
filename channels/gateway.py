"""The adapters of this process, by channel: what the inbox, the outbox and the files ask for."""

import time
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.secrets import Box
from channels import accounts, adapters
from channels.base import Adapter

_KEEP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """Opens the adapter of a channel; settings changed elsewhere are seen within two seconds."""

    box: Box
    settings: Settings
    _known: dict[UUID, tuple[float, Adapter]] = field(default_factory=dict, repr=False)

    async def adapter(self, session: AsyncSession, channel_id: UUID) -> Adapter:
        found = self.known(channel_id)
        if found is not None:
            return found
        channel = await accounts.get(session, channel_id)
        adapter = await adapters.open(channel, self.box, self.settings)
        self._known[channel_id] = (time.monotonic() + _KEEP_SECONDS, adapter)
        return adapter

    def known(self, channel_id: UUID) -> Adapter | None:
        """The adapter, when it was asked for a moment ago."""
        found = self._known.get(channel_id)
        return found[1] if found is not None and found[0] > time.monotonic() else None
