"""The adapters of this process, by channel: what the inbox, the outbox and the files ask for."""

from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.kept import Kept
from app.core.secrets import Box
from channels import accounts, adapters
from channels.base import Adapter
from channels.models import Channel

_KEEP_SECONDS = 2.0


def _kept() -> Kept[UUID, Adapter]:
    return Kept(seconds=_KEEP_SECONDS)


@dataclass(frozen=True, slots=True)
class Gateway:
    """Opens the adapter of a channel; settings changed elsewhere are seen within two seconds."""

    box: Box
    settings: Settings
    _known: Kept[UUID, Adapter] = field(default_factory=_kept, repr=False)

    async def adapter(self, session: AsyncSession, channel_id: UUID) -> Adapter:
        found = self.known(channel_id)
        if found is not None:
            return found
        return await self._open(await accounts.get(session, channel_id))

    def known(self, channel_id: UUID) -> Adapter | None:
        """The adapter, when it was asked for a moment ago."""
        return self._known.find(channel_id)

    async def renew(self, session: AsyncSession) -> None:
        """Read the channels in use anew."""
        if ids := self._known.in_use():
            for channel in await session.scalars(select(Channel).where(Channel.id.in_(ids))):
                with suppress(Exception):  # whoever asks for a broken one meets the fault, nobody else
                    await self._open(channel)

    async def _open(self, channel: Channel) -> Adapter:
        adapter = await adapters.open(channel, self.box, self.settings)
        self._known.put(channel.id, adapter)
        return adapter
