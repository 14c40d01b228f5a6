"""The legal clock: one month from the person's own request, counted as the law counts."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time


def months_after(day: date, months: int) -> date:
    """Return the same-numbered day `months` later, or that month's last day when there is none.

    Reg. (EEC, Euratom) 1182/71 Art. 3(2)(c). The day of receipt is not counted. The grace for weekends and
    public holidays (Art. 3(4)) is not used: it differs between Member States, so nobody should plan on it.
    """
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def due_by(submitted_at: datetime) -> datetime:
    """Return the last moment for the answer of GDPR Art. 12(3), in UTC.

    `submitted_at` is the moment of the person's own request, not of its arrival in this program. The period ends
    with the last hour of its last day. Where the person's own date and the date in UTC differ, the earlier counts.
    """
    asked_on = min(submitted_at.date(), submitted_at.astimezone(UTC).date())
    last_day = months_after(asked_on, 1)
    return datetime.combine(last_day, time(23, 59, 59), tzinfo=UTC)
