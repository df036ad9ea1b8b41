"""What the fake platforms share: an HTTP server in the process, and faults to order.

A fault is ordered with `fail_next` and happens once (or `times`) to the next call it fits.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


@dataclass
class Fault:
    """One ordered failure. `lost_reply`: the call takes effect, then the connection is cut."""

    kind: str
    """cut, lost_reply, html502, 500, black_hole, slow, or a word of the platform's own."""
    method: str = ""
    """Which call it hits; empty: the next one of any method."""
    times: int = 1
    options: dict[str, Any] = field(default_factory=dict)


class Cut(Exception):
    """Close the connection without an answer."""


@dataclass(frozen=True)
class Upload:
    """A file that came in with a call."""

    name: str
    content: bytes
    mime: str


class FakeServer:
    """`async with FakeX() as fake: fake.url` – a server of its own on a free port of the loopback."""

    def __init__(self, *, port: int = 0) -> None:
        self.port = port
        self.faults: list[Fault] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        """Every API call: method and parameters, in order."""
        self.background: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self._released = asyncio.Event()
        self._site: web.TCPSite

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def routes(self, app: web.Application) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=256 << 20)
        self.routes(app)
        app.router.add_post("/control/{action}", self._control)
        app.router.add_get("/control/sent", self._sent)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
        await self._runner.setup()
        await self.listen()
        return self

    async def listen(self) -> None:
        """Accept connections; again after `go_down`, at the same address."""
        assert self._runner
        if self._runner.sites:
            return
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await self._site.start()
        self.port = self._runner.addresses[0][1]

    async def go_down(self) -> None:
        """Refuse connections and break those there are, until `listen`."""
        assert self._runner
        await self._site.stop()
        for handler in list(self._runner.server.connections if self._runner.server else ()):
            if handler.transport is not None:
                handler.transport.abort()

    async def __aexit__(self, *_: object) -> None:
        self._released.set()
        for task in self.background:
            task.cancel()
        await asyncio.gather(*self.background, return_exceptions=True)
        if self._runner:
            await self._runner.cleanup()

    def spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await work()

        task = asyncio.create_task(run())
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    def fail_next(self, kind: str, *, method: str = "", times: int = 1, **options: Any) -> None:
        """Order a fault for the next call of `method` (any, when empty)."""
        self.faults.append(Fault(kind, method, times, options))

    def _take_fault(self, method: str) -> Fault | None:
        for fault in self.faults:
            if fault.method in ("", method):
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    async def answer(
        self, request: web.Request, method: str, act: Callable[[], Awaitable[tuple[int, dict[str, Any]]]]
    ) -> web.StreamResponse:
        """Answer a call, or do what was ordered instead. `act` makes the call's effect and its answer."""
        fault = self._take_fault(method)
        if fault is None:
            status, body = await act()
            return web.json_response(body, status=status)
        if fault.kind == "lost_reply":
            await act()
            return cut(request)
        return await self._spoil(request, fault)

    async def _spoil(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "cut":
            return cut(request)
        if fault.kind == "html502":
            page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
            return web.Response(status=502, text=page, content_type="text/html")
        if fault.kind == "black_hole":
            await self._released.wait()
            return cut(request)
        if fault.kind == "slow":
            return await self._drip(request)
        status, body = self.refusal(fault)
        return web.json_response(body, status=status)

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        """A body that never ends, byte by byte: no single read takes long."""
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        while not self._released.is_set():
            try:
                await response.write(b" ")
                await asyncio.wait_for(self._released.wait(), 0.02)
            except TimeoutError:
                continue
            except ConnectionError:
                break
        return response

    def refusal(self, fault: Fault) -> tuple[int, dict[str, Any]]:
        """The platform's own answer for an ordered fault."""
        raise NotImplementedError(fault.kind)

    async def _control(self, request: web.Request) -> web.Response:
        """Manual play: POST /control/customer_writes {"user_id": 7, "text": "Hello"}."""
        name = request.match_info["action"]
        action = getattr(self, name, None)
        if name.startswith("_") or name not in self.controls or action is None:
            return web.json_response({"error": "unknown action", "known": list(self.controls)}, status=404)
        result = action(**(await request.json() if request.can_read_body else {}))
        return web.json_response({"ok": True, "result": repr(result)})

    controls: tuple[str, ...] = ("customer_writes", "fail_next")

    async def _sent(self, _: web.Request) -> web.Response:
        return web.json_response([repr(item) for item in getattr(self, "sent", [])])


def cut(request: web.Request) -> web.Response:
    """Break the connection: the caller sees it closed, without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def parameters(request: web.Request) -> tuple[dict[str, Any], dict[str, Upload]]:
    """Parameters of a call from its query, form, multipart or JSON; and its files."""
    values: dict[str, Any] = dict(request.query)
    files: dict[str, Upload] = {}
    if request.content_type == "application/json":
        values |= json.loads(await request.read() or b"{}")
    elif request.can_read_body:
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                with value.file as content:
                    files[name] = Upload(value.filename, content.read(), value.content_type)
            else:
                values[name] = value
    return values, files


async def serve_forever(fake: FakeServer, note: str) -> None:
    """Run a fake by itself until it is interrupted."""
    async with fake:
        print(f"{type(fake).__name__} listens on {fake.url}\n{note}", flush=True)
        await asyncio.Event().wait()
