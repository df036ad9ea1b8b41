"""The built console at `/` and the built site chat at `/widget/`, from the files of this program."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

ROOT = Path(__file__).resolve().parents[2]
_HASHED = "public, max-age=31536000, immutable"
_LOOK_AGAIN = "no-cache"
_RESERVED = ("api", "hooks", "widget")
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Otklik</title>
<h1>The console is not built</h1>
<p>Run <code>make run</code>, or <code>npm ci &amp;&amp; npm run build</code> in <code>console/</code>,
then load this page again. The API answers under <code>/api/v1</code>.</p></html>
"""


class Built(StaticFiles):
    """Files of a build: what has a hash in its name (`assets/`) is kept for ever, the rest is asked for."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        hashed = path.replace("\\", "/").startswith("assets/")
        response.headers["Cache-Control"] = _HASHED if hashed else _LOOK_AGAIN
        return response


class Console(Built):
    """Addresses of the console's own pages all lead to its one page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        first = path.replace("\\", "/").split("/", 1)[0]
        if first in _RESERVED:
            raise HTTPException(404)
        try:
            return await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or first == "assets" or "." in path.rsplit("/", 1)[-1]:
                raise
            return await super().get_response("index.html", scope)


async def _not_built(request: Request) -> Response:
    if request.url.path.strip("/").split("/", 1)[0] in _RESERVED:
        raise HTTPException(404)
    return HTMLResponse(_NOT_BUILT, status_code=503, headers={"Cache-Control": "no-store"})


def routes(root: Path = ROOT) -> list[BaseRoute]:
    """The site chat, and the console for whatever is left."""
    found: list[BaseRoute] = []
    widget = root / "widget" / "dist"
    if widget.is_dir():
        found.append(Mount("/widget", GZipMiddleware(Built(directory=widget)), name="widget"))
    console = root / "console" / "dist"
    if (console / "index.html").is_file():
        app = Console(directory=console, html=True)
        found.append(Mount("/", GZipMiddleware(app), name="console"))
    else:
        found.append(Route("/{path:path}", _not_built, name="console"))
    return found


def install(app: Starlette, root: Path = ROOT) -> None:
    """Answer what no route knows. Not as routes: they would hide that a route knows another method."""
    nothing, files = app.router.default, Router(routes(root))

    async def left(scope: Scope, receive: Receive, send: Send) -> None:
        await (files if scope["type"] == "http" else nothing)(scope, receive, send)

    app.router.default = left
