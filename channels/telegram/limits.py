"""What Telegram takes, in numbers and words: known without the library, which costs seconds and 136 MB."""

from datetime import timedelta

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_ALBUM = 10
MAX_FILE = 50 << 20
MAX_PHOTO = 10 << 20
MAX_BUTTONS = 100
MAX_BUTTON_DATA = 64
"""Bytes of UTF-8."""
DELETE_WITHIN = timedelta(hours=48)
EMOJIS = (
    "👍", "👎", "❤", "🔥", "🥰", "👏", "😁", "🤔", "🤯", "😱", "🤬", "😢", "🎉", "🤩", "🤮",
    "💩", "🙏", "👌", "🕊", "🤡", "🥱", "🥴", "😍", "🐳", "❤‍🔥", "🌚", "🌭", "💯", "🤣", "⚡",
    "🍌", "🏆", "💔", "🤨", "😐", "🍓", "🍾", "💋", "🖕", "😈", "😴", "😭", "🤓", "👻", "👨‍💻",
    "👀", "🎃", "🙈", "😇", "😨", "🤝", "✍", "🤗", "🫡", "🎅", "🎄", "☃", "💅", "🤪", "🗿",
    "🆒", "💘", "🙉", "🦄", "😘", "💊", "🙊", "😎", "👾", "🤷‍♂", "🤷", "🤷‍♀", "😡",
)  # fmt: skip
"""What may be a reaction: `ReactionTypeEmoji` of the Bot API."""
