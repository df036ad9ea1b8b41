"""The lane that may drop: who is typing, who looks at what, who is there. Never stored.

Each process knows its own consoles and whispers about them to the others, which forget what they
have not heard for a while.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import orjson

from app.core.db import Database
from app.web.hub import Hub, Message

_REPEAT_SECONDS = 20.0
_FORGET_SECONDS = 50.0


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
        self._shown: dict[str, frozenset[str]] = {}

    # --- what consoles of this process say --------------------------------------------------

    def arrive(self, connection_id: str, agent_id: UUID) -> None:
        self._own[connection_id] = Here(str(agent_id))
        self._changed(connection_id)

    def leave(self, connection_id: str) -> None:
        here = self._own.pop(connection_id, None)
        if here is not None:
            self._whisper({"here": None, "id": connection_id})
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
            if said["from"] == self._process:
                return
            self._take(said)
        except (ValueError, KeyError, TypeError):
            return

    def _take(self, said: dict[str, Any]) -> None:
        if "say" in said:
            self._show(frozenset(said["keys"]), said["say"])
            self._to_visitor(said.get("chat", ""), said["say"])
            return
        key = f"{said['from']}:{said['id']}"
        before = self._others.pop(key, None)
        if said["here"] is not None:
            agent_id, state, viewing = said["here"]
            self._others[key] = Here(agent_id, state, viewing)
        self._show_presence()
        self._show_viewing(before.viewing if before else None)
        if said["here"] is not None:
            self._show_viewing(said["here"][2])

    def _whisper(self, said: dict[str, Any]) -> None:
        self._database.bell.whisper(orjson.dumps({"from": self._process, **said}).decode())

    def _changed(self, connection_id: str) -> None:
        here = self._own[connection_id]
        self._whisper({"here": [here.agent_id, here.state, here.viewing], "id": connection_id})
        self._show_presence()
        self._show_viewing(here.viewing)

    async def run(self) -> None:
        """Repeat what this process knows; forget what others have not repeated."""
        while True:
            await asyncio.sleep(_REPEAT_SECONDS)
            for connection_id, here in list(self._own.items()):
                self._whisper({"here": [here.agent_id, here.state, here.viewing], "id": connection_id})
            limit = time.monotonic() - _FORGET_SECONDS
            for key in [key for key, here in self._others.items() if here.heard < limit]:
                gone = self._others.pop(key)
                self._show_viewing(gone.viewing)
            self._show_presence()

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
        states = self.presence()
        mark = frozenset(f"{agent}:{state}" for agent, state in states.items())
        if self._shown.get("presence") != mark:
            self._shown["presence"] = mark
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
