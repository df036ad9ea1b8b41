"""Spans go to a collector when one is set, below the caller's; without one nothing of it is loaded."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.core import tracing
from app.core.config import SettingsError
from app.core.errors import NotFound
from tests.api.conftest import make_client, make_settings, running, serve
from tests.helpers import eventually


class Collector:
    """Keeps the spans it is sent, by name."""

    def __init__(self) -> None:
        self.spans: dict[str, list[Any]] = {}
        self.services: set[str] = set()

    async def take(self, request: Request) -> Response:
        batch = ExportTraceServiceRequest.FromString(await request.body())
        for part in batch.resource_spans:
            named = {item.key: item.value.string_value for item in part.resource.attributes}
            self.services.add(named["service.name"])
            for scope in part.scope_spans:
                for span in scope.spans:
                    self.spans.setdefault(span.name, []).append(span)
        return Response(status_code=200, media_type="application/x-protobuf")


@pytest.fixture
async def collector() -> AsyncIterator[tuple[Collector, str]]:
    kept = Collector()
    app = Starlette(routes=[Route("/v1/traces", kept.take, methods=["POST"])])
    async with serve(app) as address:
        yield kept, address


async def test_requests_and_batches_of_the_feed_are_sent(
    collector: tuple[Collector, str], database_url: str, tmp_path: Path
) -> None:
    kept, address = collector
    trace, caller = uuid4().hex, uuid4().hex[:16]
    settings = make_settings(database_url, tmp_path, otel_endpoint=address)
    async with running(settings) as app, make_client(app) as client:
        answer = await client.get(
            f"/dialogs/{uuid4()}",
            headers={"traceparent": f"00-{trace}-{caller}-01", "X-Request-Id": "from-the-proxy"},
        )
        assert answer.status_code == 401
        position = app.state.feed.position
        async with app.state.database.transaction() as session:
            from app.core import facts

            await facts.record(session, "team.created", actor=facts.SYSTEM, team_id=uuid4())
        await eventually(lambda: app.state.feed.position > position)
    (span,) = kept.spans["GET /api/v1/dialogs/{dialog_id}"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (trace, caller)
    said = {item.key: item.value.string_value or item.value.int_value for item in span.attributes}
    assert (said["http.response.status_code"], said["otklik.request_id"]) == (401, "from-the-proxy")
    assert "feed.batch" in kept.spans
    assert kept.services == {"otklik-serve"}


async def test_a_fault_inside_a_step_goes_on(collector: tuple[Collector, str], tmp_path: Path) -> None:
    kept, address = collector
    settings = make_settings("postgresql://x/y", tmp_path, otel_endpoint=address)
    async with tracing.exporting(settings, service="test"):
        with pytest.raises(NotFound), tracing.span("outer"), tracing.span("inner", kind="vk"):
            raise NotFound
    (outer,), (inner,) = kept.spans["outer"], kept.spans["inner"]
    assert inner.parent_span_id == outer.span_id


async def test_a_collector_that_is_away_stops_nothing(tmp_path: Path, unused_tcp_port: int) -> None:
    away = make_settings("postgresql://x/y", tmp_path, otel_endpoint=f"http://127.0.0.1:{unused_tcp_port}")
    async with tracing.exporting(away, service="test"):
        with tracing.span("lost"):
            pass


async def test_without_the_packages_the_start_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    settings = make_settings("postgresql://x/y", tmp_path, otel_endpoint="http://127.0.0.1:1")
    with pytest.raises(SettingsError, match=r"otklik\[otel\]"):
        async with tracing.exporting(settings, service="test"):
            pass


def test_nothing_of_it_is_imported_when_it_is_off() -> None:
    code = """
import sys, app.main, app.worker
from app.core import tracing
with tracing.span("x"), tracing.request({}):
    pass
sys.exit(any(name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")) for name in sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
