"""What is inside a Telegram message: its text and files."""

from typing import Any

from aiogram.types import Message, Sticker

from channels.base import File, Kind

UNSUPPORTED = frozenset({
    "unknown", "story", "checklist", "game", "invoice", "paid_media", "giveaway", "giveaway_winners",
    "gift", "unique_gift", "passport_data", "users_shared", "chat_shared", "user_shared", "rich_message",
})  # fmt: skip
"""Content of people that cannot be shown; what the library does not know yet is `unknown`."""

SHOWN = frozenset({
    "text", "animation", "audio", "document", "photo", "sticker", "video", "video_note", "voice", "contact",
    "dice", "poll", "venue", "location", "web_app_data", "live_photo",
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
    """What the person wrote, or in words what he sent instead."""
    if message.text is not None or message.caption is not None:
        return message.text or message.caption or ""
    if contact := message.contact:
        name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
        return f"{name}\n{contact.phone_number}"
    if venue := message.venue:
        return f"{venue.title}\n{venue.address}"
    if place := message.location:
        # A live place moves every few seconds, which is no new wording of the message.
        moves = place.live_period or message.edit_date
        return "📍" if moves else f"{place.latitude}, {place.longitude}"
    return _rest(message)


def _rest(message: Message) -> str:
    if message.dice:
        return f"{message.dice.emoji} {message.dice.value}"
    if poll := message.poll:
        return "\n".join([poll.question, *(f"• {option.text}" for option in poll.options)])
    if listed := message.checklist:
        done = [bool(task.completion_date) for task in listed.tasks]
        tasks = (
            f"{'☑' if is_done else '☐'} {task.text}" for is_done, task in zip(done, listed.tasks, strict=True)
        )
        return "\n".join([listed.title, *tasks])
    titled = message.game or message.invoice
    if titled:
        return titled.title
    return message.web_app_data.data if message.web_app_data else ""


def files_of(message: Message) -> list[File]:
    """Attachments; Telegram puts at most one into a message."""
    photos = message.photo or (message.live_photo.photo if message.live_photo else None)
    if photos:
        largest = max(photos, key=lambda size: size.width * size.height)
        return [_file("image", largest, mime="image/jpeg")]
    if message.sticker:
        return _sticker(message.sticker)
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
    mime = getattr(media, "mime_type", None) or mime
    ref = {"file_id": media.file_id, "unique_id": media.file_unique_id, "size": size}
    return File(
        kind=kind,
        ref=ref | ({"mime": mime} if mime else {}),
        name=getattr(media, "file_name", None) or "",
        mime=mime,
        size=size,
        width=getattr(media, "width", side),
        height=getattr(media, "height", side),
        duration=float(duration) if duration is not None else None,
    )


def _sticker(sticker: Sticker) -> list[File]:
    """A moving sticker, with a picture of it before: no browser plays the format of the animated ones."""
    preview = sticker.thumbnail if sticker.is_animated or sticker.is_video else None
    video = "video/webm" if sticker.is_video else "image/webp"
    mime = "application/x-tgsticker" if sticker.is_animated else video
    return [
        *([_file("sticker", preview, mime="image/webp")] if preview else []),
        _file("sticker", sticker, mime=mime),
    ]
