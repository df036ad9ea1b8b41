"""An integrator's service behind the API channel: takes our calls, checks them, fails on demand."""

import json
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from channels.api.signature import verify
from tests.fakes.server import FakeServer, Fault

_REFUSALS = {"flood": 429, "forbidden": 403, "bad_request": 400, "revoked": 401}


@dataclass(frozen=True)
class Call:
    """One call of ours."""

    data: dict[str, Any]
    delivery: str
    genuine: bool

    @property
    def files(self) -> list[bytes]:
        return [b64decode(file["content_base64"]) for file in self.data["files"] if "content_base64" in file]


class FakeCallback(FakeServer):
    """`secret` is what the signature has to be made with."""

    def __init__(self, secret: str) -> None:
        super().__init__()
        self.secret = secret
        self.received: list[Call] = []
        """Every call that took effect, also those whose answer was lost."""
        self.status = 200
        self.reply: dict[str, Any] = {}
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}

    @property
    def sent(self) -> list[Call]:
        """Messages as a service keeps them that drops repeats by the delivery id."""
        calls = {call.delivery: call for call in self.received if call.data["type"] == "message"}
        return list(calls.values())

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/hook", self._hook)
        app.router.add_get("/files/{name}", self._file)

    def refusal(self, fault: Fault) -> tuple[int, dict[str, Any]]:
        return _REFUSALS.get(fault.kind) or int(fault.kind), {"error": fault.kind}

    async def _hook(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = request.headers
        timestamp, signature = headers.get("X-Otklik-Timestamp", ""), headers.get("X-Otklik-Signature", "")
        genuine = verify(self.secret, timestamp=timestamp, body=body, signature=signature)
        call = Call(json.loads(body), headers.get("X-Otklik-Delivery", ""), genuine)

        async def act() -> tuple[int, dict[str, Any]]:
            if self.status < 300:
                self.received.append(call)
            return self.status, self.reply

        return await self.answer(request, "hook", act)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name in self.redirects:
            return web.Response(status=302, headers={"Location": self.redirects[name]})
        if name not in self.files:
            return web.Response(status=404)
        return web.Response(body=self.files[name], content_type="application/pdf")
