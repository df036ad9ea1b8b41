"""The log's cursor: opaque, of this log only, and never garbage."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import facts
from app.core.facts import Position, Resync

EPOCH = uuid4()


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_a_cursor_comes_back_as_it_was(xid: int, id: int) -> None:
    assert facts.decode(facts.encode(Position(xid, id), epoch=EPOCH), epoch=EPOCH) == Position(xid, id)


@given(st.text() | st.text("ABCabc012-_=.", max_size=60))
def test_garbage_is_no_cursor(text: str) -> None:
    with pytest.raises(Resync):
        facts.decode(text, epoch=EPOCH)


def test_a_cursor_of_another_log_is_none_of_ours() -> None:
    cursor = facts.encode(Position(5, 7), epoch=uuid4())
    with pytest.raises(Resync):
        facts.decode(cursor, epoch=EPOCH)


@pytest.mark.parametrize("place", [(-1, 5), (5, -1), (2**63, 5), (5, 2**64)])
def test_a_place_out_of_the_world_is_no_cursor(place: tuple[int, int]) -> None:
    with pytest.raises(Resync):
        facts.decode(facts.encode(Position(*place), epoch=EPOCH), epoch=EPOCH)
