"""What an agent chooses beside the text: buttons; for a mail recipients, a subject, what it passes on."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import Invalid
from channels.models import Channel
from dialogs import recipients, uploads
from dialogs.schemas import MessageNew


async def fits(session: AsyncSession, channel_id: UUID, new: MessageNew) -> None:
    """Whether a message can go by a channel; raises `Invalid`."""
    kind = await session.scalar(select(Channel.kind).where(Channel.id == channel_id)) or ""
    reason = recipients.does_not_fit(
        kind, text=new.text, file_count=len(new.attachment_ids), buttons=sum(map(len, new.buttons))
    )
    if reason:
        raise Invalid(reason)
    if new.mail is None:
        return
    if not recipients.capabilities(kind).copies:
        raise Invalid("Only mail has copies and a subject: leave out `mail`.", field="mail")
    if new.mail.forward and not (new.reply_to_id and new.mail.to):
        raise Invalid("Forwarding needs `reply_to_id` (what) and `mail.to` (to whom).", field="mail")


def meta(new: MessageNew) -> dict[str, Any]:
    """What was chosen, for the adapter and for the thread; raises `Invalid`."""
    chosen: dict[str, Any] = {}
    if new.mail is not None and new.direction != "out":
        raise Invalid("A note goes to nobody: leave out `mail`.", field="mail")
    if new.mail is not None and (mail := new.mail.model_dump(exclude_defaults=True)):
        chosen["mail"] = mail
    if new.buttons:
        chosen["buttons"] = [[one.model_dump() for one in row] for row in new.buttons]
    return chosen


async def pass_on(session: AsyncSession, new: MessageNew, *, message_id: UUID) -> None:
    """A forwarded message brings its files along."""
    if new.mail is not None and new.mail.forward and new.reply_to_id is not None:
        await uploads.copy(session, new.reply_to_id, to=message_id, after=len(new.attachment_ids))
