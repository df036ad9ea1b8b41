"""Text that callers send: PostgreSQL stores everything but NUL, so NUL is refused by name."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints


def _without_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain NUL characters")
    return value


ShortText = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=300), AfterValidator(_without_nul)
]
"""A name, a title, an address: one line."""
LongText = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(_without_nul)]
"""A message, a description."""
