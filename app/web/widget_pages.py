"""Pages of the site chat: the chat's own frame, and a small shop that shows it at work."""

import html
from functools import cache
from pathlib import Path
from string import Template
from uuid import UUID

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from app.core.db import Database
from app.web.static import ROOT
from app.web.widget_demo import WORDS
from channels.models import Channel

# The chat talks to this server only; any site may frame it.
_FRAME_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors *"
)
_DEMO_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)


async def frame(request: Request) -> Response:
    """The chat, for an iframe of any site or as a page of its own."""
    page = ROOT / "widget" / "dist" / "frame.html"
    if not page.is_file():
        return PlainTextResponse("The site chat is not built: run `make run`.", status_code=503)
    return FileResponse(
        page,
        headers={
            "Content-Security-Policy": _FRAME_POLICY,
            "Cache-Control": "no-cache",
            "Referrer-Policy": "no-referrer",
        },
    )


async def demo(request: Request) -> Response:
    """A shop with the chat on it: the first active site chat, or the one of `?channel=`."""
    lang = _language(request)
    channel_id = await _channel(request)
    words = {key: html.escape(text) for key, text in WORDS[lang].items()}
    words["chat"] = _script(channel_id, lang) if channel_id else f"<p class=none>{words['no_chat']}</p>"
    return HTMLResponse(
        _page().substitute(words, lang=lang),
        headers={
            "Content-Security-Policy": _DEMO_POLICY,
            "Cache-Control": "no-store",
            "Vary": "Accept-Language",
        },
    )


def _script(channel_id: UUID, lang: str) -> str:
    return f'<script src="/widget/loader.js" data-channel="{channel_id}" data-lang="{lang}" async></script>'


def _language(request: Request) -> str:
    asked = request.query_params.get("lang") or request.headers.get("accept-language") or "ru"
    return "ru" if asked.strip().lower().startswith(("ru", "be", "uk", "kk", "*")) else "en"


async def _channel(request: Request) -> UUID | None:
    database: Database = request.app.state.database
    query = select(Channel.id).where(Channel.kind == "webchat", Channel.state == "active")
    try:
        query = query.where(Channel.id == UUID(request.query_params["channel"]))
    except (KeyError, ValueError):
        query = query.order_by(Channel.created_at, Channel.id)
    async with database.transaction() as session:
        found: UUID | None = await session.scalar(query.limit(1))
    return found


@cache
def _page() -> Template:
    return Template(Path(__file__).with_name("widget_demo.html").read_text("utf-8"))


routes: list[BaseRoute] = [
    Route("/widget/frame.html", frame, name="widget_frame"),
    Route("/demo-chat", demo, name="widget_demo"),
]
