"""Files and faces from Telegram. Addresses of files hold the token, so they never leave this module."""

import mimetypes
from typing import Any

from aiogram.methods import GetChat, GetFile

from channels.base import Gone, Rejected, RetryLater, Sender
from channels.http import unusable
from channels.telegram.client import Client
from channels.text import clean

MAX_DOWNLOAD = 20 << 20
"""Larger files a bot cannot get from the public Bot API."""
PLAIN = "application/octet-stream"
TOO_LARGE = "Telegram gives bots files up to 20 MB: open it in Telegram."


async def fetch(client: Client, ref: dict[str, Any], *, limit: int) -> tuple[bytes, str]:
    """Bytes and MIME type; raises `Gone` or a `DeliveryError`."""
    size = ref.get("size")
    if isinstance(size, int) and size > MAX_DOWNLOAD:
        raise Gone(TOO_LARGE)
    if isinstance(size, int) and size > limit:
        raise Gone("The file is larger than this server keeps.")
    path = await _path(client, str(ref.get("file_id", "")))
    answer = await client.http.request("GET", client.file_url(path), safe=True, limit=limit)
    if answer.status in (400, 404, 410):
        raise Gone("Telegram has the file no more")
    if answer.status != 200:
        raise unusable(answer, safe=True)
    # Telegram serves everything as plain bytes, and not every name has a telling end.
    mime = mimetypes.guess_type(path)[0] or PLAIN
    return answer.body, str(ref.get("mime") or PLAIN) if mime == PLAIN else mime


async def _path(client: Client, file_id: str) -> str:
    try:
        found = await client.call(GetFile(file_id=file_id))
    except Rejected as error:
        raise Gone(TOO_LARGE if error.code == "too_large" else error.reason) from None
    path = found.get("file_path") if isinstance(found, dict) else None
    if not isinstance(path, str):
        raise RetryLater("Telegram gave no path for the file", code="bad_answer")
    return path


async def profile(client: Client, external_id: str) -> Sender | None:
    """Name, user name and picture of somebody who wrote to the bot."""
    if not external_id.lstrip("-").isdecimal():
        return None
    try:
        chat = await client.call(GetChat(chat_id=int(external_id)))
    except Rejected:
        return None
    if not isinstance(chat, dict):
        return None
    names = (chat.get("first_name") or chat.get("title"), chat.get("last_name"))
    photo = chat.get("photo") or {}
    return Sender(
        scope="telegram",
        external_id=external_id,
        name=clean(" ".join(str(name) for name in names if name)),
        username=clean(str(chat.get("username") or "")),
        avatar={"file_id": photo["big_file_id"]} if "big_file_id" in photo else None,
    )
