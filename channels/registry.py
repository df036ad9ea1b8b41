"""Which adapters there are. Loaded on first use; libraries that weigh much, by those alone who need them."""

from importlib import import_module

from channels.base import Adapter

ADAPTERS = {
    "telegram": "channels.telegram.adapter:TelegramAdapter",
    "vk": "channels.vk.adapter:VkAdapter",
    "email": "channels.email.adapter:EmailAdapter",
    "webchat": "channels.webchat.adapter:WebchatAdapter",
    "api": "channels.api.adapter:ApiAdapter",
}

HEAVY = {"telegram": "channels.telegram.parse"}
"""Kinds whose events only the worker understands, and the module that needs their library (4 s, 136 MB)."""


def load(kind: str) -> type[Adapter]:
    """The adapter class of `kind`; raises `KeyError` for an unknown one."""
    module, name = ADAPTERS[kind].split(":")
    adapter: type[Adapter] = getattr(import_module(module), name)
    return adapter
