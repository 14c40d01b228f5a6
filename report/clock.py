"""The legal clock of a request: GDPR Art. 12(3), counted to the last second of the due day."""

from __future__ import annotations

from datetime import UTC, datetime

from erasure.entry import Entry
from report import words
from report.shape import Clock, ClockState

# The ledger knows when the work was done; when the person was told is not in it.
_NOT_TOLD = "When the person was told is not in the ledger."


def state_of(due_by: datetime, now: datetime, completed: Entry | None, cancelled: Entry | None) -> ClockState:
    """Return how a request stands against its due date; what was done in time stays so, however late it is signed."""
    if completed:
        return ClockState.IN_TIME if _within(completed.at, due_by) else ClockState.LATE
    if cancelled:
        return ClockState.CANCELLED
    return ClockState.RUNNING if _within(now, due_by) else ClockState.OVERDUE


def days_to(due_by: datetime, moment: datetime) -> int:
    """Return the whole days between a moment and the due date, in UTC; never negative, the state says which side."""
    return abs((due_by.astimezone(UTC).date() - moment.astimezone(UTC).date()).days)


def answer(clock: Clock) -> str:
    """Say whether it is in time, in one or two sentences."""
    due, gap = words.day(clock.due_by), words.days(clock.days)
    done = words.day(clock.completed_at) if clock.completed_at else ""
    ended = words.day(clock.cancelled_at) if clock.cancelled_at else ""
    before = f"{gap} before the due date of {due}" if clock.days else f"on the due date, {due}"
    late = f"{gap} after the due date of {due} (GDPR Art. 12(3)). The ledger holds no extension."
    return {
        ClockState.IN_TIME: f"In time: the work was completed on {done}, {before} (GDPR Art. 12(3)). {_NOT_TOLD}",
        ClockState.LATE: f"Late: the work was completed on {done}, {late} {_NOT_TOLD}",
        ClockState.RUNNING: f"Still running: {gap} left until the due date of {due} (GDPR Art. 12(3)).",
        ClockState.OVERDUE: f"Late and still running: {late}",
        ClockState.CANCELLED: f"The clock ended with the cancellation on {ended}; the due date was {due}.",
    }[clock.state]


def _within(moment: datetime, due_by: datetime) -> bool:
    """Tell whether a moment lies within the period, of which the last second belongs to it as a whole."""
    return moment.replace(microsecond=0) <= due_by
