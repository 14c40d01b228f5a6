"""What is kept, and why: the policy's exceptions as they came true, not as they were planned."""

from __future__ import annotations

from typing import Any

from erasure.entry import Entry, Event
from erasure.outcome import OutcomeKind
from report.history import History
from report.shape import KeptRow

_TOMBSTONE = "deleted_members"  # the exception's name in policy.toml
_TOMBSTONE_KIND = "deleted_members_entry"  # the plan names the member record, which is erased, not kept


def kept_rows(history: History, *, cancelled: bool) -> tuple[KeptRow, ...]:
    """Return what is kept in a system, or planned to be while it is open; a cancelled request keeps by no exception."""
    planned = history.outcome is None
    listed = [] if cancelled and planned else _listed(history)
    rows = tuple(_row(history.name, item, planned=planned) for item in listed if item["exception"] != _TOMBSTONE)
    return (*rows, *_tombstone(history, listed, planned=planned))


def stays_in_system(rows: tuple[KeptRow, ...]) -> bool:
    """Tell whether a re-read of the system still finds something that is kept there."""
    return any(row.exception != _TOMBSTONE for row in rows)


def tombstone_missing(history: History) -> bool:
    """Tell whether a finished system was to have a deleted-members entry that was never written."""
    if history.outcome in {None, OutcomeKind.EXCUSED}:  # an excused member record may never have been touched
        return False
    wanted = any(item["exception"] == _TOMBSTONE for item in _listed(history))
    return wanted and not history.last(Event.TOMBSTONE_WRITTEN)


def _listed(history: History) -> list[dict[str, Any]]:
    """Return the exceptions of the outcome; an excused outcome names none, though the planned ones stay true."""
    source: Entry | None = history.concluded
    if source is None or history.outcome in {None, OutcomeKind.EXCUSED}:
        source = history.last(Event.PLANNED)
    return list(source.detail.get("kept", [])) if source else []


def _tombstone(history: History, listed: list[dict[str, Any]], *, planned: bool) -> tuple[KeptRow, ...]:
    """Return the deleted-members entry: as written, or as planned, but never as kept when it was not written."""
    written = history.last(Event.TOMBSTONE_WRITTEN)
    if written:
        item = {"record_kind": _TOMBSTONE_KIND, "count": 1, "exception": _TOMBSTONE, **written.detail}
        return (_row(history.name, item, planned=False),)
    if not planned:
        return ()
    wanted = [{**item, "record_kind": _TOMBSTONE_KIND} for item in listed if item["exception"] == _TOMBSTONE]
    return tuple(_row(history.name, item, planned=True) for item in wanted)


def _row(system: str, item: dict[str, Any], *, planned: bool) -> KeptRow:
    fields = {name: item[name] for name in ("record_kind", "count", "exception", "article", "scope")}
    return KeptRow(system=system, until=item.get("until"), planned=planned, **fields)
