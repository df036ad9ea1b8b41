"""Playing the story into the past: every step goes the real road, then moves to its time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.agents.viewer import Viewer
from app.core import facts
from app.demo.customers import Road
from app.demo.events import Said, message_id
from app.demo.script import Person, Step, ahead
from app.demo.things import Thing, thing
from channels.base import Sender
from dialogs import file_store, lifecycle, linking, messages
from dialogs.models import Customer, Identity
from dialogs.schemas import MessageNew
from tasks import overdue, tasks
from tasks.schemas import TaskChange, TaskNew

_FILES = ("photo", "voice", "pdf")
_ENDINGS = {"photo": "png", "voice": "wav", "pdf": "pdf"}
_TOLD = ("phone", "about")


@dataclass
class _Upload:
    """A file as the console would send it."""

    filename: str | None
    content_type: str | None
    data: bytes

    async def read(self, size: int = -1) -> bytes:
        return self.data[:size] if size >= 0 else self.data


@dataclass
class _Talk:
    """How far the talk with a customer has come."""

    customer_id: UUID
    dialog_id: UUID
    kind: str
    said: Said
    last_in: UUID
    last_out: UUID | None = None
    last_out_external: str = ""
    thread: str = ""


@dataclass
class Story:
    """The playing of all steps. `start`: what is younger than this was made just now."""

    road: Road
    staff: Mapping[str, Viewer]
    teams: Mapping[str, UUID]
    now: datetime
    start: datetime
    _talks: dict[str, _Talk] = field(default_factory=dict)
    _tasks: dict[tuple[str, str], UUID] = field(default_factory=dict)

    async def play(self, step: Step) -> None:
        acts: dict[str, Callable[[Step], Any]] = {
            "in": self._wrote,
            "edit": self._edited,
            "out": self._answered,
            "note": self._noted,
            "task": self._made_task,
            "assign": self._assigned,
            "snooze": self._snoozed,
            "close": self._closed,
        }
        await acts[step.what](step)
        talk = self._talks[step.person.key]
        await self._shift(talk.customer_id, step.at)

    async def _shift(self, customer_id: UUID, at: datetime) -> None:
        await self.road.desk.database.raw.execute(_sql("shift"), customer_id, at, self.start)

    async def finish(self) -> None:
        """Deadlines that have passed, what was read, and a word to consoles that watched."""
        async with self.road.desk.database.transaction() as session:
            await overdue.turn(session)
        async with self.road.desk.database.transaction() as session:
            await session.execute(text(_sql("read")))
            for talk in self._talks.values():
                await facts.record(
                    session,
                    "dialog.changed",
                    actor=facts.SYSTEM,
                    customer_id=talk.customer_id,
                    dialog_id=talk.dialog_id,
                )

    # --- customers --------------------------------------------------------------------------------

    async def _wrote(self, step: Step) -> None:
        person, kind = step.person, step.flags.get("via", step.person.kinds[0])
        talk = self._talks.get(person.key)
        if talk is not None and kind != talk.kind:
            await self._join(person, kind, talk)
        said = Said(
            step.text,
            thing=_thing(step.flags),
            poll=step.flags.get("poll", ""),
            subject=("Re: " if talk and talk.thread else "") + step.flags.get("subject", ""),
            quote=talk.last_out_external if talk and "quote" in step.flags else "",
            thread=talk.thread if talk and kind == "email" else "",
            at=step.at,
        )
        ids = await self.road.store(kind, await self.road.raw(person, kind, said))
        await self.road.understand(ids)
        row = await self.road.desk.database.raw.fetchrow(
            "select id, customer_id, dialog_id from messages where inbound_id = $1", ids[0]
        )
        thread = said.thread or (message_id(said) if kind == "email" else talk.thread if talk else "")
        if talk is None:
            talk = _Talk(row["customer_id"], row["dialog_id"], kind, said, row["id"])
            self._talks[person.key] = talk
            await self._introduce(person, kind, talk)
        talk.dialog_id, talk.kind, talk.said, talk.last_in = row["dialog_id"], kind, said, row["id"]
        talk.thread = thread
        if "via" in step.flags and kind in ("telegram", "vk"):
            await self._learn_again(person, kind)
        if said.thing:
            await self.road.fetch(row["id"])

    async def _learn_again(self, person: Person, kind: str) -> None:
        """The contact was there before its first message, so nobody could be asked about it then."""
        async with self.road.desk.database.transaction() as session:
            await session.execute(
                update(Identity)
                .where(Identity.kind == kind, Identity.external_id == person.external_id(kind))
                .values(profiled_at=None)
            )
        await self.road.learn_names()

    async def _introduce(self, person: Person, kind: str, talk: _Talk) -> None:
        """What agents have written down about him, and what his platform knows."""
        if kind in ("telegram", "vk"):
            await self.road.learn_names()
        values = {name: person.about[name] for name in _TOLD if name in person.about}
        async with self.road.desk.database.transaction() as session:
            values |= {"email": person.email} if person.email else {}
            if values:
                await session.execute(
                    update(Customer).where(Customer.id == talk.customer_id).values(**values)
                )

    async def _join(self, person: Person, kind: str, talk: _Talk) -> None:
        """The same person on another platform, as with a personal link."""
        scope = kind if kind in ("telegram", "vk", "email") else ""
        sender = Sender(scope, person.external_id(kind), name=person.name)
        async with self.road.desk.database.transaction() as session:
            await linking.attach(
                session, talk.customer_id, sender=sender, kind=kind, channel_id=self.road.channels[kind]
            )

    async def _edited(self, step: Step) -> None:
        talk = self._talks[step.person.key]
        said = Said(step.text, at=step.at)
        raw = await self.road.raw(step.person, talk.kind, said, edit=talk.said.id)
        await self.road.understand(await self.road.store(talk.kind, raw))

    # --- agents -----------------------------------------------------------------------------------

    def _of(self, step: Step) -> tuple[Viewer, _Talk]:
        return self.staff[step.agent], self._talks[step.person.key]

    async def _answered(self, step: Step) -> None:
        viewer, talk = self._of(step)
        chat = step.person.external_id("telegram")
        if "unknown" in step.flags:
            self.road.platforms.telegram.silent.add(chat)
        if "failed" in step.flags:
            self.road.platforms.telegram.blocked.add(chat)
        talk.last_out = await self._post(step, viewer, talk, direction="out")
        await self.road.deliver(talk.last_out)
        found = await self.road.desk.database.raw.fetchval(
            "select external_id from messages where id = $1", talk.last_out
        )
        talk.last_out_external = found or ""
        if "read" in step.flags and (raw := self.road.read(step.person, talk.kind, talk.last_out_external)):
            await self.road.understand(await self.road.store(talk.kind, raw))

    async def _noted(self, step: Step) -> None:
        await self._post(step, *self._of(step), direction="note")

    async def _post(self, step: Step, viewer: Viewer, talk: _Talk, *, direction: Any) -> UUID:
        async with self.road.desk.database.transaction() as session:
            found = _thing(step.flags)
            values = {
                "client_key": f"demo-{uuid4().hex}",
                "direction": direction,
                "text": step.text,
                "attachment_ids": [await self._upload(session, viewer, found)] if found else [],
                "reply_to_id": talk.last_in if "quote" in step.flags else None,
            }
            new = MessageNew.model_validate(values)
            return await messages.post(session, viewer, talk.dialog_id, new, settings=self.road.desk.settings)

    async def _upload(self, session: AsyncSession, viewer: Viewer, found: Thing) -> UUID:
        upload = _Upload(found.name, found.mime, found.data)
        row = await file_store.keep(
            session, self.road.files, upload, uploaded_by=viewer.agent_id, limit=1 << 20
        )
        return row.id

    async def _made_task(self, step: Step) -> None:
        viewer, talk = self._of(step)
        title, _, description = step.text.partition(" // ")
        owner, team = step.flags.get("owner"), step.flags.get("team")
        due = step.flags.get("due")
        new = TaskNew(
            title=title,
            description=description,
            owner_id=self.staff[owner].agent_id if owner else None,
            team_id=self.teams[team] if team else None,
            deadline_at=ahead(due, self.now) if due else None,
            dialog_ids=[talk.dialog_id],
            message_ids=[talk.last_in],
        )
        async with self.road.desk.database.transaction() as session:
            task = await tasks.create(session, viewer, new)
        self._tasks[step.person.key, step.flags.get("name", "")] = task.id
        if status := step.flags.get("status"):
            # So that the line about its end stands after the one about its beginning.
            await self._shift(talk.customer_id, step.at)
            async with self.road.desk.database.transaction() as session:
                change = TaskChange.model_validate({"status": status})
                await tasks.change(session, self.staff[owner or step.agent], task.id, change)

    async def _assigned(self, step: Step) -> None:
        viewer, talk = self._of(step)
        changes: dict[str, UUID | None] = {}
        if to := step.flags.get("to"):
            changes["assignee_id"] = self.staff[to].agent_id
        if team := step.flags.get("team"):
            changes["team_id"] = self.teams[team]
        async with self.road.desk.database.transaction() as session:
            await lifecycle.assign(session, viewer, talk.dialog_id, changes)

    async def _snoozed(self, step: Step) -> None:
        viewer, talk = self._of(step)
        until = ahead(step.flags["for"], self.now).replace(hour=6)
        async with self.road.desk.database.transaction() as session:
            await lifecycle.snooze(session, viewer, talk.dialog_id, until)

    async def _closed(self, step: Step) -> None:
        viewer, talk = self._of(step)
        async with self.road.desk.database.transaction() as session:
            await lifecycle.close(session, viewer, talk.dialog_id)


def _thing(flags: Mapping[str, str]) -> Thing | None:
    if "sticker" in flags:
        return thing("sticker.png")
    kind = next((kind for kind in _FILES if kind in flags), None)
    return thing(f"{flags[kind]}.{_ENDINGS[kind]}") if kind else None


@cache
def _sql(name: str) -> str:
    return Path(__file__).with_name(f"{name}.sql").read_text()
