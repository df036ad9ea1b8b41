"""A faithful VK for one community: API, Bots Long Poll with its failures, Callback API, uploads, `random_id`.

In a test: `async with FakeVk() as fake:` – by hand: `python -m tests.fakes.vk --port 8092`.
"""

import argparse
import asyncio
from contextlib import suppress
from typing import Any

from tests.fakes.server import Upload, serve_forever
from tests.fakes.vk_events import GROUP, TOKEN, SentMessage
from tests.fakes.vk_methods import Methods

__all__ = ["GROUP", "TOKEN", "FakeVk", "SentMessage"]


class FakeVk(Methods):
    """One community and everybody who writes to it."""

    controls = ("customer_writes", "customer_edits", "customer_reads", "customer_blocks", "customer_types",
                "customer_presses", "customer_reacts", "admin_writes", "lose_history", "expire_key",
                "fail_next")  # fmt: skip

    def customer_writes(
        self, *, user_id: int = 601, text: str = "", name: str = "Пётр Иванов", peer_id: int | None = None,
        silent: bool = False, **fields: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """A message; `fields` go into it as they are (attachments=…, ref=…). `silent`: without an event."""
        self._person(user_id, name)
        message = self._message(peer_id or user_id, user_id, text) | fields
        self.messages.setdefault(message["peer_id"], []).append(message)
        if not silent:
            self.emit("message_new", {"message": message, "client_info": {"keyboard": True}})
        return message

    def admin_writes(self, *, user_id: int = 601, text: str = "", random_id: int = 0) -> dict[str, Any]:
        """Somebody of the community answers in VK's own interface."""
        message = self._message(user_id, -self.group_id, text) | {
            "out": 1, "admin_author_id": 1, "random_id": random_id,
        }  # fmt: skip
        self.messages.setdefault(user_id, []).append(message)
        self.emit("message_reply", message)
        return message

    def customer_edits(self, message: dict[str, Any], text: str) -> None:
        self.emit("message_edit", message | {"text": text, "update_time": self._tick()})

    def customer_reads(self, user_id: int = 601) -> None:
        last = self.messages[user_id][-1]
        read = {"from_id": user_id, "peer_id": user_id, "read_message_id": last["id"]}
        self.emit("message_read", read | {"conversation_message_id": last["conversation_message_id"]})

    def customer_types(self, user_id: int = 601) -> None:
        self.emit("message_typing_state", {"state": "typing", "from_id": user_id, "to_id": -self.group_id})

    def customer_blocks(self, user_id: int = 601, *, code: int = 901) -> None:
        self.blocked[user_id] = code
        self.emit("message_deny", {"user_id": user_id})

    def customer_allows(self, user_id: int = 601, *, key: str = "") -> None:
        self.blocked.pop(user_id, None)
        self._person(user_id)
        self.emit("message_allow", {"user_id": user_id, "key": key})

    def host_file(self, content: bytes, *, name: str, mime: str = "application/octet-stream") -> str:
        """Address of a file as attachments name it."""
        self.hosted[name] = Upload(name, content, mime)
        return f"{self.url}/file/{name}"


def main() -> None:
    parser = argparse.ArgumentParser(description="A VK community to play with.")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    note = (
        f"token: {TOKEN}  group: {GROUP}\n"
        'write:  curl -d \'{"user_id": 7, "text": "Hello"}\' URL/control/customer_writes\n'
        "answers: curl URL/control/sent"
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(serve_forever(FakeVk(port=given.port), note))


if __name__ == "__main__":
    main()
