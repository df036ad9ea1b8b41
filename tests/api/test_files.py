"""Files of agents: stored by what they are, given back so that no browser runs them."""

import pytest

from app.core.config import Settings
from tests.api.conftest import World

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
PAGE = b"<html><script>alert(1)</script></html>"
PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


async def upload(world: World, name: str, data: bytes, mime: str) -> dict[str, object]:
    answer = await world.anna.post("/files", files={"file": (name, data, mime)})
    assert answer.status_code == 201, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_a_picture_comes_back_as_it_was(world: World) -> None:
    file = await upload(world, "шкаф.png", PNG, "text/html")
    assert (file["kind"], file["mime"], file["size"]) == ("image", "image/png", len(PNG))
    answer = await world.anna.get(str(file["url"]))
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].startswith("inline")
    kept = await world.anna.get(str(file["url"]), params={"download": "true"})
    assert kept.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("name", "data", "mime"),
    [
        ("page.html", PAGE, "text/html"),
        ("drawing.svg", PICTURE, "image/svg+xml"),
        ("drawing.png", PICTURE, "image/png"),
        ("page.xhtml", PAGE, "application/xhtml+xml"),
        ("script.js", b"alert(1)", "text/javascript"),
    ],
)
async def test_what_could_run_is_only_downloaded(world: World, name: str, data: bytes, mime: str) -> None:
    file = await upload(world, name, data, mime)
    answer = await world.anna.get(str(file["url"]))
    assert file["kind"] == "document"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("../../etc/passwd", "passwd"), ("C:\\boot.ini", "boot.ini"), ("\u202egnp.exe", "gnp.exe")],
)
async def test_names_are_harmless(world: World, given: str, kept: str) -> None:
    file = await upload(world, given, b"x", "application/octet-stream")
    assert file["name"] == kept


async def test_another_agents_upload_is_not_there(world: World) -> None:
    file = await upload(world, "a.png", PNG, "image/png")
    assert (await world.lead.get(str(file["url"]))).status_code == 404


async def test_a_file_that_is_too_large_is_refused(world: World, settings: Settings) -> None:
    world.app.state.settings.max_file_bytes = 10_000
    answer = await world.anna.post("/files", files={"file": ("a.bin", b"x" * 10_001)})
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
