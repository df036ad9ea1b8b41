"""The kit that a test asks for, with its platform running."""

from collections.abc import AsyncIterator

import pytest

from tests.channels.contract.kit import Kit, kits


@pytest.fixture
async def kit(request: pytest.FixtureRequest) -> AsyncIterator[Kit]:
    async with request.param() as kit:
        yield kit


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`kit`: every kit, or those the marker `needs` picks. `fault`: each fault of the kit."""
    if "kit" not in metafunc.fixturenames:
        return
    needs = [name for mark in metafunc.definition.iter_markers("needs") for name in mark.args]
    wanted = [kit for kit in kits() if all(getattr(kit, name) for name in needs)]
    if "fault" in metafunc.fixturenames:
        faults = next(mark.args[0] for mark in metafunc.definition.iter_markers("faults"))
        pairs = [(kit, fault) for kit in wanted for fault in getattr(kit, faults)]
        ids = [f"{kit.kind}-{fault}" for kit, fault in pairs]
        metafunc.parametrize(("kit", "fault"), pairs, ids=ids, indirect=["kit"])
        return
    metafunc.parametrize("kit", wanted, ids=[kit.kind for kit in wanted], indirect=True)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*names): kits for which these attributes are true")
    config.addinivalue_line(
        "markers", "faults(name): one test per fault that this attribute of the kit lists"
    )
