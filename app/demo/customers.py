"""How customers' doings get to the program: stored for the past, or pulled from the platforms, live."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.errors import Unavailable
from app.core.files import Files
from app.demo import events
from app.demo.events import Said
from app.demo.places import Desk
from app.demo.platforms import Platforms
from app.demo.script import Person
from app.web import widget_files, widget_inbound
from channels import inbound
from channels.api.parse import to_raw
from channels.base import RawEvent
from channels.email import parse as mails
from channels.gateway import Gateway
from channels.telegram.pull import raw_event as telegram_event
from channels.vk.pull import raw_event as vk_event
from channels.webchat.parse import MessageEvent, ReceiptEvent, Upload, dump
from dialogs import inbox, media, outbox, profiles

PATIENCE = 20.0
"""Seconds to wait for what another process may be doing."""


@dataclass(frozen=True)
class Road:
    """Everything between a customer and the thread."""

    desk: Desk
    platforms: Platforms
    channels: Mapping[str, UUID]
    files: Files
    gateway: Gateway

    # --- live: as platforms would bring it ------------------------------------------------------

    async def send(self, person: Person, kind: str, said: Said) -> None:
        """The customer writes now."""
        match kind:
            case "telegram":
                self.platforms.telegram.push(events.telegram(person, said))
            case "vk":
                self.platforms.vk.push(events.vk(person, said, files=self.platforms.vk.files))
            case "email":
                self.platforms.mail.push(events.mail(person, said))
            case _:
                await self.store(kind, await self.raw(person, kind, said))

    async def show_read(self, person: Person, kind: str, external_id: str) -> None:
        """The customer's platform tells that he has read our message; only some do."""
        if kind == "vk":
            self.platforms.vk.push(events.vk_read(person, int(external_id)))
        elif kind == "webchat":
            await self.store(kind, self._read(person, external_id))

    # --- the past: stored by ourselves, so that every step is done before the next begins -------

    async def raw(self, person: Person, kind: str, said: Said, *, edit: int = 0) -> RawEvent:
        """The raw event of a message, or of its change."""
        match kind:
            case "telegram":
                update = events.telegram(person, said, edit=edit)
                return telegram_event(update, json.dumps(update).encode())
            case "vk":
                return vk_event(events.vk(person, said, files=self.platforms.vk.files, edit=edit))
            case "email":
                mail = events.mail(person, said)
                return RawEvent(mails.content_key(mail), mail, mails.lane(mail))
            case "api":
                return to_raw(events.api(person, said))
            case _:
                return await self._visitor_wrote(person, said)

    def read(self, person: Person, kind: str, external_id: str) -> RawEvent | None:
        """The raw event of a receipt, where the platform has any."""
        if kind == "vk":
            return vk_event(events.vk_read(person, int(external_id)))
        return self._read(person, external_id) if kind == "webchat" else None

    def _read(self, person: Person, external_id: str) -> RawEvent:
        visitor = person.external_id("webchat")
        event = ReceiptEvent(visitor=visitor, status="read", up_to=external_id)
        return RawEvent(f"read:{visitor}:{external_id}", dump(event), visitor)

    async def _visitor_wrote(self, person: Person, said: Said) -> RawEvent:
        visitor, key = person.external_id("webchat"), f"demo-{said.id}"
        event = MessageEvent(
            visitor=visitor,
            name=person.name,
            email=person.about.get("mail", ""),
            locale=person.locale,
            client_key=key,
            text=said.text,
            files=await self._upload(visitor, said),
            at=said.at,
            page="https://cricket-house.example/",
        )
        return RawEvent(widget_inbound.message_key(visitor, key), dump(event), visitor)

    async def _upload(self, visitor: str, said: Said) -> list[Upload]:
        if said.thing is None:
            return []
        name, data = said.thing.name, said.thing.data
        async with self.desk.database.transaction() as session:
            row = await widget_files.keep(
                session,
                self.files,
                channel_id=self.channels["webchat"],
                visitor_id=visitor,
                name=name,
                data=data,
            )
        return [Upload(upload=row.id, kind=said.thing.kind, name=name, mime=row.mime, size=len(data))]

    async def store(self, kind: str, raw: RawEvent) -> list[int]:
        """Store a raw event; returns its id, nothing when it was known."""
        async with self.desk.database.transaction() as session:
            return await inbound.store(session, self.channels[kind], [raw])

    async def understand(self, ids: Sequence[int]) -> None:
        """Until these raw events are understood, here or by the worker."""
        database, settings = self.desk.database, self.desk.settings
        await self._until(
            "select not exists (select from inbound where id = any($1) and state = 'new')",
            list(ids),
            lambda: inbox.turn(database, self.gateway, settings),
        )

    async def fetch(self, message_id: UUID) -> None:
        """Until the files of a message are here."""
        database, settings = self.desk.database, self.desk.settings
        await self._until(
            "select not exists (select from attachments where message_id = $1 and state = 'pending')",
            message_id,
            lambda: media.turn(database, self.gateway, self.files, settings),
        )

    async def deliver(self, message_id: UUID) -> None:
        """Until an answer has left or has failed."""
        database = self.desk.database
        await self._until(
            "select status not in ('queued', 'sending') from messages where id = $1",
            message_id,
            lambda: outbox.turn(database, self.gateway, self.files),
        )

    async def learn_names(self) -> None:
        """Ask the platforms for names and faces."""
        database, settings = self.desk.database, self.desk.settings
        while await profiles.turn(database, self.gateway, self.files, settings):
            pass

    async def _until(self, question: str, value, work) -> None:  # type: ignore[no-untyped-def]
        """Do a turn of the work that the answer waits for, unless the worker is doing it."""
        until = time.monotonic() + PATIENCE
        while not await self.desk.database.raw.fetchval(question, value):
            if time.monotonic() > until:
                raise Unavailable("The demo waits in vain for its own messages: see the log of the server.")
            if not await work():
                await asyncio.sleep(0.02)
