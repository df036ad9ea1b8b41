"""What VK does beside sending: edits, deletions, reactions, read marks, pressed buttons, refusals."""

import json
from typing import Any

from tests.fakes.vk_events import Events, Refused

DAY = 24 * 3600


class Acts(Events):
    """The community's acts on messages."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.reactions: dict[tuple[int, int], int] = {}
        """(peer, message) → our reaction."""
        self.read_up_to: dict[int, int] = {}
        self.answered: list[tuple[str, int, int]] = []
        """(event_id, user_id, peer_id) of each answered press."""
        self.age = 0
        """Seconds by which everything is older than it says."""

    def _find(self, peer: int, number: int) -> dict[str, Any] | None:
        messages = self.messages.get(peer, [])
        return next((one for one in messages if one["conversation_message_id"] == number), None)

    def _ours(self, peer: int, number: int, *, late: Refused, kind: Refused) -> dict[str, Any]:
        message = self._find(peer, number)
        if message is None or message.get("deleted"):
            raise Refused(100, "One of the parameters specified was missing or invalid: message not found")
        if not message["out"]:
            raise kind
        if self.age + self._clock - message["date"] > DAY:
            raise late
        return message

    def _keyboard(self, values: dict[str, Any]) -> dict[str, Any] | None:
        if not values.get("keyboard"):
            return None
        keyboard: dict[str, Any] = json.loads(values["keyboard"])
        rows = keyboard["buttons"]
        wrong = keyboard.get("one_time") if keyboard.get("inline") else False
        if wrong or len(rows) > 6 or sum(map(len, rows)) > 10 or any(len(row) > 5 for row in rows):
            raise Refused(911, "Keyboard format is invalid: too many buttons")
        for button in (button for row in rows for button in row):
            action = button["action"]
            if len(action["label"]) > 40 or len(action.get("payload", "")) > 255:
                raise Refused(911, "Keyboard format is invalid: label or payload is too long")
            if action["type"] not in ("callback", "open_link", "text"):
                raise Refused(911, "Keyboard format is invalid: unknown button")
            if action["type"] == "callback":
                json.loads(action["payload"])
        return keyboard

    def _on_messages_edit(self, values: dict[str, Any]) -> int:
        peer, text = int(values["peer_id"]), str(values.get("message", ""))
        message = self._ours(
            peer, int(values["cmid"]), late=Refused(909, "Can't edit this message, because it's too old"),
            kind=Refused(920, "Can't edit this kind of message"),
        )  # fmt: skip
        attached = str(values.get("attachment", ""))
        if not text.strip() and not attached:
            raise Refused(100, "One of the parameters specified was missing or invalid: message is empty")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            raise Refused(914, "Message is too long")
        # What an edit does not name is gone.
        message["attachments"] = [self._attachment(name) for name in attached.split(",") if name]
        message |= {"text": text, "update_time": self._tick(), "keyboard": self._keyboard(values)}
        message["payload"] = values.get("payload")
        self.emit("message_edit", dict(message))
        return 1

    def _attachment(self, name: str) -> dict[str, Any]:
        raise NotImplementedError

    def _on_messages_delete(self, values: dict[str, Any]) -> list[dict[str, Any]]:
        peer, answers = int(values["peer_id"]), []
        for number in map(int, str(values["cmids"]).split(",")):
            answer: dict[str, Any] = {"peer_id": peer, "conversation_message_id": number}
            try:
                late = Refused(924, "Can't delete this message for everybody")
                self._ours(peer, number, late=late, kind=late)["deleted"] = 1
                answer["response"] = 1
            except Refused as refused:
                answer["error"] = {"code": refused.code, "description": refused.text}
            answers.append(answer)
        return answers

    def _on_messages_getbyconversationmessageid(self, values: dict[str, Any]) -> dict[str, Any]:
        peer = int(values["peer_id"])
        numbers = [int(part) for part in str(values["conversation_message_ids"]).split(",")]
        found = [one for number in numbers if (one := self._find(peer, number)) and not one.get("deleted")]
        return {"count": len(found), "items": found}

    def _on_messages_sendreaction(self, values: dict[str, Any]) -> int:
        peer, number = int(values["peer_id"]), int(values["cmid"])
        if self._find(peer, number) is None or not 1 <= int(values["reaction_id"]) <= 16:
            raise Refused(100, "One of the parameters specified was missing or invalid: reaction_id")
        self.reactions[peer, number] = int(values["reaction_id"])
        return 1

    def _on_messages_deletereaction(self, values: dict[str, Any]) -> int:
        self.reactions.pop((int(values["peer_id"]), int(values["cmid"])), None)
        return 1

    def _on_messages_markasread(self, values: dict[str, Any]) -> int:
        peer = int(values["peer_id"])
        everything = len(self.messages.get(peer, []))
        whole = values.get("mark_conversation_as_read") == "1"
        self.read_up_to[peer] = everything if whole else int(values["up_to_cmid"])
        self.emit("message_read", {
            "from_id": -self.group_id, "peer_id": peer, "read_message_id": 0,
            "conversation_message_id": self.read_up_to[peer],
        })  # fmt: skip
        return 1

    def _on_messages_sendmessageeventanswer(self, values: dict[str, Any]) -> int:
        press = (values["event_id"], int(values["user_id"]), int(values["peer_id"]))
        pressed = [
            (event["object"]["event_id"], event["object"]["user_id"], event["object"]["peer_id"])
            for event in self.events
            if event["type"] == "message_event"
        ]
        if press not in pressed or press in self.answered:
            raise Refused(100, "One of the parameters specified was missing or invalid: event_id")
        self.answered.append(press)
        return 1

    # --- what people do ---------------------------------------------------------------------

    def customer_presses(self, label: str, *, user_id: int = 601) -> dict[str, Any]:
        """Press the newest button of ours with this label."""
        shown = [
            (message["conversation_message_id"], button["action"])
            for message in self.messages[user_id]
            for row in (message.get("keyboard") or {}).get("buttons", [])
            for button in row
        ]
        number, action = [(number, action) for number, action in shown if action["label"] == label][-1]
        press = {"user_id": user_id, "peer_id": user_id, "event_id": f"press{len(self.events)}"}
        press |= {"payload": json.loads(action["payload"]), "conversation_message_id": number}
        return self.emit("message_event", press)

    def customer_reacts(self, number: int, reaction: int | None, *, user_id: int = 601) -> None:
        """React to a message with a number of VK's; None takes it back."""
        body = {"reacted_id": user_id, "peer_id": user_id, "cmid": number}
        self.emit("message_reaction_event", body | ({"reaction_id": reaction} if reaction else {}))

    def admin_edits(self, message: dict[str, Any], text: str) -> None:
        """Somebody of the community changes an answer in VK's own interface."""
        message |= {"text": text, "update_time": self._tick()}
        self.emit("message_edit", dict(message))
