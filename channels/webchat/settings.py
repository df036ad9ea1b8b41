"""Settings of a site chat: how it looks, what it asks, on which page it lives. No secrets."""

from typing import Literal

from pydantic import Field, field_validator

from channels.base import AdapterSettings

MAX_TEXT = 8000
"""Characters of one message of a visitor."""
MAX_FILES = 10
"""Files of one message."""

Ask = Literal["no", "optional", "required"]


class WebchatSettings(AdapterSettings):
    """What an administrator may set; everything has a default, so that a chat works at once."""

    site_url: str = Field(
        "",
        max_length=500,
        description="Page of your site that carries the chat: personal links lead there. "
        "Empty: they lead to a page of this server that is all chat.",
    )
    title: str = Field("", max_length=60, description="Heading of the chat; empty: a usual one.")
    greeting: str = Field("", max_length=500, description="First words to a visitor; empty: usual ones.")
    accent: str = Field("#0b6e6e", description="Colour of the button and own messages, #rrggbb.")
    position: Literal["right", "left"] = Field("right", description="Corner of the page.")
    theme: Literal["auto", "light", "dark"] = Field("auto", description="`auto`: as the visitor's system.")
    ask_name: Ask = Field("no", description="Whether to ask the visitor's name before the first message.")
    ask_email: Ask = Field("no", description="Whether to ask the visitor's e-mail before the first message.")
    agent_names: bool = Field(True, description="Show visitors the name of the agent who answers.")
    max_file_mb: int = Field(20, ge=0, le=200, description="Largest file of a visitor in MB; 0: no files.")

    @field_validator("accent")
    @classmethod
    def _colour(cls, value: str) -> str:
        value = value.strip().lower()
        if len(value) != 7 or value[0] != "#" or any(c not in "0123456789abcdef" for c in value[1:]):
            raise ValueError("must be a colour like #0b6e6e")
        return value

    @field_validator("site_url")
    @classmethod
    def _web_page(cls, value: str) -> str:
        value = value.strip()
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        return value.split("#")[0]
