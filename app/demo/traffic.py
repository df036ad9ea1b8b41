"""Living traffic: new customers, their next words after an answer, receipts, colleagues who help out."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from app.demo import talks
from app.demo.customers import Road
from app.demo.events import Said, message_id
from app.demo.script import Person
from app.demo.staff import Staff
from app.demo.talks import Talk

_TICK = 0.4
_MOST_WAITING = 12
_ANSWERS = """
select m.id, m.external_id, m.author_id, m.customer_id, m.dialog_id, ch.kind, i.external_id as person, i.name,
       c.locale, m.chat,
       (select o.meta ->> 'subject' from messages o
        where o.channel_id = m.channel_id and o.chat = m.chat and o.direction = 'in'
        order by o.seq desc limit 1) as subject
from messages m
join channels ch on ch.id = m.channel_id
join identities i on i.id = m.identity_id
join customers c on c.id = m.customer_id
where m.channel_id = any($1) and m.direction = 'out' and m.status in ('sent', 'delivered', 'read')
  and m.sent_at > $2 and m.sent_at > now() - interval '10 minutes'
order by m.seq
"""


@dataclass
class _Live:
    """A talk that goes on now. `said`: lines that are over."""

    person: Person
    talk: Talk
    said: int = 0
    thread: str = ""
    touched: float = field(default_factory=time.monotonic)

    def next(self, who: str) -> str | None:
        """The next line, if it is of `who` (`<` the customer, `>` a colleague)."""
        if self.said < len(self.talk.lines) and self.talk.lines[self.said][0] == who:
            return self.talk.lines[self.said][1]
        return None


class Traffic:
    """`longest`: seconds between two spontaneous doings at the most. Answers since `since` are answered."""

    def __init__(
        self, road: Road, dice: random.Random, *, locale: str, longest: float, since: datetime
    ) -> None:
        self.road, self.dice, self.locale, self.longest = road, dice, locale, longest
        self.staff = Staff(road, locale)
        self.deck, self.words = talks.decks()
        self._left: list[Talk] = []
        self._live: dict[tuple[str, str], _Live] = {}
        self._plans: list[tuple[float, Callable[[], Awaitable[None]]]] = []
        self._seen: set[UUID] = set()
        self._since = since
        self._direct = False

    async def begin(self) -> None:
        """Colleagues come to work."""
        await self.staff.begin()

    async def step(self) -> None:
        """One new customer writes, and is in the thread when this returns."""
        self._direct = True
        await self._newcomer()

    async def run(self) -> None:
        """Until cancelled."""
        following = time.monotonic()
        try:
            while True:
                self.staff.show_presence()
                await self._hear_answers()
                await self._do_planned()
                if time.monotonic() >= following:
                    await self._something()
                    following = time.monotonic() + self.dice.uniform(self.longest / 4, self.longest)
                await asyncio.sleep(_TICK)
        finally:
            self.staff.leave()

    def _plan(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        pace = min(1.0, self.longest / 12)
        self._plans.append((time.monotonic() + seconds * pace, act))

    async def _do_planned(self) -> None:
        due = [plan for plan in self._plans if plan[0] <= time.monotonic()]
        self._plans = [plan for plan in self._plans if plan not in due]
        for _, act in due:
            await act()

    # --- spontaneous ----------------------------------------------------------------------------

    async def _something(self) -> None:
        chance = self.dice.random()
        waiting = sum(live.next(">") is not None for live in self._live.values())
        if waiting >= _MOST_WAITING or (chance < 0.25 and waiting > 2):
            await self._colleague_answers()
        elif chance > 0.9:
            for _ in range(3):
                await self._newcomer()
        else:
            await self._newcomer()

    async def _newcomer(self) -> None:
        if not self._left:
            own = [talk for talk in self.deck if talk.locale == self.locale]
            self._left = self.dice.sample(self.deck + own, len(self.deck + own))
        talk = self._left.pop()
        person = talks.newcomer(talk, self.dice)
        self.road.platforms.know([person])
        live = _Live(person, talk)
        self._live[talk.kind, person.external_id(talk.kind)] = live
        await self._speak(live)

    async def _speak(self, live: _Live) -> None:
        """The customer's next line, and soon the one after it when it is his as well."""
        text = live.next("<")
        if text is None:
            return
        live.said += 1
        subject = f"Re: {live.talk.subject}" if live.thread else live.talk.subject
        said = Said(text, subject=subject, thread=live.thread)
        if live.talk.kind == "email" and not live.thread:
            live.thread = message_id(said)
        await self._write(live.person, live.talk.kind, said)
        live.touched = time.monotonic()
        if live.said == len(live.talk.lines):
            external_id = live.person.external_id(live.talk.kind)
            self._plan(self.dice.uniform(15, 40), lambda: self.staff.close(live.talk.kind, external_id))
        if live.next("<") is not None and not self._direct:
            self._plan(self.dice.uniform(3, 6), lambda: self._type(live.person, live.talk.kind))
            self._plan(self.dice.uniform(6, 9), lambda: self._speak(live))

    async def _write(self, person: Person, kind: str, said: Said) -> None:
        if self._direct:
            ids = await self.road.store(kind, await self.road.raw(person, kind, said))
            await self.road.understand(ids)
        else:
            await self.road.send(person, kind, said)

    async def _type(self, person: Person, kind: str) -> None:
        if kind == "webchat":
            await self.staff.show_typing(str(self.road.channels[kind]), person.external_id(kind))

    # --- after answers ----------------------------------------------------------------------------

    async def _hear_answers(self) -> None:
        rows = await self.road.desk.database.raw.fetch(
            _ANSWERS, list(self.road.channels.values()), self._since
        )
        for row in rows:
            if row["id"] not in self._seen:
                self._seen.add(row["id"])
                self._react(row)

    def _react(self, row: Any) -> None:
        kind, external_id = row["kind"], row["person"]
        if kind == "webchat" and not external_id.startswith("demo-"):
            return  # a real visitor of the site chat speaks for himself
        person = self.road.platforms.persons.get((kind, external_id)) or talks.stranger(
            kind, external_id, row["name"], "en" if row["locale"].startswith("en") else self.locale
        )
        read_after = self.dice.uniform(1.5, 4)
        if row["external_id"]:
            self._plan(read_after, lambda: self.road.show_read(person, kind, row["external_id"]))
        live = self._live.get((kind, external_id))
        if live is not None and live.next(">") is not None:
            live.said += 1
        self._plan(read_after + 1, lambda: self._type(person, kind))
        said = _in_thread(row) if kind == "email" else {}
        self._plan(read_after + self.dice.uniform(3, 7), lambda: self._reply(person, kind, live, said))

    async def _reply(self, person: Person, kind: str, live: _Live | None, thread: dict[str, Any]) -> None:
        """His next line; who has none left thanks once and is content."""
        if live is not None and live.next("<") is not None:
            await self._speak(live)
            return
        own = self.words.get(person.key)
        if own:
            await self._write(person, kind, Said(own.pop(0), **thread))
        elif ("*", person.key) not in self._live and (live is None or self.dice.random() < 0.3):
            spare = Talk(kind, "a", person.locale)
            self._live["*", person.key] = _Live(person, spare)
            await self._write(person, kind, Said(self.dice.choice(self.words[person.locale]), **thread))
        elif live is not None:
            await self.staff.close(kind, person.external_id(kind))

    async def _colleague_answers(self) -> None:
        """A colleague answers who has waited longest, unless somebody else has taken it."""
        waiting = [live for live in self._live.values() if live.next(">") is not None]
        for live in sorted(waiting, key=lambda live: live.touched):
            live.touched = time.monotonic()
            text = live.next(">")
            kind = live.talk.kind
            if text and await self.staff.answer(kind, live.person.external_id(kind), text, dice=self.dice):
                return


def _in_thread(row: Any) -> dict[str, Any]:
    """What makes a mail an answer to ours."""
    subject = str(row["subject"] or "").removeprefix("Re: ")
    return {"thread": f"<{row['chat'].strip('<>')}>", "subject": f"Re: {subject}" if subject else ""}
