"""Who a visitor is: a random id and what he says about himself, signed by us. No table, no cookie.

Whoever holds the token reads and writes as this visitor of this channel, and can do nothing else.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from uuid import UUID, uuid4

import orjson
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import Forbidden, NotFound, Unauthenticated
from app.core.secrets import Box
from channels.models import Channel
from channels.webchat.settings import WebchatSettings

HEADER = "X-Otklik-Visitor"
MAX_TOKEN = 2000


class WrongToken(Unauthenticated):
    title = "This visitor's token is not valid here: begin a new session."


class ChannelPaused(Forbidden):
    code, title = "channel_paused", "This chat is paused."


@dataclass(frozen=True, slots=True)
class Visitor:
    """A visitor of one site chat; name and e-mail are his word only."""

    id: str
    name: str = ""
    email: str = ""
    locale: str = ""


@dataclass(frozen=True, slots=True)
class Chat:
    """An active channel of the site chat, as the public endpoints need it."""

    id: UUID
    name: str
    settings: WebchatSettings


async def access_chat(session: AsyncSession, channel_id: UUID) -> Chat:
    """The chat; raises `NotFound` when there is none by this id, `ChannelPaused` when it rests."""
    channel = await session.get(Channel, channel_id)
    if channel is None or channel.kind != "webchat":
        raise NotFound("There is no such chat.")
    if channel.state != "active":
        raise ChannelPaused
    try:
        settings = WebchatSettings.model_validate(channel.settings)
    except ValidationError:  # set by an older or newer program
        settings = WebchatSettings.model_construct()
    return Chat(channel.id, channel.name, settings)


def new_id() -> str:
    return uuid4().hex


def token(box: Box, channel_id: UUID, visitor: Visitor) -> str:
    """The visitor's token: his id and claims, signed for this channel."""
    claims = {"v": visitor.id, "n": visitor.name, "e": visitor.email, "l": visitor.locale}
    body = urlsafe_b64encode(orjson.dumps(claims)).decode().rstrip("=")
    return f"{body}.{box.sign(_purpose(channel_id), body.encode())}"


def visitor(box: Box, channel_id: UUID, token: str | None) -> Visitor:
    """The visitor of a token; raises `WrongToken`."""
    body, _, signature = (token or "").partition(".")
    if len(token or "") > MAX_TOKEN or not body.isascii() or not signature.isascii():
        raise WrongToken
    if not box.verify(_purpose(channel_id), body.encode(), signature):
        raise WrongToken
    claims = orjson.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return Visitor(claims["v"], name=claims["n"], email=claims["e"], locale=claims["l"])


def _purpose(channel_id: UUID) -> str:
    return f"visitor:{channel_id}"
