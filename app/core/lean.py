"""What keeps the start of a program that serves short and its memory small."""

import gc
import sys


def begin() -> None:
    """Before a program imports the rest of itself: nothing is built or looked at that may never be needed."""
    # structlog and httpx load it when it is there: for tracebacks in colour, and for a command of httpx.
    sys.modules["rich"] = None  # type: ignore[assignment]  # how Python marks what cannot be imported
    gc.disable()
    from pydantic import BaseModel

    # FastAPI's models and ours: each is built when something is first checked against it.
    BaseModel.model_config["defer_build"] = True


def settle() -> None:
    """When all is imported, which stays: the collector never looks at it again."""
    gc.freeze()
    gc.enable()
