"""The web program: one FastAPI application and what it starts and stops."""

import asyncio
import tomllib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from app.agents.api import router as people
from app.agents.throttle import Throttle
from app.core import clock, tracing
from app.core.config import Settings, SettingsError
from app.core.db import Database
from app.core.files import open_files
from app.core.secrets import open_box
from app.web import (
    door,
    drain,
    feed,
    health,
    limits,
    live,
    metrics,
    openapi,
    problems,
    static,
    sync,
    understanding,
    webhooks,
    widget,
)
from app.web.intake import Intake
from app.web.traced import Traced
from channels import adapters
from channels.rest import router as channels
from dialogs.api import router as dialogs
from dialogs.api_acts import router as acts
from dialogs.api_customers import router as customers
from dialogs.api_mail import router as mail
from dialogs.api_merges import router as merges
from dialogs.api_search import router as search
from dialogs.channel_health import router as channel_health
from tasks.api import router as tasks

PREFIX = "/api/v1"
Part = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def version() -> str:
    """The program's version; from its own folder when it is not installed as a package."""
    try:
        return version_of("otklik")
    except PackageNotFoundError:
        project = Path(__file__).resolve().parent.parent / "pyproject.toml"
        return str(tomllib.loads(project.read_text())["project"]["version"]) if project.is_file() else "0"


_ROUTERS = (
    people,
    channels,
    dialogs,
    acts,
    channel_health,
    customers,
    mail,
    merges,
    search,
    tasks,
    sync.router,
)


def create_app(settings: Settings) -> FastAPI:
    """The application; nothing is opened before its lifespan begins."""
    layers: list[limits.Middleware] = [
        drain.LastAnswer,
        live.Shortcut,
        *([Traced] if settings.otel_endpoint else []),
        lambda app: webhooks.Hooks(app, settings),
        *limits.around(settings),
    ]
    app = FastAPI(
        title="Otklik",
        version=version(),
        lifespan=_lifespan,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        middleware=[Middleware(layer) for layer in layers],
        telemetry={"tracing": False, "metrics": False, "logs": False},  # `app.web.metrics` and `Traced` do it
    )
    app.state.settings = settings
    app.state.throttle = Throttle()
    app.state.door = door.Door(settings.sockets_per_agent)
    app.state.doors, app.state.intake = webhooks.Doors(), Intake(app.state)
    app.state.look = metrics.Look()
    app.state.inbox_wake = app.state.inbox_take = None
    app.state.migrated = app.state.draining = False
    problems.install(app)
    for router in _ROUTERS:
        app.include_router(router, prefix=PREFIX)
    app.include_router(widget.router)
    _add(app, [*live.routes, *health.routes, *metrics.routes])
    static.install(app)
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    return app


def openapi_document(settings: Settings) -> dict[str, Any]:
    return create_app(settings).openapi()


def _add(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    app.router.routes.extend(routes)


# --- starting and stopping ------------------------------------------------------------------


@asynccontextmanager
async def _spans(app: FastAPI) -> AsyncIterator[None]:
    async with tracing.exporting(app.state.settings, service="otklik-serve"):
        yield


@asynccontextmanager
async def _resources(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    if settings.database_url is None:
        raise SettingsError("No database: set DATABASE_URL, or start `otklik up`.")
    app.state.box = open_box(settings)
    app.state.files = open_files(settings)
    app.state.database = Database(
        settings.database_url, pool_size=settings.pool_size, nats_url=settings.nats_url
    )
    await app.state.database.open()
    beside = [
        asyncio.create_task(adapters.warm_up(app.state.database)),
        asyncio.create_task(clock.follow(app.state.database.raw)),
    ]
    try:
        yield
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await app.state.intake.batches.close()
        await adapters.close_all()
        await app.state.database.close()


PARTS: list[Part] = [_spans, _resources, feed.part, understanding.part]
"""Started in this order, stopped in the reverse one."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for part in PARTS:
            await stack.enter_async_context(part(app))
        yield
