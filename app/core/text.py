"""Text that callers send: PostgreSQL stores everything but NUL, so NUL is refused by name."""

from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints


def _without_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain NUL characters")
    return value


ShortText = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=300), AfterValidator(_without_nul)
]
"""A name, a title, an address: one line."""
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300),
    AfterValidator(_without_nul),
]
"""One line that must not be empty."""
LongText = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(_without_nul)]
"""A message, a description."""


def _deep(value: Any) -> Any:
    if isinstance(value, str):
        _without_nul(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            _deep(name)
            _deep(item)
    elif isinstance(value, list):
        for item in value:
            _deep(item)
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(_deep)]
"""An object of any shape, without NUL in any text."""
