"""The adapters of this process, by channel: what the inbox, the outbox and the files ask for."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.secrets import Box
from channels import accounts, adapters
from channels.base import Adapter


@dataclass(frozen=True, slots=True)
class Gateway:
    """Opens the adapter of a channel with its present settings."""

    box: Box
    settings: Settings

    async def adapter(self, session: AsyncSession, channel_id: UUID) -> Adapter:
        return await adapters.open(await accounts.get(session, channel_id), self.box, self.settings)
