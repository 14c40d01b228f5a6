"""The legal clock counts months as the law does, not days."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erasure.deadline import due_by, months_after


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-01-31", "2026-02-28"),
        ("2026-03-05", "2026-04-05"),
        ("2027-02-01", "2027-03-01"),  # thirty days would end on 3 March, late
        ("2026-08-31", "2026-09-30"),
        ("2028-01-30", "2028-02-29"),  # a leap year
        ("2026-12-31", "2027-01-31"),
        ("2026-04-30", "2026-05-30"),  # the last day of a month does not become the last day of the next
    ],
)
def test_one_month(received: str, due: str) -> None:
    """Reg. 1182/71 Art. 3(2)(c), without the grace for weekends and holidays."""
    assert months_after(date.fromisoformat(received), 1) == date.fromisoformat(due)


@pytest.mark.parametrize(
    ("day", "months", "end"),
    [
        ("2026-01-31", 3, "2026-04-30"),
        ("2027-02-01", 3, "2027-05-01"),
        ("2028-02-29", 36, "2031-02-28"),
        ("2026-05-17", 0, "2026-05-17"),
        ("2026-12-01", 12, "2027-12-01"),
        ("2026-11-30", 3, "2027-02-28"),
    ],
)
def test_several_months(day: str, months: int, end: str) -> None:
    """Each month is counted from the first day, so that a short one in between takes nothing away."""
    assert months_after(date.fromisoformat(day), months) == date.fromisoformat(end)


def test_every_day_of_a_century() -> None:
    """The due day is 28 to 31 days off, and has the same number or is its month's last."""
    day, end = date(1990, 1, 1), date(2100, 12, 31)
    while day <= end:
        due = months_after(day, 1)
        assert timedelta(days=28) <= due - day <= timedelta(days=31)
        assert due.day == day.day or (due.day < day.day and due.day == calendar.monthrange(due.year, due.month)[1])
        day += timedelta(days=1)


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 12, 31), timezones=ZONES)  # noqa: DTZ001 -- zones are drawn


@given(MOMENTS)
def test_the_period_ends_with_its_last_hour(moment: datetime) -> None:
    """The answer may come until the end of the last day; a zone never makes it later than UTC would."""
    due = due_by(moment)
    assert (due.hour, due.minute, due.second, due.utcoffset()) == (23, 59, 59, timedelta())
    assert due <= due_by(moment.astimezone(UTC))
    assert timedelta(days=27) <= due - moment <= timedelta(days=32)


def test_an_evening_in_texas_counts_as_that_evening() -> None:
    """Asked on 31 January there, it is 1 February in UTC already: the earlier date is the one that counts."""
    asked = datetime(2026, 1, 31, 20, tzinfo=timezone(timedelta(hours=-6)))
    assert due_by(asked).date() == date(2026, 2, 28)


@given(MOMENTS, st.timedeltas(timedelta(), timedelta(days=40)))
def test_who_asks_later_is_never_answered_earlier(moment: datetime, later: timedelta) -> None:
    """The clock does not run backwards, not even at the end of a month."""
    assert due_by(moment) <= due_by(moment + later)
