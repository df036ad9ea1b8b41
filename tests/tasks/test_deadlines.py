"""The deadline nobody said: the next working morning of the owner, wherever he lives."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.agents.models import Agent
from app.core import clock
from tasks.deadlines import next_working_morning
from tests.tasks.office import Office


@pytest.mark.parametrize(
    ("after", "time_zone", "expected"),
    [
        ("2026-11-18T12:00:00+00:00", "Europe/Moscow", "2026-11-19T05:00:00+00:00"),  # Wednesday → Thursday
        ("2026-11-20T12:00:00+00:00", "Europe/Moscow", "2026-11-23T05:00:00+00:00"),  # Friday → Monday
        ("2026-11-21T12:00:00+00:00", "Europe/Moscow", "2026-11-23T05:00:00+00:00"),  # Saturday → Monday
        ("2026-11-22T23:30:00+00:00", "Europe/Moscow", "2026-11-23T05:00:00+00:00"),  # Monday night there
        ("2026-11-19T03:00:00+00:00", "Europe/Moscow", "2026-11-19T05:00:00+00:00"),  # before the morning
        ("2026-11-19T05:00:00+00:00", "Europe/Moscow", "2026-11-20T05:00:00+00:00"),  # at the morning
        ("2026-11-20T12:00:00+00:00", "Asia/Vladivostok", "2026-11-22T22:00:00+00:00"),  # Monday 08:00 there
        (
            "2026-11-20T12:00:00+00:00",
            "America/New_York",
            "2026-11-20T13:00:00+00:00",
        ),  # Friday morning there
        ("2026-11-20T12:00:00+00:00", "Asia/Kolkata", "2026-11-23T02:30:00+00:00"),
        ("2026-03-27T12:00:00+00:00", "Europe/Berlin", "2026-03-30T06:00:00+00:00"),  # summer time begins
        ("2026-10-23T12:00:00+00:00", "Europe/Berlin", "2026-10-26T07:00:00+00:00"),  # and ends
        ("2026-12-31T12:00:00+00:00", "Europe/Moscow", "2027-01-01T05:00:00+00:00"),  # holidays are not known
    ],
)
def test_the_next_working_morning(after: str, time_zone: str, expected: str) -> None:
    found = next_working_morning(datetime.fromisoformat(after), time_zone=time_zone)
    assert found == datetime.fromisoformat(expected)


@given(
    after=st.datetimes(
        min_value=datetime.fromisoformat("2024-01-01"),
        max_value=datetime.fromisoformat("2030-01-01"),
        timezones=st.just(ZoneInfo("UTC")),
    ),
    time_zone=st.sampled_from(
        ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Moscow", "America/St_Johns"]
    ),
)
def test_it_is_always_a_working_morning_within_three_days(after: datetime, time_zone: str) -> None:
    found = next_working_morning(after, time_zone=time_zone)
    there = found.astimezone(ZoneInfo(time_zone))
    assert (there.hour, there.minute) == (8, 0)
    assert there.weekday() < 5
    assert timedelta(0) < found - after <= timedelta(days=3, hours=1)


async def test_a_task_takes_the_morning_of_its_owner_not_of_its_creator(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with office.db.transaction() as session:
        boris = await session.get_one(Agent, office.agents["boris"])
        boris.time_zone = "Asia/Vladivostok"
    monkeypatch.setattr(clock, "now", lambda: datetime.fromisoformat("2026-11-20T12:00:00+00:00"))
    own = await office.task()
    his = await office.task(owner_id=office.agents["boris"])
    said = await office.task(deadline_at="2026-11-21T10:00:00+03:00")
    assert own.deadline_at == datetime.fromisoformat("2026-11-23T05:00:00+00:00")
    assert his.deadline_at == datetime.fromisoformat("2026-11-22T22:00:00+00:00")
    assert said.deadline_at == datetime.fromisoformat("2026-11-21T07:00:00+00:00")
