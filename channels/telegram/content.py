"""What is inside a Telegram message: its text, files and side information."""

from typing import Any

from aiogram.types import Message, Sticker

from channels.base import File, Kind

UNSUPPORTED = frozenset({
    "unknown", "poll", "story", "checklist", "game", "invoice", "paid_media", "giveaway", "giveaway_winners",
    "gift", "unique_gift", "passport_data", "users_shared", "chat_shared", "user_shared", "rich_message",
    "live_photo",
})  # fmt: skip
"""Content of people that cannot be shown; what the library does not know yet is `unknown`."""

SHOWN = frozenset({
    "text", "animation", "audio", "document", "photo", "sticker", "video", "video_note", "voice", "contact",
    "dice", "venue", "location", "web_app_data",
})  # fmt: skip

SERVICE = frozenset({
    "new_chat_members", "left_chat_member", "chat_owner_left", "chat_owner_changed", "new_chat_title",
    "new_chat_photo", "delete_chat_photo", "group_chat_created", "supergroup_chat_created",
    "channel_chat_created", "message_auto_delete_timer_changed", "migrate_to_chat_id", "migrate_from_chat_id",
    "pinned_message", "successful_payment", "refunded_payment", "gift_upgrade_sent", "connected_website",
    "write_access_allowed", "proximity_alert_triggered", "boost_added", "chat_background_set",
    "checklist_tasks_done", "checklist_tasks_added", "direct_message_price_changed", "forum_topic_created",
    "forum_topic_edited", "forum_topic_closed", "forum_topic_reopened", "general_forum_topic_hidden",
    "general_forum_topic_unhidden", "giveaway_created", "giveaway_completed", "managed_bot_created",
    "paid_message_price_changed", "poll_option_added", "poll_option_deleted", "suggested_post_approved",
    "suggested_post_approval_failed", "suggested_post_declined", "suggested_post_paid",
    "suggested_post_refunded", "video_chat_scheduled", "video_chat_started", "video_chat_ended",
    "video_chat_participants_invited", "community_chat_added", "community_chat_removed",
    "community_chat_joined",
})  # fmt: skip
"""Notices of the platform inside a chat; nobody wrote them."""


def text_of(message: Message) -> str:
    """What the person wrote, or a contact or a place in words."""
    if message.text is not None or message.caption is not None:
        return message.text or message.caption or ""
    if contact := message.contact:
        name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
        return f"{name}\n{contact.phone_number}"
    if venue := message.venue:
        return f"{venue.title}\n{venue.address}"
    if place := message.location:
        return f"{place.latitude}, {place.longitude}"
    return _rest(message)


def _rest(message: Message) -> str:
    if message.dice:
        return message.dice.emoji
    if message.poll:
        return message.poll.question
    return message.web_app_data.data if message.web_app_data else ""


def meta_of(message: Message) -> dict[str, Any]:
    """What an answer needs (topic, business connection) and what is worth showing."""
    entities = message.entities or message.caption_entities or []
    origin = message.forward_origin
    found: dict[str, Any] = {
        "entities": [entity.model_dump(exclude_none=True, mode="json") for entity in entities],
        "album": message.media_group_id,
        "topic": message.message_thread_id if message.is_topic_message else None,
        "business_connection": message.business_connection_id,
        "group": message.chat.title or "" if message.chat.type != "private" else None,
        "quote": message.quote.text if message.quote else None,
        "forwarded": _origin(origin) if origin else None,
        "animation": True if message.animation else None,
        "emoji": message.sticker.emoji if message.sticker else None,
        "location": _location(message),
    }
    return {name: value for name, value in found.items() if value}


def _origin(origin: Any) -> str:
    """Name of the person or chat a forwarded message comes from."""
    chat = getattr(origin, "sender_chat", None) or getattr(origin, "chat", None)
    if chat is not None:
        return str(chat.title or chat.full_name)
    user = getattr(origin, "sender_user", None)
    return str(user.full_name if user else getattr(origin, "sender_user_name", ""))


def _location(message: Message) -> dict[str, float] | None:
    place = message.venue.location if message.venue else message.location
    return {"latitude": place.latitude, "longitude": place.longitude} if place else None


def files_of(message: Message) -> list[File]:
    """Attachments; Telegram puts at most one into a message."""
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        return [_file("image", largest, mime="image/jpeg")]
    if message.sticker:
        return [_sticker(message.sticker)]
    # An animation is sent with a document of the same file beside it: only the first counts.
    kinds: list[tuple[Kind, Any, str]] = [
        ("video", message.animation, "video/mp4"),
        ("video", message.video, "video/mp4"),
        ("video", message.video_note, "video/mp4"),
        ("voice", message.voice, "audio/ogg"),
        ("audio", message.audio, "audio/mpeg"),
        ("document", message.document, ""),
    ]
    return next(([_file(kind, media, mime=mime)] for kind, media, mime in kinds if media), [])


def _file(kind: Kind, media: Any, *, mime: str) -> File:
    size = getattr(media, "file_size", None)
    duration = getattr(media, "duration", None)
    side = getattr(media, "length", None)  # round videos
    return File(
        kind=kind,
        ref={"file_id": media.file_id, "unique_id": media.file_unique_id, "size": size},
        name=getattr(media, "file_name", None) or "",
        mime=getattr(media, "mime_type", None) or mime,
        size=size,
        width=getattr(media, "width", side),
        height=getattr(media, "height", side),
        duration=float(duration) if duration is not None else None,
    )


def _sticker(sticker: Sticker) -> File:
    """A moving sticker is shown as its thumbnail: no browser plays the format of the animated ones."""
    if (sticker.is_animated or sticker.is_video) and sticker.thumbnail:
        return _file("sticker", sticker.thumbnail, mime="image/webp")
    if sticker.is_animated:
        return _file("sticker", sticker, mime="application/x-tgsticker")
    return _file("sticker", sticker, mime="video/webm" if sticker.is_video else "image/webp")
