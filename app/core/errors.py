"""What can go wrong for a caller. Rendered once, as problem+json (RFC 9457), by `app.web.problems`.

`code` is for machines and for translation in the console; `detail` is one English sentence that
says what to do.
"""

from typing import Any


class AppError(Exception):
    """An answer that is not a success. Children set `code` and `status`."""

    code = "error"
    status = 400
    title = "The request could not be carried out."

    def __init__(self, detail: str | None = None, /, **fields: Any) -> None:
        self.detail = detail or self.title
        self.fields = fields
        super().__init__(self.detail)


class NotFound(AppError):
    """There is no such thing, or the caller may not see it: the two look alike on purpose."""

    code, status, title = "not_found", 404, "There is no such object, or you may not see it."


class Forbidden(AppError):
    code, status, title = "forbidden", 403, "You may not do this."


class Unauthenticated(AppError):
    code, status, title = "unauthenticated", 401, "Sign in, or send a valid API token."


class Conflict(AppError):
    code, status, title = "conflict", 409, "The object is not in the state this needs."


class Invalid(AppError):
    """A value is well-formed but not acceptable."""

    code, status, title = "invalid", 400, "A value is not acceptable."


class TooLarge(AppError):
    code, status, title = "too_large", 413, "The body or file is larger than this server accepts."


class TooMany(AppError):
    code, status, title = "too_many_requests", 429, "Too many attempts; wait and try again."


class Unavailable(AppError):
    code, status, title = "unavailable", 503, "The server cannot do this just now; try again."
