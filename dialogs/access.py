"""Who may see a dialog, a thread, a file: the one policy, as SQL and as keys of the feed.

An agent sees his own dialogs, his teams', the unassigned ones of the channels his teams serve, and
those in which he or one of his teams has work (`DialogGuest`, `DialogGuestTeam`). A lead also sees
what is his teams' members'. An admin sees all. Who sees a dialog sees the thread up to and including
it: history travels with the customer, what comes after the dialog left one's sight does not.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.agents.viewer import Viewer
from app.core.db import RawConnection
from app.core.errors import NotFound
from channels.models import ChannelTeam
from dialogs.models import Attachment, Dialog, DialogGuest, DialogGuestTeam, Message

ADMIN = "admin"
_UNASSIGNED = "d.assignee_id is null"
_QUEUE = f"{_UNASSIGNED} and coalesce(d.team_id, d.channel_id) = {{}}"
"""What nobody took, by its queue: a team's, or a channel's when it has no team."""
_SERVED = "select distinct channel_id from channel_teams where team_id = any($1)"
_GUEST = "d.id = any(array(select g.dialog_id from {} g where g.{} = any({{}})))"


def visible(viewer: Viewer) -> ColumnElement[bool]:
    """Condition on `Dialog`: the viewer may see it."""
    if viewer.is_admin:
        return true()
    people = {viewer.agent_id} | viewer.mate_ids
    served = select(ChannelTeam.channel_id).where(ChannelTeam.team_id.in_(viewer.team_ids))
    return or_(
        Dialog.assignee_id.in_(people),
        Dialog.team_id.in_(viewer.team_ids) if viewer.team_ids else false(),
        Dialog.assignee_id.is_(None) & Dialog.team_id.is_(None) & Dialog.channel_id.in_(served),
        Dialog.id.in_(select(DialogGuest.dialog_id).where(DialogGuest.agent_id.in_(people))),
        Dialog.id.in_(select(DialogGuestTeam.dialog_id).where(DialogGuestTeam.team_id.in_(viewer.team_ids))),
    )


@dataclass(frozen=True, slots=True)
class Ground:
    """One reason to see dialogs: SQL on `dialogs d`, with `{}` where its `keys` belong."""

    sql: str
    keys: tuple[Any, ...] = ()

    def written(self, values: list[Any]) -> str:
        """The SQL with numbered parameters; their values are put at the end of `values`."""
        values.extend(self.keys)
        first = len(values) - len(self.keys) + 1
        return self.sql.format(*(f"${first + number}" for number in range(len(self.keys))))


async def grounds(connection: RawConnection, viewer: Viewer, *, unassigned: bool = False) -> list[Ground]:
    """The same policy as `visible`, taken apart: each ground is one range of an index.

    `unassigned`: only on dialogs without an assignee.
    """
    if viewer.is_admin:
        return [Ground(_UNASSIGNED if unassigned else "true")]
    people, teams = [viewer.agent_id, *(viewer.mate_ids - {viewer.agent_id})], list(viewer.team_ids)
    channels = [row[0] for row in await connection.fetch(_SERVED, teams)]
    guests = [
        Ground(_GUEST.format("dialog_guests", "agent_id"), (people,)),
        Ground(_GUEST.format("dialog_guest_teams", "team_id"), (teams,)),
    ]
    if unassigned:
        queues = [Ground(_QUEUE, (key,)) for key in (*teams, *channels)]
        return [*queues, *(Ground(f"{_UNASSIGNED} and {guest.sql}", guest.keys) for guest in guests)]
    return [
        *(Ground("d.assignee_id = {}", (person,)) for person in people),
        *(Ground("d.team_id = {}", (team,)) for team in teams),
        *(Ground(_QUEUE, (channel,)) for channel in channels),
        *guests,
    ]


def either(parts: Sequence[Ground]) -> Ground:
    """One ground out of several."""
    sql = " or ".join(f"({part.sql})" for part in parts) or "false"
    return Ground(sql, tuple(key for part in parts for key in part.keys))


def in_sight(viewer: Viewer, dialog_id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Condition on a message by its dialog: the viewer may see that one or a later one of the customer."""
    if viewer.is_admin:
        return true()
    own = aliased(Dialog)
    return exists().where(
        own.id == dialog_id,
        Dialog.customer_id == own.customer_id,
        Dialog.number >= own.number,
        visible(viewer),
    )


