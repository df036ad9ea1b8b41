"""Spans for OpenTelemetry when OTKLIK_OTEL_ENDPOINT is set; without it nothing of it is even imported."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from app.core.config import Settings, SettingsError

_SECONDS = 5
_tracer: Any = None


@asynccontextmanager
async def exporting(settings: Settings, *, service: str) -> AsyncIterator[None]:
    """Send the spans of this process while inside; what is left is sent at the end, for a few seconds."""
    global _tracer
    if settings.otel_endpoint is None:
        yield
        return
    provider = _provider(settings.otel_endpoint, service)
    _tracer = provider.get_tracer("otklik")
    try:
        yield
    finally:
        _tracer = None
        await asyncio.to_thread(provider.shutdown)


def _provider(endpoint: str, service: str) -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingsError("OTKLIK_OTEL_ENDPOINT needs the extra packages `otklik[otel]`.") from None
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=_SECONDS)
    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """A step of ours, below the one it happens in."""
    if _tracer is None:
        yield
        return
    with _tracer.start_as_current_span(name, attributes=attributes):
        yield


@contextmanager
def request(headers: Mapping[str, str]) -> Iterator[Any]:
    """An HTTP request, below the caller's step that `traceparent` names; yields the span, or None."""
    if _tracer is None:
        yield None
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract(dict(headers))
    with _tracer.start_as_current_span("HTTP", context=context, kind=SpanKind.SERVER) as made:
        yield made
