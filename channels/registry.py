"""Which adapters there are. Loaded on first use: aiogram alone costs seconds and 136 MB."""

from importlib import import_module

from channels.base import Adapter

ADAPTERS = {
    "telegram": "channels.telegram.adapter:TelegramAdapter",
    "vk": "channels.vk.adapter:VkAdapter",
    "email": "channels.email.adapter:EmailAdapter",
    "webchat": "channels.webchat.adapter:WebchatAdapter",
    "api": "channels.api.adapter:ApiAdapter",
}


def load(kind: str) -> type[Adapter]:
    """The adapter class of `kind`; raises `KeyError` for an unknown one."""
    module, name = ADAPTERS[kind].split(":")
    adapter: type[Adapter] = getattr(import_module(module), name)
    return adapter
