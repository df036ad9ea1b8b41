"""The lane that may drop: who is typing, who looks at what, who is there. Never stored.

Each process knows its own consoles and whispers about them to the others, which forget what they
have not heard for a while. Who begins to listen asks the others what they know.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import orjson

from app.core.db import Database
from app.web.hub import Hub, Message

_REPEAT_SECONDS = 20.0
_FORGET_SECONDS = 50.0
_SHOW_SECONDS = 0.05
"""Between two looks at who is there: thousands may come back at once."""
_TOGETHER = 40
"""Consoles in one whisper, which has to stay under 7,000 bytes."""


@dataclass(slots=True)
class Here:
    """What one console says of its agent."""

    agent_id: str
    state: str = "active"
    viewing: str | None = None
    heard: float = field(default_factory=time.monotonic)


class Lane:
    """Typing, viewing and presence over all processes."""

    def __init__(self, database: Database, hub: Hub) -> None:
        self._database = database
        self._hub = hub
        self._process = uuid4().hex
        self._own: dict[str, Here] = {}
        self._others: dict[str, Here] = {}
        self._listeners: dict[str, set[Callable[[dict[str, Any]], None]]] = {}
        self._shown: dict[str, str] = {}
        self._showing: asyncio.TimerHandle | None = None

    # --- what consoles of this process say --------------------------------------------------

    def arrive(self, connection_id: str, agent_id: UUID) -> None:
        self._own[connection_id] = Here(str(agent_id))
        self._changed(connection_id)

    def leave(self, connection_id: str) -> None:
        here = self._own.pop(connection_id, None)
        if here is not None:
            self._whisper({"gone": connection_id})
            self._show_presence()
            self._show_viewing(here.viewing)

    def say(self, connection_id: str, *, state: str | None = None, viewing: str | None = "") -> None:
        """A console's state (`active`, `away`) or the dialog it looks at (`None`: none) changed."""
        here = self._own.get(connection_id)
        if here is None:
            return
        before = here.viewing
        if state is not None:
            here.state = state
        if viewing != "":
            here.viewing = viewing
        self._changed(connection_id)
        if before != here.viewing:
            self._show_viewing(before)

    def typing(self, dialog_id: UUID, *, keys: frozenset[str], body: dict[str, Any], chat: str = "") -> None:
        """Somebody types in a dialog: tell who sees it, and the site-chat visitor `chat`, if any."""
        said = {"lane": "typing", "dialog_id": str(dialog_id), **body}
        self._show(keys, said)
        self._whisper({"keys": sorted(keys), "say": said, "chat": chat})
        self._to_visitor(chat, said)

    # --- site chats -------------------------------------------------------------------------

    def listen(self, chat: str, listener: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """Tell `listener` of typing agents for a visitor; returns what ends that."""
        self._listeners.setdefault(chat, set()).add(listener)

        def end() -> None:
            self._listeners.get(chat, set()).discard(listener)
            if not self._listeners.get(chat):
                self._listeners.pop(chat, None)

        return end

    def _to_visitor(self, chat: str, said: dict[str, Any]) -> None:
        for listener in list(self._listeners.get(chat, ())):
            listener(said)

    # --- from and to other processes --------------------------------------------------------

    def receive(self, text: str) -> None:
        """A whisper of some process; broken ones are dropped."""
        try:
            said = orjson.loads(text)
            if said["from"] != self._process:
                self._take(said)
        except (ValueError, KeyError, TypeError):
            return

    def _take(self, said: dict[str, Any]) -> None:
        if "say" in said:
            self._show(frozenset(said["keys"]), said["say"])
            self._to_visitor(said.get("chat", ""), said["say"])
        elif "ask" in said:
            self._repeat()
        elif "gone" in said:
            self._forget(f"{said['from']}:{said['gone']}")
        else:
            for id, agent_id, state, viewing in said["here"]:
                self._learn(f"{said['from']}:{id}", Here(str(agent_id), str(state), viewing))

    def _learn(self, key: str, here: Here) -> None:
        before = self._others.get(key)
        self._others[key] = here
        if before is None or (before.viewing, before.state) != (here.viewing, here.state):
            self._show_presence()
            self._show_viewing(before.viewing if before else None)
            self._show_viewing(here.viewing)

    def _forget(self, key: str) -> None:
        gone = self._others.pop(key, None)
        if gone is not None:
            self._show_presence()
            self._show_viewing(gone.viewing)

    def ask(self) -> None:
        """Let the other processes say who is there."""
        self._whisper({"ask": True})
        self._repeat()

    def _repeat(self) -> None:
        self._tell(self._own)

    def _tell(self, connection_ids: Iterable[str]) -> None:
        known = [(id, self._own[id]) for id in connection_ids]
        here = [[id, here.agent_id, here.state, here.viewing] for id, here in known]
        for start in range(0, len(here), _TOGETHER):
            self._whisper({"here": here[start : start + _TOGETHER]})

    def _whisper(self, said: dict[str, Any]) -> None:
        self._database.bell.whisper(orjson.dumps({"from": self._process, **said}).decode())

    def _changed(self, connection_id: str) -> None:
        self._tell([connection_id])
        self._show_presence()
        self._show_viewing(self._own[connection_id].viewing)

    async def run(self) -> None:
        """Repeat what this process knows; forget what others have not repeated."""
        while True:
            await asyncio.sleep(_REPEAT_SECONDS)
            self._repeat()
            limit = time.monotonic() - _FORGET_SECONDS
            for key in [key for key, here in self._others.items() if here.heard < limit]:
                self._forget(key)

    # --- to the consoles of this process ----------------------------------------------------

    def _all(self) -> list[Here]:
        return [*self._own.values(), *self._others.values()]

    def presence(self) -> dict[str, str]:
        """State of each agent who is connected somewhere."""
        states: dict[str, str] = {}
        for here in self._all():
            if states.get(here.agent_id) != "active":
                states[here.agent_id] = here.state
        return states

    def viewing(self, dialog_id: str) -> list[str]:
        return sorted({here.agent_id for here in self._all() if here.viewing == dialog_id})

    def _show_presence(self) -> None:
        """Soon, and once for all who came and went until then."""
        if self._showing is None:
            self._showing = asyncio.get_running_loop().call_later(_SHOW_SECONDS, self._show_presence_now)

    def _show_presence_now(self) -> None:
        self._showing = None
        states = self.presence()
        if self._shown != states:
            self._shown = states
            self._show(frozenset({"staff"}), {"lane": "presence", "agents": states})

    def _show_viewing(self, dialog_id: str | None) -> None:
        """Only those who look at the same dialog learn who else does."""
        if dialog_id is None:
            return
        agents = self.viewing(dialog_id)
        body = {"lane": "viewing", "dialog_id": dialog_id, "agent_ids": agents}
        self._show(frozenset(f"self:{agent}" for agent in agents), body)

    def _show(self, keys: frozenset[str], body: dict[str, Any]) -> None:
        message = Message(orjson.dumps(body))
        for connection in self._hub.holders(keys):
            connection.push(message)
