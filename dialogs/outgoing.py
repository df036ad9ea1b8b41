"""Putting together what an adapter is given to send."""

from dataclasses import dataclass
from typing import Any

import orjson

from app.core.files import Files
from channels.acts import Button
from channels.base import OutgoingFile, OutgoingMessage


@dataclass(slots=True)
class StoredContent:
    """Bytes of a stored file, read once."""

    files: Files
    key: str
    data: bytes | None = None

    async def read(self) -> bytes:
        if self.data is None:
            self.data = await self.files.get(self.key)
        return self.data


async def compose(row: Any, *, files: Files) -> OutgoingMessage:
    """The message of a row of the claim, with its files, which are read before anything leaves."""
    message = OutgoingMessage(
        key=str(row["seq"]),
        chat=row["chat"],
        recipient=row["recipient"],
        text=row["text"],
        files=[_file(values, files) for values in orjson.loads(row["files"])] if row["files"] else [],
        reply_to=row["reply_to"],
        meta=_meta(row),
        author=row["author"],
        buttons=_buttons(row["buttons"]),
    )
    for file in message.files:
        await file.content.read()
    return message


def _buttons(stored: str | None) -> list[list[Button]]:
    rows = orjson.loads(stored) if stored else []
    return [[Button.model_validate(one) for one in row] for row in rows]


def _meta(row: Any) -> dict[str, Any]:
    answered = orjson.loads(row["meta"]) if row["meta"] else {}
    return answered | ({"mail": orjson.loads(row["mail"])} if row["mail"] else {})


def _file(values: dict[str, Any], files: Files) -> OutgoingFile:
    return OutgoingFile(
        kind=values["kind"],
        name=values["name"],
        mime=values["mime"],
        size=values["size"] or 0,
        content=StoredContent(files, values["key"]),
    )
