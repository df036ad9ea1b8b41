"""What a bot may do to messages that are there: change, delete, react, answer pressed buttons."""

import json
import time
from typing import Any

from channels.telegram.limits import EMOJIS
from tests.fakes.telegram_api import BotApi
from tests.fakes.telegram_content import Refused, caption_of, keyboard_of, length
from tests.fakes.telegram_hooks import SentMessage

TWO_DAYS = 48 * 3600


class Acts(BotApi):
    """Methods on messages of a chat."""

    def find(self, chat: int, message_id: Any) -> SentMessage | None:
        """A message of the bot that is still there."""
        return next(
            (
                one
                for one in self.sent
                if one.chat_id == chat and str(one.message_id) == str(message_id) and not one.deleted
            ),
            None,
        )

    def _editable(self, values: dict[str, Any]) -> SentMessage:
        chat = self._target(values)
        message = self.find(chat, values.get("message_id"))
        if message is not None:
            return message
        if (chat, int(values.get("message_id") or 0)) in self.written:
            raise Refused(400, "Bad Request: message can't be edited")
        raise Refused(400, "Bad Request: message to edit not found")

    def _on_editmessagetext(self, values: dict[str, Any], _: Any) -> dict[str, Any]:
        message, text = self._editable(values), str(values.get("text", ""))
        if message.file is not None:
            raise Refused(400, "Bad Request: there is no text in the message to edit")
        if not text.strip():
            raise Refused(400, "Bad Request: message text is empty")
        if length(text) > 4096:
            raise Refused(400, "Bad Request: MESSAGE_TOO_LONG")
        return self._changed_to(message, text, values)

    def _on_editmessagecaption(self, values: dict[str, Any], _: Any) -> dict[str, Any]:
        message = self._editable(values)
        if message.file is None:
            raise Refused(400, "Bad Request: there is no caption in the message to edit")
        return self._changed_to(message, caption_of(values), values)

    def _changed_to(self, message: SentMessage, text: str, values: dict[str, Any]) -> dict[str, Any]:
        """A keyboard that is not given again is taken away."""
        keyboard = keyboard_of(values)
        if (message.text, message.keyboard) == (text, keyboard):
            raise Refused(400, "Bad Request: message is not modified: specified new message content and "
                               "reply markup are exactly the same as a current content and reply markup of "
                               "the message")  # fmt: skip
        message.text, message.keyboard, message.edited = text, keyboard, message.edited + 1
        return self.shown(message) | {"edit_date": int(time.time())}

    def _on_deletemessage(self, values: dict[str, Any], _: Any) -> bool:
        chat = self._target(values)
        message = self.find(chat, values.get("message_id"))
        if message is None:
            raise Refused(400, "Bad Request: message to delete not found")
        return self._delete([message])

    def _on_deletemessages(self, values: dict[str, Any], _: Any) -> bool:
        """Those that are not there are passed over."""
        chat, ids = self._target(values), json.loads(values["message_ids"])
        if not 1 <= len(ids) <= 100:
            raise Refused(400, "Bad Request: too many message identifiers specified")
        return self._delete([one for one in (self.find(chat, id) for id in ids) if one])

    def _on_deletebusinessmessages(self, values: dict[str, Any], _: Any) -> bool:
        self._connection(values)
        ids = [str(id) for id in json.loads(values["message_ids"])]
        return self._delete([one for one in self.sent if str(one.message_id) in ids])

    def _delete(self, messages: list[SentMessage]) -> bool:
        if any(time.time() - one.date > TWO_DAYS for one in messages):
            raise Refused(400, "Bad Request: message can't be deleted for everyone")
        for one in messages:
            one.deleted = True
        return True

    def _on_setmessagereaction(self, values: dict[str, Any], _: Any) -> bool:
        chat, number = self._target(values), int(values.get("message_id") or 0)
        given = [one.get("emoji", "") for one in json.loads(values.get("reaction") or "[]")]
        if (chat, number) not in self.written and self.find(chat, number) is None:
            raise Refused(400, "Bad Request: message to react not found")
        if len(given) > 1:
            raise Refused(400, "Bad Request: REACTIONS_TOO_MANY")
        if any(emoji not in EMOJIS for emoji in given):
            raise Refused(400, "Bad Request: REACTION_INVALID")
        self.reactions[(chat, number)] = given
        return True

    def _on_answercallbackquery(self, values: dict[str, Any], _: Any) -> bool:
        query = str(values.get("callback_query_id", ""))
        if query not in self.pressed:
            raise Refused(400, "Bad Request: query is too old and response timeout expired or query ID is "
                               "invalid")  # fmt: skip
        self.pressed.remove(query)
        return True

    def _on_readbusinessmessage(self, values: dict[str, Any], _: Any) -> bool:
        self._connection(values)
        self.read.append((self._target(values), int(values["message_id"])))
        return True

    def _connection(self, values: dict[str, Any]) -> None:
        if values.get("business_connection_id") not in self.connections:
            raise Refused(400, "Bad Request: business connection not found")
