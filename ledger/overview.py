"""Every request in one line, read from its ledger entries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, and_, case, func, or_, select

from erasure.entry import Event
from erasure.outcome import OutcomeKind
from ledger.tables import ledger


class RequestState(StrEnum):
    """How far a request is."""

    RUNNING = "running"
    WAITING_ON_PERSON = "waiting_on_person"
    COMPLETED = "completed"
    SIGNED_OFF = "signed_off"
    CLOSED = "closed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class RequestLine:
    """One request. `received_at` is when its first entry was made, `final` how many systems are done."""

    request_id: str
    received_at: datetime
    state: RequestState
    systems: int
    final: int


# A cancelled request is closed as well, and stays "cancelled".
_STAGES = (
    (Event.COMPLETED, RequestState.COMPLETED),
    (Event.SIGNED_OFF, RequestState.SIGNED_OFF),
    (Event.CLOSED, RequestState.CLOSED),
    (Event.CANCELLED, RequestState.CANCELLED),
)
_FINAL = [kind.value for kind in OutcomeKind if kind.final]
_NEEDS_PERSON = [OutcomeKind.WAITING_ON_PERSON.value, OutcomeKind.NEEDS_ATTENTION.value]


def _one_per_system() -> Select[Any]:
    """Return, for each system of each request, its first entry and the one that says how it stands."""
    # A retry makes an earlier outcome void.
    decides = or_(ledger.c.outcome.is_not(None), ledger.c.event == Event.RETRIED.value)
    stage = case(*((ledger.c.event == event.value, rank) for rank, (event, _) in enumerate(_STAGES)), else_=-1)
    return select(
        ledger.c.request_id,
        ledger.c.system,
        func.min(ledger.c.at).label("first"),
        func.max(case((decides, ledger.c.number))).label("latest"),
        func.max(stage).label("stage"),
    ).group_by(ledger.c.request_id, ledger.c.system)


def lines() -> Select[Any]:
    """Return the question for all requests at once, newest first."""
    each = _one_per_system().subquery("each_system")
    stands = ledger.alias("stands")
    named = each.c.system != ""
    received = func.min(each.c.first)
    return (
        select(
            each.c.request_id,
            received.label("received_at"),
            func.max(each.c.stage).label("stage"),
            func.count(case((named, 1))).label("systems"),
            func.count(case((and_(named, stands.c.outcome.in_(_FINAL)), 1))).label("final"),
            func.count(case((and_(named, stands.c.outcome.in_(_NEEDS_PERSON)), 1))).label("waiting"),
        )
        .select_from(each.outerjoin(stands, stands.c.number == each.c.latest))
        .group_by(each.c.request_id)
        .order_by(received.desc(), each.c.request_id)
    )


def line(row: Row[Any]) -> RequestLine:
    """Return one answer of `lines`."""
    state = RequestState.WAITING_ON_PERSON if row.waiting else RequestState.RUNNING
    if row.stage >= 0:
        state = _STAGES[row.stage][1]
    return RequestLine(row.request_id, row.received_at, state, row.systems, row.final)
