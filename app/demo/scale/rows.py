"""Rows of the tables from a plan: each table's columns, and the tuples that go into them."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from app.demo.scale.plan import Dialog, Person, Plan
from app.demo.scale.words import Talk

Row = tuple[Any, ...]

COLUMNS = {
    "customers": "id name phone email locale created_at",
    "identities": "id customer_id scope external_id kind name username profiled_at created_at",
    "dialogs": "id customer_id channel_id status assignee_id team_id snoozed_until waiting_since "
    "first_response_at first_response_by last_message_id last_message_at last_direction last_author_id "
    "preview inbound_count created_at closed_at closed_by task_count next_deadline_at",
    "messages": "id customer_id dialog_id channel_id identity_id direction text author_id chat external_id "
    "created_at occurred_at status client_key send_after attempts sent_at delivered_at",
    "dialog_reads": "agent_id dialog_id inbound_count",
    "attachments": "id message_id kind name mime size width height state error created_at",
    "tasks": "id title status owner_id team_id deadline_at created_by created_at finished_at",
    "task_dialogs": "task_id dialog_id",
    "task_messages": "task_id message_id",
    "dialog_guests": "dialog_id agent_id cause_id",
    "dialog_guest_teams": "dialog_id team_id cause_id",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GONE = "The demo keeps no files."


def time(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def people(found: Iterable[Person]) -> Iterator[Row]:
    for person in found:
        phone = f"+7 9{person.number % 100:02} {person.number:07}" if person.number % 3 == 0 else ""
        email = f"c{person.number}@mail.example" if person.number % 2 == 0 else ""
        yield person.id, person.name, phone, email, person.language, time(person.since)


def contacts(found: Iterable[Person]) -> Iterator[Row]:
    for person in found:
        at, kind = time(person.since), person.place.kind
        username = f"user{person.number}" if kind in ("telegram", "vk") else ""
        yield (
            person.identity_id,
            person.id,
            person.place.scope,
            person.external_id,
            kind,
            person.name,
            username,
            at,
            at,
        )


class Writer:
    """Makes the rows of a month; what hangs on them is collected beside them, for afterwards."""

    def __init__(self, plan: Plan, dice: random.Random) -> None:
        self._plan, self._dice = plan, dice
        self._talks = {language: Talk(dice, language) for language in ("ru", "en")}
        self._numbers = count(1)
        self.reads: list[Row] = []
        self.files: list[Row] = []
        self.tasks: list[Row] = []
        self.links: dict[str, list[Row]] = {
            name: [] for name in ("task_dialogs", "task_messages", "dialog_guests", "dialog_guest_teams")
        }

    # --- dialogs ----------------------------------------------------------------------------------

    def dialogs(self, found: Iterable[Dialog]) -> Iterator[Row]:
        for dialog in found:
            yield self._dialog(dialog)

    def _dialog(self, dialog: Dialog) -> Row:
        inbound, answered, waits = 0, None, None
        for at, direction in dialog.moments:
            if direction == "in":
                inbound += 1
                waits = waits or at
            elif direction == "out":
                answered, waits = answered or at, None
        last_at, last = dialog.moments[-1]
        closed = time(last_at + 20) if dialog.status == "closed" else None
        dialog.last_text = self._talks[dialog.person.language].say()
        self._read(dialog, inbound)
        due = self._work(dialog, last_at)
        return (
            dialog.id,
            dialog.person.id,
            dialog.person.place.id,
            dialog.status,
            dialog.agent,
            dialog.team,
            time(self._plan.now + 86_400) if dialog.status == "snoozed" else None,
            None if waits is None or closed else time(waits),
            None if answered is None else time(answered),
            None if answered is None else dialog.author,
            dialog.last_id,
            time(last_at),
            last,
            None if last == "in" else dialog.author,
            dialog.last_text[:200],
            inbound,
            time(dialog.begins),
            closed,
            dialog.agent if closed else None,
            0 if due is None else 1,
            due,
        )

    def _read(self, dialog: Dialog, inbound: int) -> None:
        if dialog.agent is not None:
            unread = 0 if dialog.status == "closed" else int(self._dice.random() ** 3 * inbound)
            self.reads.append((dialog.agent, dialog.id, inbound - unread))

    def _work(self, dialog: Dialog, at: float) -> datetime | None:
        """One dialog of thirty has a task, which outlives few of those that are closed."""
        if self._dice.random() > 1 / 30:
            return None
        team = self._dice.choice(list(self._plan.desk.members))
        owner = self._dice.choice(self._plan.desk.members[team] or self._plan.desk.agents)
        for_team = team if self._dice.random() < 0.3 else None
        open = dialog.status != "closed" or self._dice.random() < 0.02
        due, id = time(at + 86_400 * self._dice.randint(1, 20)), self._plan.ids.at(at)
        status, finished = ("in_progress", None) if open else ("done", time(at + 3600))
        title = self._talks[dialog.person.language].say()[:80]
        self.tasks.append((id, title, status, owner, for_team, due, dialog.author, time(at), finished))
        self.links["task_dialogs"].append((id, dialog.id))
        self.links["task_messages"].append((id, dialog.last_id))
        if not open:
            return None
        self.links["dialog_guests"].append((dialog.id, owner, id))
        if for_team is not None:
            self.links["dialog_guest_teams"].append((dialog.id, for_team, id))
        return due

    # --- messages ---------------------------------------------------------------------------------

    def messages(self, found: Iterable[tuple[float, int, Dialog]]) -> Iterator[Row]:
        ids, random = self._plan.ids, self._dice.random
        for seconds, position, dialog in found:
            person, direction = dialog.person, dialog.moments[position][1]
            is_last = position == dialog.length - 1
            id = dialog.last_id if is_last else ids.at(seconds)
            text = dialog.last_text if is_last else self._talks[person.language].say()
            number, at = next(self._numbers), time(seconds)
            head = (id, person.id, dialog.id)
            if direction == "note":
                key = f"scale-{number}"
                yield (
                    *head,
                    None,
                    None,
                    "note",
                    text,
                    dialog.author,
                    None,
                    None,
                    at,
                    None,
                    None,
                    key,
                    None,
                    0,
                    None,
                    None,
                )
                continue
            where = (person.place.id, person.identity_id, direction, text)
            chat, external = person.external_id, str(number)
            if direction == "in":
                if random() < 0.04:
                    self._attach(id, at)
                yield *head, *where, None, chat, external, at, at, None, None, None, 0, None, None
            else:
                tail = ("delivered", f"scale-{number}", at, 1, at, at)
                yield *head, *where, dialog.author, chat, external, at, None, *tail

    def _attach(self, message_id: UUID | None, at: datetime) -> None:
        id = self._plan.ids.at(at.timestamp())
        size = int(self._dice.random() * 400_000)
        self.files.append(
            (id, message_id, "image", "photo.jpg", "image/jpeg", size, 1280, 960, "unavailable", _GONE, at)
        )