def audience(
    *,
    assignee_id: UUID | None,
    team_id: UUID | None,
    channel_id: UUID,
    guests: Iterable[UUID] = (),
    guest_teams: Iterable[UUID] = (),
) -> frozenset[str]:
    """The same policy for the feed: a viewer sees the dialog when he holds one of these keys."""
    keys = {ADMIN, *(f"agent:{guest}" for guest in guests), *(f"team:{guest}" for guest in guest_teams)}
    if assignee_id is not None:
        keys.add(f"agent:{assignee_id}")
    if team_id is not None:
        keys.add(f"team:{team_id}")
    if assignee_id is None and team_id is None:
        keys.add(f"channel:{channel_id}")
    return frozenset(keys)


async def audiences(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, frozenset[str]]:
    """Audiences of these dialogs as they are now."""
    wanted = list(ids)
    agents, teams = defaultdict[UUID, set[UUID]](set), defaultdict[UUID, set[UUID]](set)
    for dialog_id, agent_id in await session.execute(
        select(DialogGuest.dialog_id, DialogGuest.agent_id).where(DialogGuest.dialog_id.in_(wanted))
    ):
        agents[dialog_id].add(agent_id)
    for dialog_id, team_id in await session.execute(
        select(DialogGuestTeam.dialog_id, DialogGuestTeam.team_id).where(
            DialogGuestTeam.dialog_id.in_(wanted)
        )
    ):
        teams[dialog_id].add(team_id)
    rows = await session.execute(
        select(Dialog.id, Dialog.assignee_id, Dialog.team_id, Dialog.channel_id).where(Dialog.id.in_(wanted))
    )
    return {
        id: audience(
            assignee_id=assignee_id,
            team_id=team_id,
            channel_id=channel_id,
            guests=agents[id],
            guest_teams=teams[id],
        )
        for id, assignee_id, team_id, channel_id in rows
    }


def keys(viewer: Viewer, *, channel_ids: Iterable[UUID]) -> frozenset[str]:
    """Keys that a viewer holds; `channel_ids` are the channels his teams serve."""
    own = {f"self:{viewer.agent_id}", "staff"}
    if viewer.is_admin:
        return frozenset(own | {ADMIN})
    own |= {f"agent:{person}" for person in {viewer.agent_id} | viewer.mate_ids}
    own |= {f"team:{team}" for team in viewer.team_ids}
    own |= {f"channel:{channel}" for channel in channel_ids}
    return frozenset(own)


async def served_channels(session: AsyncSession, viewer: Viewer) -> frozenset[UUID]:
    """Channels that the viewer's teams serve."""
    query = select(ChannelTeam.channel_id).where(ChannelTeam.team_id.in_(viewer.team_ids))
    return frozenset(await session.scalars(query))


async def access_dialog(
    session: AsyncSession, viewer: Viewer, dialog_id: UUID, *, lock: bool = False
) -> Dialog:
    """The dialog, when the viewer may see it; else `NotFound`. `lock`: for a change."""
    query = select(Dialog).where(Dialog.id == dialog_id, visible(viewer))
    if lock:
        query = query.with_for_update(of=Dialog).execution_options(populate_existing=True)
    dialog = await session.scalar(query)
    if dialog is None:
        raise NotFound
    return dialog


async def newest_visible(session: AsyncSession, viewer: Viewer, customer_id: UUID) -> int:
    """Number of the newest dialog of the customer that the viewer may see; else `NotFound`."""
    number = await session.scalar(
        select(Dialog.number)
        .where(Dialog.customer_id == customer_id, visible(viewer))
        .order_by(Dialog.number.desc())
        .limit(1)
    )
    if number is None:
        raise NotFound
    return number


async def access_message(session: AsyncSession, viewer: Viewer, message_id: UUID) -> Message:
    """The message, when the viewer may see it in its thread; else `NotFound`."""
    message = await session.get(Message, message_id)
    if message is None:
        raise NotFound
    newest = await newest_visible(session, viewer, message.customer_id)
    number = await session.scalar(select(Dialog.number).where(Dialog.id == message.dialog_id))
    if number is None or number > newest:
        raise NotFound
    return message


async def access_attachment(session: AsyncSession, viewer: Viewer, attachment_id: UUID) -> Attachment:
    """The file, when its message is visible, or when the viewer has just uploaded it."""
    attachment = await session.get(Attachment, attachment_id)
    if attachment is None:
        raise NotFound
    if attachment.message_id is not None:
        await access_message(session, viewer, attachment.message_id)
    elif attachment.uploaded_by != viewer.agent_id:
        raise NotFound
    return attachment


async def last_chat(session: AsyncSession, dialog: Dialog) -> str:
    """`channel:chat` of the customer's last message in the dialog; empty when he has not written."""
    row = (
        await session.execute(
            select(Message.channel_id, Message.chat)
            .where(Message.dialog_id == dialog.id, Message.direction == "in")
            .order_by(Message.seq.desc())
            .limit(1)
        )
    ).first()
    return f"{row[0]}:{row[1]}" if row else ""
