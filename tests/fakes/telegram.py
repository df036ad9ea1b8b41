"""A faithful Telegram for one bot: an offset confirms, a second poller ends the first, webhooks keep order.

In a test: `async with FakeTelegram() as fake:` – by hand: `python -m tests.fakes.telegram --port 8091`.
"""

import argparse
import asyncio
import time
from contextlib import suppress
from typing import Any

from tests.fakes.server import serve_forever
from tests.fakes.telegram_acts import Acts
from tests.fakes.telegram_hooks import TOKEN, SentMessage

__all__ = ["TOKEN", "FakeTelegram", "SentMessage"]


ENDINGS = {"photo": "jpg", "voice": "oga", "sticker": "webp", "video": "mp4", "video_note": "mp4"}


class FakeTelegram(Acts):
    """One bot and everybody who writes to it."""

    controls = ("customer_writes", "customer_edits", "customer_presses", "customer_blocks", "fail_next")

    def customer_writes(
        self, *, user_id: int = 501, text: str = "", name: str = "Анна Смирнова", chat_id: int | None = None,
        username: str = "", language: str = "ru", **fields: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """A message; `fields` go into it as they are (photo=…, reply_to_message=…). Returns the message."""
        user = self._person(user_id, name, username, language)
        chat = self._chat(user, chat_id)
        message: dict[str, Any] = {
            "message_id": self._next_message(chat["id"]), "from": user, "chat": chat,
            "date": int(time.time()),
        } | fields  # fmt: skip
        if text:
            message["text"] = text
        self.written.add((chat["id"], message["message_id"]))
        self.push({"message": message})
        return message

    def customer_sends_file(
        self, kind: str, content: bytes, *, user_id: int = 501, file_name: str = "", mime: str = "",
        caption: str = "", size: int | None = None, **fields: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """A photo, document, voice, video, audio or sticker; `size` may lie, for files that are too large."""
        file_id = self.add_file(content, name=file_name or f"{kind}.{ENDINGS.get(kind, 'bin')}", size=size)
        media: dict[str, Any] = {
            "file_id": file_id, "file_unique_id": "u" + file_id, "file_size": size or len(content),
            "file_name": file_name, "mime_type": mime, "duration": 3, "width": 320, "height": 240,
        }  # fmt: skip
        value = [media | {"width": 90, "height": 67, "file_id": "thumb"}, media] if kind == "photo" else media
        extra = {"caption": caption} if caption else {}
        return self.customer_writes(user_id=user_id, **({kind: value} | extra | fields))

    def customer_edits(self, message: dict[str, Any], text: str) -> None:
        self.push({"edited_message": message | {"text": text, "edit_date": int(time.time())}})

    def customer_presses(self, label: str, *, user_id: int = 501) -> str:
        """Press the button with this label below the newest message that has it. Returns the query."""
        sent, button = next(
            (sent, button)
            for sent in reversed(self.sent)
            for button in (one for row in sent.keyboard for one in row)
            if button["text"] == label and not sent.deleted
        )
        query = f"query{len(self.calls)}-{sent.message_id}"
        self.pressed.append(query)
        self.push({
            "callback_query": {
                "id": query, "from": self._person(user_id), "message": self.shown(sent),
                "chat_instance": "-77", "data": button["callback_data"],
            }
        })  # fmt: skip
        return query

    def customer_reacts(self, message_id: int, *emojis: str, user_id: int = 501) -> None:
        """All reactions of the person to a message from now on; `:5368:` is a custom emoji."""
        user = self._person(user_id)
        custom = {"type": "custom_emoji"}
        given = [
            custom | {"custom_emoji_id": one.strip(":")}
            if one.startswith(":")
            else {"type": "emoji", "emoji": one}
            for one in emojis
        ]
        self.push({
            "message_reaction": {
                "chat": self._chat(user, None), "message_id": message_id, "user": user,
                "date": int(time.time()), "old_reaction": [], "new_reaction": given,
            }
        })  # fmt: skip

    def customer_blocks(self, user_id: int, *, blocked: bool = True) -> None:
        (self.blocked.add if blocked else self.blocked.discard)(user_id)
        user = self._person(user_id)
        status = {"status": "kicked", "until_date": 0} if blocked else {"status": "member"}
        old = {"status": "member"} if blocked else {"status": "kicked", "until_date": 0}
        self.push({
            "my_chat_member": {
                "chat": self._chat(user, None), "from": user, "date": int(time.time()),
                "old_chat_member": old | {"user": self.me}, "new_chat_member": status | {"user": self.me},
            }
        })  # fmt: skip

    def add_file(self, content: bytes, *, name: str = "file.bin", size: int | None = None) -> str:
        file_id = f"file{len(self.files) + 1}"
        self.files[file_id] = (f"documents/{file_id}_{name}", content)
        self.sizes[file_id] = size or len(content)
        return file_id

    def _person(
        self, user_id: int, name: str = "", username: str = "", language: str = "ru"
    ) -> dict[str, Any]:
        first, _, last = (name or "Анна Смирнова").partition(" ")
        person = {"id": user_id, "is_bot": False, "first_name": first, "language_code": language}
        if last:
            person["last_name"] = last
        if username:
            person["username"] = username
        if name or user_id not in self.people:
            self.people[user_id] = person
        return self.people[user_id]

    def _chat(self, user: dict[str, Any], chat_id: int | None) -> dict[str, Any]:
        if chat_id is not None and chat_id != user["id"]:
            self.people.setdefault(chat_id, {"id": chat_id})
            return {"id": chat_id, "type": "supergroup", "title": "Группа"}
        names = {key: user[key] for key in ("first_name", "last_name", "username") if key in user}
        return {"id": user["id"], "type": "private"} | names


def main() -> None:
    parser = argparse.ArgumentParser(description="A Telegram Bot API to play with.")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    note = (
        f"token: {TOKEN}\n"
        'write:  curl -d \'{"user_id": 7, "text": "Hello"}\' URL/control/customer_writes\n'
        "answers: curl URL/control/sent"
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(serve_forever(FakeTelegram(port=given.port), note))


if __name__ == "__main__":
    main()
