"""The demo's channels: one of each kind, pointed at the loopback platforms of this run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.core.config import Settings
from app.core.db import Database
from app.core.facts import SYSTEM
from app.core.secrets import Box
from app.demo import events, telegram_platform, vk_platform
from app.demo.platforms import Platforms
from channels import accounts
from channels.models import Channel

PULLED = ("telegram", "vk", "email")
_NAMES = {
    "telegram": ("Телеграм магазина", "Shop on Telegram"),
    "vk": ("Сообщество VK", "VK community"),
    "email": ("Почта", "Mail"),
    "api": ("Оценки заказов", "Order ratings"),
}
_SERVED_BY = {
    "telegram": ("support",),
    "vk": ("support",),
    "email": ("support", "sales"),
    "webchat": ("support",),
    "api": ("support", "warehouse"),
}
_NAMES_OF_SITE_CHAT = ("Сайт", "Site chat")
SHOP = ("Дом Сверчка", "Cricket House")


@dataclass(frozen=True)
class Desk:
    """What every part of the demo needs to reach the program."""

    database: Database
    settings: Settings
    box: Box


def _values(kind: str, platforms: Platforms) -> dict[str, Any]:
    """Settings that change with every run: where the platform is."""
    if kind == "email":
        return {"imap_port": platforms.mail.imap_port, "smtp_port": platforms.mail.smtp_port}
    return {"http": {"base_url": platforms.url, "timeout": 15}}


def _first_values(kind: str, shop: str) -> dict[str, Any]:
    local = {"imap_host": "127.0.0.1", "smtp_host": "127.0.0.1", "imap_tls": "none", "smtp_tls": "none"}
    values: dict[str, dict[str, Any]] = {
        "telegram": {"token": telegram_platform.TOKEN},
        "vk": {"token": vk_platform.TOKEN},
        "email": {
            "address": events.MAILBOX,
            "display_name": shop,
            "imap_password": "demo",
            "smtp_auth": False,
            **local,
        },
        "api": {},
    }
    return values[kind]


async def connect(
    desk: Desk, platforms: Platforms, team_ids: Mapping[str, UUID], locale: str
) -> dict[str, UUID]:
    """Connect a channel of each kind; the site chat of the first start is taken when it is there."""
    english = locale == "en"
    for kind, names in _NAMES.items():
        values = _first_values(kind, SHOP[english])
        values |= _values(kind, platforms) if kind in PULLED else {}
        await accounts.connect(
            desk.database,
            desk.box,
            desk.settings,
            kind=kind,
            name=names[english],
            values=values,
            team_ids=[team_ids[team] for team in _SERVED_BY[kind]],
        )
    await _serve_site_chat(desk, team_ids["support"], _NAMES_OF_SITE_CHAT[english])
    return await find(desk)


async def _serve_site_chat(desk: Desk, team_id: UUID, name: str) -> None:
    """The oldest site chat is the demo's as well; it is made when there is none."""
    async with desk.database.transaction() as session:
        known = await session.scalar(
            select(Channel.id).where(Channel.kind == "webchat").order_by(Channel.created_at).limit(1)
        )
        served = (await accounts.teams_of(session, [known]))[known] if known else []
    given = (desk.database, desk.box, desk.settings)
    if known is None:
        await accounts.connect(*given, kind="webchat", name=name, values={}, team_ids=[team_id])
    elif team_id not in served:
        await accounts.change(*given, channel_id=known, team_ids=[*served, team_id])


async def find(desk: Desk) -> dict[str, UUID]:
    """The demo's channels by kind; empty when the demo never ran here."""
    ours = {"telegram": str(events.BOT), "vk": str(events.GROUP), "email": events.MAILBOX}
    async with desk.database.transaction() as session:
        rows = list(await session.scalars(select(Channel).order_by(Channel.created_at)))
    names = [*_NAMES["api"]]
    found: dict[str, UUID] = {}
    for channel in rows:
        of_ours = channel.external_id == ours.get(channel.kind) or channel.kind == "webchat"
        if of_ours or (channel.kind == "api" and channel.name in names):
            found.setdefault(channel.kind, channel.id)
    return found if "telegram" in found else {}


async def go_on(desk: Desk, platforms: Platforms, ids: Mapping[str, UUID]) -> None:
    """Point the channels of an earlier run at the platforms of this one."""
    for kind in PULLED:
        values = _values(kind, platforms)
        channel = await accounts.change(
            desk.database, desk.box, desk.settings, channel_id=ids[kind], values=values
        )
        if channel.state != "active":
            await accounts.resume(desk.database, desk.box, desk.settings, channel_id=ids[kind])


async def pause(desk: Desk, ids: Mapping[str, UUID]) -> None:
    """The platforms go away: what is to be sent waits until they are back."""
    async with desk.database.transaction() as session:
        for kind in PULLED:
            channel = await accounts.get(session, ids[kind], lock=True)
            if channel.state == "active":
                await accounts.pause(session, channel, actor=SYSTEM)
