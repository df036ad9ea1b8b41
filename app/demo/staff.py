"""Colleagues at work while the demo runs: present, answering some, closing what is done."""

import random
import time
from typing import Any
from uuid import UUID, uuid4

import orjson

from app.agents.viewer import Viewer
from app.core.errors import AppError
from app.demo import people
from app.demo.customers import Road
from dialogs import access, lifecycle, messages
from dialogs.schemas import MessageNew

_AT_WORK = ("tim", "james")  # not those whom newcomers are told to sign in as
_PRESENT = ("tim", "james", "pavel", "bot")
_REPEAT_SECONDS = 20.0
_DIALOG = """
select d.id, d.assignee_id, d.status
from identities i join dialogs d on d.customer_id = i.customer_id
where i.kind = $1 and i.external_id = $2
order by (d.status <> 'closed') desc, d.number desc limit 1
"""


class Staff:
    """The demo's agents that need nobody at the keyboard."""

    def __init__(self, road: Road, locale: str) -> None:
        self.road, self.locale = road, locale
        self._viewers: dict[str, Viewer] = {}
        self._shown = -_REPEAT_SECONDS
        self._name = f"demo-{uuid4().hex}"

    async def begin(self) -> None:
        async with self.road.desk.database.transaction() as session:
            self._viewers = await people.viewers(session)

    def show_presence(self) -> None:
        """Tell consoles that colleagues are there; to be repeated."""
        if time.monotonic() - self._shown >= _REPEAT_SECONDS:
            self._shown = time.monotonic()
            self._presence("active")

    def leave(self) -> None:
        self._presence(None)

    def _presence(self, state: str | None) -> None:
        for key in _PRESENT:
            if key in self._viewers:
                here = [[key, str(self._viewers[key].agent_id), state, None]]
                self._whisper({"here": here} if state else {"gone": key})

    async def show_typing(self, _channel: str, visitor: str) -> None:
        """A visitor of the site chat is typing."""
        row = await self._dialog("webchat", visitor)
        if row is None or row["status"] == "closed":
            return
        async with self.road.desk.database.transaction() as session:
            keys = (await access.audiences(session, [row["id"]]))[row["id"]]
        say = {"lane": "typing", "dialog_id": str(row["id"]), "customer": True, "note": False}
        self._whisper({"keys": sorted(keys), "say": say, "chat": ""})

    def _whisper(self, said: dict[str, Any]) -> None:
        self.road.desk.database.bell.whisper(orjson.dumps({"from": self._name, **said}).decode())

    async def _dialog(self, kind: str, external_id: str) -> Any:
        return await self.road.desk.database.raw.fetchrow(_DIALOG, kind, external_id)

    def _free(self, assignee_id: UUID | None, dice: random.Random | None = None) -> Viewer | None:
        """The colleague whose dialog it is or may become; None when it is somebody else's."""
        own = [self._viewers[key] for key in _AT_WORK if key in self._viewers]
        if assignee_id is None:
            return dice.choice(own) if dice and own else None
        return next((viewer for viewer in own if viewer.agent_id == assignee_id), None)

    async def answer(self, kind: str, external_id: str, text: str, *, dice: random.Random) -> bool:
        """Take the dialog and answer; False when it is not theirs to take."""
        row = await self._dialog(kind, external_id)
        viewer = self._free(row["assignee_id"], dice) if row else None
        if viewer is None:
            return False
        new = MessageNew.model_validate({"client_key": f"demo-{uuid4().hex}", "text": text})
        try:
            async with self.road.desk.database.transaction() as session:
                await lifecycle.assign(session, viewer, row["id"], {"assignee_id": viewer.agent_id})
                await messages.post(session, viewer, row["id"], new, settings=self.road.desk.settings)
        except AppError:
            return False  # somebody was quicker, or the person cannot be reached any more
        return True

    async def close(self, kind: str, external_id: str) -> None:
        """The talk is over: a colleague closes his own dialog."""
        row = await self._dialog(kind, external_id)
        viewer = self._free(row["assignee_id"]) if row else None
        if viewer is not None and row["status"] == "open":
            async with self.road.desk.database.transaction() as session:
                await lifecycle.close(session, viewer, row["id"])
