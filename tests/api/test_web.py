"""What holds for every request: problems without traces, limits, headers, health, the console's files."""

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.routing import Route

from app.core import heartbeat
from app.web import limits, problems, static
from tests.api.conftest import Client, World, make_client, make_settings, running

SECRET = "hunter2-in-a-traceback"


async def _fail(_request: Request) -> None:
    raise RuntimeError(SECRET)


@pytest.fixture
def broken(app: FastAPI) -> FastAPI:
    app.router.routes.insert(0, Route("/api/v1/broken", _fail))
    return app


async def test_unexpected_errors_tell_nothing_but_a_request_id(broken: FastAPI) -> None:
    async with make_client(broken) as client:
        answer = await client.get("/broken", headers={"X-Request-Id": "abc-1"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == problems.MEDIA_TYPE
    assert answer.json()["code"] == "internal"
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "abc-1"
    assert SECRET not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_odd_request_ids_are_replaced(stranger: Client) -> None:
    answer = await stranger.get("/healthz", headers={"X-Request-Id": "a b;" * 50})
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("POST", "/login", b"{", 422, "malformed"),
        ("POST", "/login", b"[" * 100_000, 400, "invalid"),
        ("POST", "/login", b'"\xff"', 400, "invalid"),
        ("POST", "/login", b'{"email":"a@b","password":1}', 422, "malformed"),
        ("POST", "/login", b'{"email":"a\\u0000@b","password":"x"}', 422, "malformed"),
        ("POST", "/login", b'{"email":"\\ud800@b","password":"x"}', 422, "malformed"),
        ("POST", "/login", b"x" * (2 * 1024 * 1024 + 1), 413, "too_large"),
        ("GET", "/login", b"", 405, "method_not_allowed"),
        ("GET", "/nothing", b"", 404, "not_found"),
        ("GET", "/dialogs?q=%00", b"", 400, "invalid"),
        ("GET", "/channels/%00", b"", 400, "invalid"),
        ("GET", "/channels/no-uuid", b"", 422, "malformed"),
        ("GET", "/inbound?limit=0", b"", 422, "malformed"),
    ],
)
async def test_bad_input_is_a_clear_answer(
    world: World, method: str, path: str, content: bytes, status: int, code: str
) -> None:
    answer = await world.admin.request(
        method, path, content=content, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == problems.MEDIA_TYPE
    assert answer.json()["detail"]


async def test_a_body_without_length_is_counted(stranger: Client) -> None:
    async def endless():
        for _ in range(100):
            yield b"x" * 100_000

    answer = await stranger.post("/login", content=endless(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_database_away_is_503_with_retry_after(database_url: str, tmp_path: Path) -> None:
    async with running(make_settings(database_url, tmp_path)) as app, make_client(app) as client:
        app.state.database.engine.pool._timeout = 0.05
        holders = [await app.state.database.engine.connect() for _ in range(4)]
        try:
            answer = await client.get("/me", headers={"Authorization": "Bearer otk_x"})
        finally:
            for holder in holders:
                await holder.close()
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
        assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConnectionRefusedError("x"), 503),
        (FileNotFoundError("a file of ours"), 500),
        (ValueError("x"), 500),
    ],
)
def test_which_errors_mean_that_the_database_is_away(error: Exception, status: int) -> None:
    assert problems.of_unexpected(error, request_id="r").status_code == status


async def test_headers_for_browsers(stranger: Client) -> None:
    page = await stranger.get("http://desk.test/inbox")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["referrer-policy"] == "same-origin"
    api = await stranger.get("/me")
    assert api.headers["content-security-policy"].startswith("default-src 'none'")
    assert api.headers["cache-control"] == "no-store"
    frame = await stranger.get("/widget/frame.html")
    assert "frame-ancestors 'none'" not in frame.headers["content-security-policy"]


async def test_log_hides_webhook_keys_and_queries(
    capsys: pytest.CaptureFixture[str], stranger: Client
) -> None:
    await stranger.post("/hooks/very-secret-key?token=also-secret")
    printed = capsys.readouterr()
    assert "/hooks/***" in printed.out + printed.err
    assert "secret" not in printed.out + printed.err
    assert limits._public("/hooks/x") == "/hooks/***"


# --- health ----------------------------------------------------------------------------------


async def test_health(stranger: Client, app: FastAPI) -> None:
    assert (await stranger.get("/healthz")).status_code == 200
    alone = await stranger.get("/readyz")
    assert (alone.status_code, alone.json()["checks"]) == (
        200,
        {"database": True, "migrations": True, "loops": False, "storage": True},
    )
    async with app.state.database.transaction() as session:
        await heartbeat.beat(session, "worker", detail={})
    ready = await stranger.get("/readyz")
    assert (ready.status_code, ready.json()["ready"], ready.json()["checks"]["loops"]) == (200, True, True)
    await app.state.database.raw.execute("update heartbeats set seen_at = now() - interval '31 s'")
    assert (await stranger.get("/readyz")).json()["checks"]["loops"] is False


async def test_not_ready_without_migrations(stranger: Client, app: FastAPI) -> None:
    await app.state.database.raw.execute("delete from alembic_version")
    answer = await stranger.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["migrations"]) == (503, False)


# --- files -----------------------------------------------------------------------------------


@pytest.fixture
async def console(tmp_path: Path) -> httpx.AsyncClient:
    dist = tmp_path / "console" / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html>the console")
    (dist / "assets" / "index-1a2b.js").write_text("x" * 5000)
    (dist / "favicon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    app = FastAPI()
    problems.install(app)
    static.install(app, tmp_path)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk.test")


async def test_console_pages_lead_to_its_one_page(console: httpx.AsyncClient) -> None:
    for path in ("/", "/inbox", "/dialogs/01a1/thread"):
        answer = await console.get(path)
        assert (answer.status_code, answer.text) == (200, "<!doctype html>the console")
        assert answer.headers["cache-control"] == "no-cache"
    again = await console.get("/", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_hashed_files_are_kept_and_compressed(console: httpx.AsyncClient) -> None:
    answer = await console.get("/assets/index-1a2b.js")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/hooks", "/widget/x.js", "/assets/gone.js", "/x.map", "/..%2fsecret.txt"]
)
async def test_missing_files_are_not_the_console(console: httpx.AsyncClient, path: str) -> None:
    answer = await console.get(path)
    assert answer.status_code == 404
    assert "console" not in answer.text


async def test_console_that_is_not_built_says_so(tmp_path: Path) -> None:
    app = FastAPI()
    static.install(app, tmp_path)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk.test")
    answer = await client.get("/")
    assert answer.status_code == 503
    assert "not built" in answer.text
    assert (await client.get("/api/v1/nothing")).status_code == 404


# --- the document ----------------------------------------------------------------------------


async def test_openapi_document(stranger: Client) -> None:
    document = (await stranger.get("/openapi.json")).json()
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations:
        where = f"{method} {path}"
        assert operation.get("summary"), where
        assert operation.get("tags"), where
        assert "422" in operation["responses"], where
        if path.startswith("/api/") and method == "post":
            assert "409" in operation["responses"], where
    problem = document["components"]["responses"]["Problem404"]["content"]
    assert set(problem) == {problems.MEDIA_TYPE}


async def test_requests_in_flight_do_not_share_state(world: World) -> None:
    answers = await asyncio.gather(
        *(client.get("/me") for client in (world.anna, world.boris, world.lead) for _ in range(5))
    )
    names = [answer.json()["name"] for answer in answers]
    assert names == ["Anna"] * 5 + ["Boris"] * 5 + ["Lead"] * 5
