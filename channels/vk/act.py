"""Acts of the contract → calls of VK. Each may be repeated: what is so already is success."""

from collections.abc import Sequence
from typing import Any

from channels.acts import Acknowledge, Act, Delete, Edit, MarkRead, React
from channels.base import DeliveryError, Rejected, no_act
from channels.text import clean
from channels.vk.client import Client
from channels.vk.errors import failure
from channels.vk.keyboard import keyboard
from channels.vk.reactions import number_of
from channels.vk.send import payload, peer_of


async def act(client: Client, act: Act) -> None:
    """Carry out an act; raises a `DeliveryError`."""
    peer = peer_of(act.chat)
    match act:
        case Edit():
            await _edit(client, peer, act)
        case Delete():
            await _delete(client, peer, act.external_ids)
        case React():
            await _react(client, peer, act)
        case MarkRead():
            await _mark_read(client, peer, act.external_id)
        case Acknowledge():
            await client.call(
                "messages.sendMessageEventAnswer", event_id=act.query, user_id=act.sender, peer_id=peer
            )


async def _edit(client: Client, peer: int, act: Edit) -> None:
    """The first part says it all from now on; of the others only their files stay.

    An edit takes away what it does not name: the files are read first.
    """
    first, *rest = act.external_ids
    there = await _found(client, peer, act.external_ids) if rest or act.files else {}
    given = {"message": clean(act.text), "keyboard": keyboard(act.buttons)}
    await _change(client, peer, first, _attached(there.get(first, {})), given)
    for number, part in enumerate(rest, 1):
        files = _attached(there.get(part, {}))
        if files:
            # Marked as a part again, so that the echo of this is not taken for a change of the whole.
            await _change(client, peer, part, files, {"message": "", "payload": payload("", number)})
    if bare := [part for part in rest if part in there and not _attached(there[part])]:
        await _delete(client, peer, bare)


async def _change(client: Client, peer: int, part: str, files: list[str], given: dict[str, Any]) -> None:
    kept = {"keep_forward_messages": 1, "keep_snippets": 1, "disable_mentions": 1}
    attachment = ",".join(files) or None
    await client.call("messages.edit", peer_id=peer, cmid=part, attachment=attachment, **kept, **given)


async def _found(client: Client, peer: int, parts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Messages that are still there, by their ids."""
    ids = ",".join(parts)
    answer = await client.call(
        "messages.getByConversationMessageId", peer_id=peer, conversation_message_ids=ids
    )
    items = answer.get("items") if isinstance(answer, dict) else None
    found = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return {str(one.get("conversation_message_id")): one for one in found if not one.get("deleted")}


def _attached(message: dict[str, Any]) -> list[str]:
    """Its files as `attachment` names them; a link's preview is kept by itself."""
    found = []
    for attachment in message.get("attachments") or []:
        kind = attachment.get("type")
        body = attachment.get(kind)
        if isinstance(body, dict) and isinstance(body.get("owner_id"), int) and kind != "link":
            key = f"_{body['access_key']}" if body.get("access_key") else ""
            name = "doc" if kind in ("audio_message", "graffiti") else kind
            found.append(f"{name}{body['owner_id']}_{body.get('id')}{key}")
    return found


async def _delete(client: Client, peer: int, parts: Sequence[str]) -> None:
    try:
        answer = await client.call("messages.delete", peer_id=peer, cmids=",".join(parts), delete_for_all=1)
        refused = _refusal(answer)
    except Rejected as error:
        refused = error
    if refused is not None and await _found(client, peer, parts):
        raise refused


def _refusal(answer: Any) -> DeliveryError | None:
    """Each message has an answer of its own in the answer."""
    items = answer if isinstance(answer, list) else []
    errors = [item["error"] for item in items if isinstance(item, dict) and "error" in item]
    return failure(errors[0]) if errors else None


async def _react(client: Client, peer: int, act: React) -> None:
    if not act.emoji:
        await client.call("messages.deleteReaction", peer_id=peer, cmid=act.external_id)
        return
    number = number_of(act.emoji)
    if number is None:
        raise no_act()
    await client.call("messages.sendReaction", peer_id=peer, cmid=act.external_id, reaction_id=number)


async def _mark_read(client: Client, peer: int, external_id: str) -> None:
    # A pressed button is no message of VK's: then all that is there has been read.
    given = {"up_to_cmid": external_id} if external_id.isdecimal() else {"mark_conversation_as_read": 1}
    await client.call("messages.markAsRead", peer_id=peer, **given)
