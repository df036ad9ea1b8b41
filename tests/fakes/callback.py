"""An integrator's service behind the API channel: takes our calls, checks them, fails on demand."""

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from channels.api.signature import verify
from tests.fakes.server import FakeServer


@dataclass(frozen=True)
class Call:
    """One call of ours."""

    data: dict[str, Any]
    delivery: str
    genuine: bool


class FakeCallback(FakeServer):
    """`secret` is what the signature must be made with."""

    def __init__(self, secret: str) -> None:
        super().__init__()
        self.secret = secret
        self.received: list[Call] = []
        """Every call, also those whose answer was lost."""
        self.status = 200
        self.headers: dict[str, str] = {}
        self.answer: bytes = b"{}"
        self.files: dict[str, web.Response] = {}

    @property
    def messages(self) -> dict[str, Call]:
        """Messages by delivery id: what a service keeps that drops repeats."""
        return {call.delivery: call for call in self.received if call.data["type"] == "message"}

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/hook", self._hook)
        app.router.add_get("/files/{name}", self._file)

    async def _hook(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        genuine = verify(
            self.secret,
            timestamp=request.headers.get("X-Otklik-Timestamp", ""),
            body=body,
            signature=request.headers.get("X-Otklik-Signature", ""),
        )
        call = Call(json.loads(body), request.headers.get("X-Otklik-Delivery", ""), genuine)
        fault = self.fault("hook")
        if fault and fault.kind != "lost_reply":
            return await self.fail(request, fault)
        self.received.append(call)
        if fault:
            return await self.fail(request, fault)
        return web.Response(status=self.status, body=self.answer, headers=self.headers)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return self.files.get(request.match_info["name"]) or web.Response(status=404)
