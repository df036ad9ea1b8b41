"""The OpenAPI document: what FastAPI writes, and the problem answers of every operation."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.web.problems import MEDIA_TYPE

DESCRIPTION = """
REST API of Otklik. Times are ISO 8601 in UTC, ids are UUIDs, lists page by an opaque `cursor`.

**Who calls.** A browser signs in by `POST /api/v1/login` and carries the cookie `otklik_session`;
whatever changes something also needs the header `X-Otklik: 1`. A program sends
`Authorization: Bearer <API token>`; tokens have the scopes `read`, `write`, `admin`, `inbound`.

**Errors** are `application/problem+json` with a stable `code`. **Repeats**: a POST with an
`Idempotency-Key` that is sent again gets the first answer (24 hours); endpoints whose answers hold
secrets or that call a platform do not take the header.
"""
TAGS = [
    {"name": "Session", "description": "Signing in and out, one's own profile."},
    {"name": "Agents", "description": "People and bots who work here."},
    {"name": "Teams", "description": "Agents who share a queue."},
    {"name": "Tokens", "description": "API tokens for programs."},
    {"name": "Channels", "description": "Connected accounts of platforms."},
    {"name": "Inbound", "description": "Raw events as they came, and those that could not be understood."},
    {"name": "Dialogs", "description": "Handlings of customers' matters, and their messages."},
    {"name": "Customers", "description": "People we talk with."},
    {"name": "Files", "description": "Attachments."},
    {"name": "Search", "description": "Messages by their words."},
    {"name": "Reports", "description": "How the desk does."},
    {"name": "Tasks", "description": "Work that outlives the talk."},
    {"name": "Live", "description": "State, then every change of it."},
    {"name": "Site chat", "description": "What visitors' browsers call: no login, a visitor token."},
]
_PROBLEMS = {
    400: "A value is not acceptable.",
    401: "Nobody is signed in, or the token is not valid.",
    403: "The caller may not do this.",
    404: "There is no such object, or the caller may not see it.",
    409: "The object is not in the state this needs.",
    413: "The body or file is too large.",
    422: "The request is malformed; `errors` names the fields.",
    429: "Too many attempts; see `Retry-After`.",
    500: "Something went wrong on the server.",
    503: "The server cannot do this just now; see `Retry-After`.",
}
_PROBLEM = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "For machines and translation."},
        "detail": {"type": "string", "description": "One sentence that says what to do."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
    "example": {
        "type": "about:blank",
        "title": "There is no such object, or you may not see it.",
        "status": 404,
        "code": "not_found",
        "detail": "There is no such object, or you may not see it.",
    },
}
_SECURITY = {
    "cookie": {"type": "apiKey", "in": "cookie", "name": "otklik_session"},
    "token": {"type": "http", "scheme": "bearer"},
}
_OPEN = ("/api/v1/login",)


def document(app: FastAPI) -> dict[str, Any]:
    """The document of `app`, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=DESCRIPTION,
            routes=app.routes,
            tags=TAGS,
        )
        _complete(schema)
        app.openapi_schema = schema
    return app.openapi_schema


def _complete(schema: dict[str, Any]) -> None:
    components = schema.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["securitySchemes"] = _SECURITY
    components["responses"] = {
        f"Problem{status}": {
            "description": description,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, description in _PROBLEMS.items()
    }
    for path, methods in schema.get("paths", {}).items():
        for method, operation in methods.items():
            _answers(path, method, operation)


def _answers(path: str, method: str, operation: dict[str, Any]) -> None:
    statuses = [401, 403, 422, 500, 503]
    if "{" in path:
        statuses.append(404)
    if method != "get":
        statuses += [400, 409, 413]
    if path in _OPEN:
        statuses.append(429)
        operation["security"] = []
    elif path.startswith("/api/"):
        operation["security"] = [{"cookie": []}, {"token": []}]
    for status in sorted(statuses):
        operation["responses"][str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
