"""Calls of adapters as figures: how long each took and how it ended."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from app.core import metrics
from channels.base import BadEvent, DeliveryError, Gone

_SECONDS = metrics.histogram(
    "adapter_call_seconds", "Calls of platforms.", "kind", "call", "result", bounds=metrics.SLOW
)
_WORDS = re.compile(r"(?<!^)(?=[A-Z])")


@contextmanager
def measured(kind: str, call: str) -> Iterator[None]:
    """Around one call. Results: `ok`, the delivery error (`retry_later`), `timeout`, `fault`, `cancelled`."""
    began, result = time.perf_counter(), "ok"
    try:
        yield
    except (DeliveryError, Gone, BadEvent) as error:
        result = _WORDS.sub("_", type(error).__name__).lower()
        raise
    except TimeoutError:
        result = "timeout"
        raise
    except Exception:
        result = "fault"
        raise
    except BaseException:
        result = "cancelled"
        raise
    finally:
        _SECONDS.labels(kind, call, result).observe(time.perf_counter() - began)
