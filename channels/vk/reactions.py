"""VK's reactions: numbers on the wire, pictures for people."""

EMOJIS = ("❤", "🔥", "😂", "👍", "💩", "❓", "😭", "😡", "👎", "👌", "😃", "🤔", "🙏", "😘", "😍", "🎉")
"""In the order of their numbers, from 1."""


def number_of(emoji: str) -> int | None:
    return EMOJIS.index(emoji) + 1 if emoji in EMOJIS else None


def emoji_of(number: int) -> str:
    """The picture; those that VK adds later are named by their number."""
    return EMOJIS[number - 1] if 0 < number <= len(EMOJIS) else f":vk{number}:"
