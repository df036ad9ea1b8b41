"""Figures for Prometheus: one registry of the process; whoever does a thing counts it there himself.

Labels hold only names from the program (routes, kinds, results) or ids of channels, so that they stay few.
"""

import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
REGISTRY = CollectorRegistry()
QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
"""Seconds: bounds for what takes milliseconds."""
SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
"""Seconds: bounds for what waits in a queue or for a platform."""

ProcessCollector(registry=REGISTRY)
disable_created_metrics()  # type: ignore[no-untyped-call]  # a time beside each number, which nobody asks for
Family = CounterMetricFamily | GaugeMetricFamily


def counter(name: str, what: str, *labels: str) -> Counter:
    """`otklik_NAME_total`."""
    return Counter(f"otklik_{name}", what, labels, registry=REGISTRY)


def histogram(name: str, what: str, *labels: str, bounds: Iterable[float] = QUICK) -> Histogram:
    """`otklik_NAME_bucket`, `…_sum`, `…_count`."""
    return Histogram(f"otklik_{name}", what, labels, registry=REGISTRY, buckets=tuple(bounds))


def text(*sampled: Family) -> bytes:
    """The exposition: what was counted, and what was `sampled` just now."""
    now = CollectorRegistry()
    now.register(_Families(sampled))
    return generate_latest(REGISTRY) + generate_latest(now)


class _Families(Collector):
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = list(families)

    def collect(self) -> list[Family]:
        return self._families


def sample(name: str, what: str, values: Mapping[Any, float] | float, *labels: str) -> GaugeMetricFamily:
    """A gauge read at the time of the scrape; `values` by tuples of labels, when there are any."""
    family = GaugeMetricFamily(f"otklik_{name}", what, labels=labels)
    for key, value in (values if isinstance(values, Mapping) else {(): values}).items():
        family.add_metric(key, value)
    return family


def may_read(token: str | None, *, peer: str, authorization: str) -> bool:
    """With a token only its bearer; without one whoever asks from this machine."""
    if token:
        given = authorization.removeprefix("Bearer ").encode("utf-8", "replace")
        return hmac.compare_digest(given, token.encode())
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
