"""What a request tells about itself: to people in the Temporal UI, and to programs by a query."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, ConfigDict

    from erasure.outcome import EvidenceLevel, Outcome

_FROZEN = ConfigDict(frozen=True, extra="forbid")

# Stored in clear by Temporal: nothing personal, ever.
RIGHT = SearchAttributeKey.for_keyword("RequestRight")
STATE = SearchAttributeKey.for_keyword("RequestState")
DUE_BY = SearchAttributeKey.for_datetime("DueBy")
PENDING = SearchAttributeKey.for_keyword_list("PendingSystems")
ATTENTION = SearchAttributeKey.for_keyword_list("AttentionSystems")
SEARCH_ATTRIBUTES = (RIGHT, STATE, DUE_BY, PENDING, ATTENTION)


class RequestState(StrEnum):
    """Where a request is."""

    RECEIVED = "received"
    DISCOVERING = "discovering"
    ACTING = "acting"
    VERIFYING = "verifying"
    NEEDS_ATTENTION = "needs_attention"
    AWAITING_SIGN_OFF = "awaiting_sign_off"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class SystemState(StrEnum):
    """Where one system is."""

    DISCOVERING = "discovering"
    WAITING_FOR_OTHERS = "waiting_for_others"
    PLANNING = "planning"
    ACTING = "acting"
    CONFIRMING = "confirming"
    FIRST_LOOK_DUE = "first_look_due"
    VERIFYING = "verifying"
    SECOND_LOOK_DUE = "second_look_due"
    NEEDS_ATTENTION = "needs_attention"
    FINAL = "final"


class SystemStatus(BaseModel):
    """One row of the table of systems."""

    model_config = _FROZEN

    system: str
    state: SystemState
    found: dict[str, int] = {}
    done: dict[str, int] = {}
    evidence: EvidenceLevel = EvidenceLevel.E0
    outcome: Outcome | None = None
    reason: str = ""
    waiting_until: datetime | None = None
    turns: int = 1


class RequestStatus(BaseModel):
    """The whole request at one moment."""

    model_config = _FROZEN

    request_id: str
    right: str
    state: RequestState
    due_by: datetime | None
    systems: tuple[SystemStatus, ...] = ()
    reason: str = ""


def attributes(status: RequestStatus) -> list[SearchAttributeUpdate[Any]]:
    """Return the search attributes of a status."""
    pending = sorted(row.system for row in status.systems if row.outcome is None)
    attention = sorted(row.system for row in status.systems if row.state is SystemState.NEEDS_ATTENTION)
    due = [DUE_BY.value_set(status.due_by)] if status.due_by else []
    return [STATE.value_set(status.state), PENDING.value_set(pending), ATTENTION.value_set(attention), *due]


def details(status: RequestStatus) -> str:
    """Return the Markdown that the Temporal UI shows as the current details of the workflow."""
    due = f"{status.due_by:%Y-%m-%d}" if status.due_by else "-"
    reason = f" · {status.reason}" if status.reason else ""
    lines = [
        f"**{status.right}** · state **{status.state}** · due by **{due}**{reason}",
        "",
        "| system | state | found | done | evidence | note |",
        "|---|---|---|---|---|---|",
        *map(_row, status.systems),
    ]
    if any(row.state is SystemState.NEEDS_ATTENTION for row in status.systems):
        request = status.request_id
        lines += ["", f"Needs a person: `erasure retry {request} SYSTEM`, `attest` or `skip` with a reason code."]
    return "\n".join(lines)


def _row(row: SystemStatus) -> str:
    state = row.outcome.kind if row.outcome else row.state
    evidence = row.evidence.name if row.evidence or row.outcome else ""
    note = row.reason or (f"until {row.waiting_until:%Y-%m-%d %H:%M} UTC" if row.waiting_until else "")
    return f"| {row.system} | {state} | {_numbers(row.found)} | {_numbers(row.done)} | {evidence} | {note} |"


def _numbers(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def request_state(rows: Iterable[SystemStatus]) -> RequestState:
    """Return the state of a request whose systems are at work: a stopped system first, then the earliest step."""
    states = {row.state for row in rows if row.outcome is None}
    if SystemState.NEEDS_ATTENTION in states:
        return RequestState.NEEDS_ATTENTION
    if states & {SystemState.ACTING, SystemState.CONFIRMING, SystemState.PLANNING}:
        return RequestState.ACTING
    if states & {SystemState.DISCOVERING}:
        return RequestState.DISCOVERING
    if states & {SystemState.FIRST_LOOK_DUE, SystemState.VERIFYING, SystemState.SECOND_LOOK_DUE}:
        return RequestState.VERIFYING
    return RequestState.ACTING if states else RequestState.VERIFYING
