"""The completion report of one request, from its ledger entries alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from erasure.entry import Entry, Event
from erasure.sentence import BadInput, first_fault
from report import answers
from report import clock as legal_clock
from report.history import History
from report.shape import Answers, Clock, CompletionReport, Limit, Standing, State
from report.system import human_steps, limits_of, system_facts

__all__ = ["CompletionReport", "completion_report"]

# What an authority may ask for and this ledger has no entry for; silence would look like a "yes".
_NOT_IN_THE_LEDGER = (
    "How the person's identity was checked (GDPR Art. 12(6)) is not in the ledger.",
    "When and how the person was told of the result (GDPR Art. 12(3)) is not in the ledger.",
    "Whether recipients of the data were told (GDPR Art. 19) is not in the ledger.",
    "When the data leave the systems' backups is not in the ledger.",
)


class _Opening(BaseModel):
    """What the first entry of a request fixes; a later version may write more."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    right: str
    ground: str = ""
    submitted_at: datetime
    due_by: datetime
    policy_version: str
    policy_digest: str
    systems: tuple[str, ...]


def completion_report(entries: Sequence[Entry], now: datetime) -> CompletionReport:
    """Return what the ledger says about one request at this moment.

    Raises:
        BadInput: there are no entries, they are not one request's, or the first one is not there or cannot be read.
    """
    first = _first(entries)
    try:
        return _report(entries, _Opening.model_validate(first.detail), first, now)
    except ValidationError as error:
        raise BadInput(f"the ledger of this request cannot be read: {first_fault(error)}") from None


def _first(entries: Sequence[Entry]) -> Entry:
    """Return the entry that opened the request."""
    if not entries:
        raise BadInput("the ledger holds no entries for this request")
    if len({entry.request_id for entry in entries}) > 1:
        raise BadInput("these ledger entries belong to more than one request")
    acknowledged = _last(entries, Event.ACKNOWLEDGED)
    if acknowledged is None:
        raise BadInput("the ledger of this request does not hold the entry that acknowledged it")
    return acknowledged


def _report(entries: Sequence[Entry], opening: _Opening, first: Entry, now: datetime) -> CompletionReport:
    state = _state(entries)
    names = sorted({*opening.systems, *(entry.system for entry in entries if entry.system)})
    histories = [History.of(name, entries) for name in names]
    systems = tuple(system_facts(history, cancelled=state is State.CANCELLED) for history in histories)
    clock = _clock(entries, opening, first, now)
    completed = _last(entries, Event.COMPLETED)
    evidence = completed.evidence if completed else None
    meaning = answers.proof(state, evidence, systems)
    limits = [limit for history, facts in zip(histories, systems, strict=True) for limit in limits_of(history, facts)]
    return CompletionReport(
        case_id=first.request_id,
        as_of=now,
        right=opening.right,
        ground=opening.ground,
        policy_version=opening.policy_version,
        policy_digest=opening.policy_digest,
        state=state,
        answers=Answers(
            complete=answers.complete(state, clock, systems), in_time=legal_clock.answer(clock), proof=meaning
        ),
        clock=clock,
        evidence=evidence,
        evidence_meaning=meaning,
        still_open=tuple(facts.name for facts in systems if facts.standing is not Standing.FINAL),
        kept=tuple(row for facts in systems for row in facts.kept),
        systems=systems,
        human_steps=human_steps(entries),
        limits=(*limits, *(Limit(sentence=sentence) for sentence in _NOT_IN_THE_LEDGER)),
    )


def _last(entries: Sequence[Entry], event: Event) -> Entry | None:
    found = [entry for entry in entries if entry.event is event]
    return found[-1] if found else None


def _state(entries: Sequence[Entry]) -> State:
    events = {entry.event for entry in entries}
    if Event.CANCELLED in events:
        return State.CANCELLED
    if Event.COMPLETED not in events:  # a signature under work that is not complete signs nothing off
        return State.OPEN
    return State.SIGNED_OFF if Event.SIGNED_OFF in events else State.AWAITING_SIGN_OFF


def _clock(entries: Sequence[Entry], opening: _Opening, first: Entry, now: datetime) -> Clock:
    completed, signed = _last(entries, Event.COMPLETED), _last(entries, Event.SIGNED_OFF)
    cancelled, closed = _last(entries, Event.CANCELLED), _last(entries, Event.CLOSED)
    ended = completed or cancelled
    return Clock(
        requested_at=opening.submitted_at,
        due_by=opening.due_by,
        acknowledged_at=first.at,
        completed_at=completed.at if completed else None,
        signed_off_at=signed.at if signed else None,
        signed_off_by=signed.by if signed else "",
        cancelled_at=cancelled.at if cancelled else None,
        cancelled_by=cancelled.by if cancelled else "",
        closed_at=closed.at if closed else None,
        state=legal_clock.state_of(opening.due_by, now, completed, cancelled),
        days=legal_clock.days_to(opening.due_by, ended.at if ended else now),
    )
