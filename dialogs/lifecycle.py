"""The life of a dialog: started, assigned, snoozed, woken, closed, reopened, read."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.models import Agent, Team
from app.agents.viewer import Viewer
from app.core import clock, facts
from app.core.config import Settings
from app.core.errors import Invalid, NotFound
from channels.models import Channel
from dialogs import access, acts, belonging, messages, standing, work
from dialogs.messages import CustomerHasDialog
from dialogs.models import Dialog, Identity
from dialogs.schemas import DialogStart


async def _told(
    session: AsyncSession, viewer: Viewer, dialog: Dialog, type: str, data: dict[str, Any] | None = None
) -> None:
    await messages.flush_open(session)
    await facts.record(
        session,
        type,
        actor=viewer.actor,
        customer_id=dialog.customer_id,
        dialog_id=dialog.id,
        agent_id=dialog.assignee_id,
        team_id=dialog.team_id,
        data=data,
    )


async def assign(
    session: AsyncSession, viewer: Viewer, dialog_id: UUID, changes: dict[str, UUID | None]
) -> None:
    """Give the dialog to an agent and/or a team; `changes` holds what changes."""
    dialog = await access.access_dialog(session, viewer, dialog_id, lock=True)
    if changes.get("assignee_id") is not None:
        await _exists(session, Agent, changes["assignee_id"], "assignee_id")
    if changes.get("team_id") is not None:
        await _exists(session, Team, changes["team_id"], "team_id")
    before = {"assignee_id": dialog.assignee_id, "team_id": dialog.team_id}
    after = before | changes
    if after == before:
        return
    dialog.assignee_id, dialog.team_id = after["assignee_id"], after["team_id"]
    data = {key: str(value) if value else None for key, value in after.items()}
    data |= {f"from_{key}": str(value) if value else None for key, value in before.items()}
    await _told(session, viewer, dialog, "dialog.assigned", data)
    lost = access.audience(
        assignee_id=before["assignee_id"], team_id=before["team_id"], channel_id=dialog.channel_id
    )
    await work.record_sight(session, dialog_id, actor=viewer.actor, lost=lost)


async def _exists(session: AsyncSession, model: type[Agent | Team], id: UUID | None, field: str) -> None:
    row = await session.get(model, id)
    if row is None or (isinstance(row, Agent) and not row.active):
        raise Invalid(f"`{field}` must be an active agent or an existing team.")


async def snooze(session: AsyncSession, viewer: Viewer, dialog_id: UUID, until: datetime | None) -> None:
    """Put the dialog away until a time, or until the customer writes."""
    dialog = await access.access_dialog(session, viewer, dialog_id, lock=True)
    if until is not None and (until.tzinfo is None or until <= clock.now()):
        raise Invalid("`until` must be a time to come, with its time zone.")
    if dialog.status == "closed":
        await _no_other_open(session, dialog)
    dialog.status, dialog.snoozed_until = "snoozed", until
    dialog.closed_at, dialog.closed_by = None, None
    await _told(session, viewer, dialog, "dialog.snoozed", {"until": until.isoformat() if until else None})


async def close(session: AsyncSession, viewer: Viewer, dialog_id: UUID) -> None:
    """The matter is settled, as far as one can see now."""
    dialog = await access.access_dialog(session, viewer, dialog_id, lock=True)
    if dialog.status == "closed":
        return
    dialog.status, dialog.snoozed_until, dialog.waiting_since = "closed", None, None
    dialog.closed_at, dialog.closed_by = clock.now(), viewer.agent_id
    await _told(session, viewer, dialog, "dialog.closed")
    await standing.forget(session, dialog.customer_id)


async def reopen(session: AsyncSession, viewer: Viewer, dialog_id: UUID) -> None:
    """Open a closed or snoozed dialog; raises `CustomerHasDialog` when another one is open."""
    dialog = await access.access_dialog(session, viewer, dialog_id, lock=True)
    if dialog.status == "open":
        return
    if dialog.status == "closed":
        await _no_other_open(session, dialog)
    kind = "dialog.woken" if dialog.status == "snoozed" else "dialog.reopened"
    dialog.status, dialog.snoozed_until, dialog.closed_at, dialog.closed_by = "open", None, None, None
    await _told(session, viewer, dialog, kind, {"by": "agent"})


async def _no_other_open(session: AsyncSession, dialog: Dialog) -> None:
    other = await session.scalar(
        select(Dialog.id).where(Dialog.customer_id == dialog.customer_id, Dialog.status != "closed")
    )
    if other is not None:
        raise CustomerHasDialog(dialog_id=str(other))


async def read(
    session: AsyncSession, viewer: Viewer, dialog_id: UUID, inbound_count: int, *, settings: Settings
) -> None:
    """The viewer has seen so many of the dialog's inbound messages; all of them: the customer hears it."""
    dialog = await access.access_dialog(session, viewer, dialog_id)
    news = await messages.mark_read(session, viewer, dialog, inbound_count)
    if news and inbound_count >= dialog.inbound_count and settings.mark_read:
        await acts.read(session, dialog_id)


async def start(session: AsyncSession, viewer: Viewer, new: DialogStart) -> UUID:
    """A dialog to write to the customer first: his open one, or a new one of the viewer's.

    Only for who sees the customer's newest dialog: a newer one would open to him what others said since.
    """
    await belonging.hold(session, new.customer_id)
    newest_seen = await session.scalar(
        select(access.visible(viewer))
        .where(Dialog.customer_id == new.customer_id)
        .order_by(Dialog.number.desc())
        .limit(1)
    )
    if not newest_seen:
        raise NotFound("There is no such customer, or his newest dialog is not yours to see.")
    identity = await session.get(Identity, new.identity_id)
    if identity is None or identity.customer_id != new.customer_id:
        raise NotFound("The customer has no such contact.")
    if await session.get(Channel, new.channel_id) is None:
        raise NotFound("There is no such channel.")
    open_now = await session.scalar(
        select(Dialog).where(Dialog.customer_id == new.customer_id, Dialog.status != "closed")
    )
    if open_now is not None:
        return (await access.access_dialog(session, viewer, open_now.id)).id
    dialog = Dialog(
        customer_id=new.customer_id,
        channel_id=new.channel_id,
        assignee_id=viewer.agent_id,
        last_direction="system",
    )
    session.add(dialog)
    await messages.flush_open(session)
    await _told(session, viewer, dialog, "dialog.opened", {"by": "agent"})
    return dialog.id


DUE = "select min(snoozed_until) from dialogs where status = 'snoozed'"
"""When the next snooze is over."""


async def wake(session: AsyncSession) -> int:
    """Open the dialogs whose snooze is over; returns how many. One turn of a loop."""
    due = (
        select(Dialog.id)
        .where(Dialog.status == "snoozed", Dialog.snoozed_until <= func.now())
        .order_by(Dialog.snoozed_until)
        .limit(100)
        .with_for_update(skip_locked=True)
    )
    woken = await session.execute(
        update(Dialog)
        .where(Dialog.id.in_(due.scalar_subquery()))
        .values(status="open", snoozed_until=None)
        .returning(Dialog.id, Dialog.customer_id)
    )
    rows = woken.all()
    for row in rows:
        await facts.record(
            session, "dialog.woken", actor=facts.SYSTEM, customer_id=row.customer_id, dialog_id=row.id
        )
    return len(rows)
