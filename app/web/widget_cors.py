"""Open CORS for the site chat's public endpoints only: any page may call them, without cookies."""

from typing import Any

from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
PREFLIGHT = HEADERS | {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, X-Otklik-Visitor",
    "Access-Control-Max-Age": "86400",
}


class OpenRoute(APIRoute):
    """A route whose answers, errors included, carry the headers."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> Any:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await super().handle(scope, receive, with_headers)
