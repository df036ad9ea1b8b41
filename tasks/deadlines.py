"""Deadlines: the one a task gets when nobody says one."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

MORNING = time(8)
SATURDAY = 5


def next_working_morning(after: datetime, *, time_zone: str) -> datetime:
    """The first 08:00 of a working day (Monday to Friday) in `time_zone` that comes after `after`, in UTC."""
    zone = ZoneInfo(time_zone)
    day = after.astimezone(zone).date()
    while True:
        morning = datetime.combine(day, MORNING, tzinfo=zone)
        if morning > after and day.weekday() < SATURDAY:
            return morning.astimezone(UTC)
        day += timedelta(days=1)
