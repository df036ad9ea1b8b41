"""The web server of the program: uvicorn, which drains before it stops."""

import asyncio
import gc
import signal
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from app.core import lean
from app.core.config import Settings
from app.web.drain import drain
from app.web.wire import FrameProtocol

FINISH_SECONDS = 5
"""For requests that are being answered when the draining is over."""
_SETTLED_SECONDS = 10
"""After the start: what is imported at first use has been."""


class Server(uvicorn.Server):
    """SIGTERM drains, then stops; SIGINT, or another signal meanwhile, stops at once."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http="httptools",
                ws=FrameProtocol,
                ws_per_message_deflate=False,  # costs 2x CPU and memory per console
                ws_max_size=1024 * 1024,
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=True,
                forwarded_allow_ips=settings.trusted_proxies,
                timeout_graceful_shutdown=FINISH_SECONDS,
                lifespan="on",
            )
        )
        self._app = app
        self._drain_seconds = settings.drain_seconds
        self._hurry = False

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        asyncio.get_running_loop().call_later(_SETTLED_SECONDS, _spare)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._hurry = self.should_exit or sig == signal.SIGINT
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: Any = None) -> None:
        await drain(self._app, seconds=self._drain_seconds, hurry=lambda: self._hurry)
        await super().shutdown(sockets)


def _spare() -> None:
    """What is there for good is not looked at by the collector again: everybody would wait 30 ms for it."""
    gc.collect()
    lean.settle()
