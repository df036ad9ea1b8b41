"""A disk that fills: platforms are told to come again, the operator where; all goes on once there is room."""

import errno
from typing import Any

import pytest
from fastapi import FastAPI

from app.core import storage
from app.core.errors import Unavailable
from app.core.files import Files, new_key
from tests.api.conftest import World, make_client
from tests.watch.test_metrics import _post

_FULL = """
create function no_room() returns trigger language plpgsql as
$$ begin raise exception 'could not extend file: No space left on device' using errcode = $1; end $$;
create trigger no_room before insert on inbound for each statement execute function no_room()
"""


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_met", {})


async def _ready(app: FastAPI) -> Any:
    async with make_client(app) as client:
        return (await client.get("/readyz")).json()["checks"]["storage"]


async def test_a_full_database_is_told_and_gets_well_by_itself(
    world: World, app: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.database.raw.execute(_FULL.replace("$1", "'53100'"))
    assert await _ready(app) is True
    refused = await _post(world, "one")
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert int(refused.headers["retry-after"]) == storage.RETRY_AFTER
    assert "database is full" in refused.json()["detail"]
    assert refused.json()["request_id"] == refused.headers["x-request-id"]
    assert await _ready(app) is False
    assert "storage.full" in capsys.readouterr().out
    await world.database.raw.execute("drop trigger no_room on inbound")
    assert (await _post(world, "one")).status_code == 202
    storage._met.clear()  # as time does
    assert await _ready(app) is True


@pytest.mark.parametrize("state", ["53200", "53300"])
async def test_a_database_out_of_memory_or_connections_is_busy(world: World, state: str) -> None:
    await world.database.raw.execute(_FULL.replace("$1", f"'{state}'"))
    refused = await _post(world, "one")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert "no connections or no memory" in refused.json()["detail"]


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError("Generic LocalFileSystem error: No space left on device (os error 28)"),
    ],
)
async def test_a_full_file_store_says_so(fault: OSError) -> None:
    class Full:
        async def put_async(self, *_: Any) -> None:
            raise fault

    with pytest.raises(storage.StorageFull) as caught:
        await Files(Full).put(new_key(), b"x")  # type: ignore[arg-type]
    assert isinstance(caught.value, Unavailable)
    assert caught.value.fields["retry_after"] == storage.RETRY_AFTER


async def test_a_disk_nearly_full_is_not_ready(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await _ready(app) is True
    monkeypatch.setattr(storage, "LEAST_FREE", 1 << 62)
    assert await _ready(app) is False
