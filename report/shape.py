"""What a completion report consists of. It holds no personal data, because the ledger holds none."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer

from erasure.entry import Event
from erasure.outcome import EvidenceLevel, OutcomeKind

# People say "E4"; a bare 4 in the JSON would leave them guessing.
Level = Annotated[EvidenceLevel, PlainSerializer(lambda level: level.name, return_type=str, when_used="json")]


# Outcomes in which there is nothing that could be proven.
UNTREATED = frozenset({OutcomeKind.EXCUSED, OutcomeKind.INFORMED, OutcomeKind.NOT_IDENTIFIABLE})


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class State(StrEnum):
    """How far the request is, by its ledger."""

    OPEN = "open"
    AWAITING_SIGN_OFF = "awaiting_sign_off"
    SIGNED_OFF = "signed_off"
    CANCELLED = "cancelled"


class ClockState(StrEnum):
    """How the request stands against its due date."""

    IN_TIME = "in_time"
    LATE = "late"
    RUNNING = "running"
    OVERDUE = "overdue"
    CANCELLED = "cancelled"


class Standing(StrEnum):
    """How far one system is."""

    NOT_STARTED = "not_started"
    UNDER_WAY = "under_way"
    STOPPED = "stopped"
    READY = "ready"  # nothing is left to do in it; its outcome is written when the whole request is complete
    FINAL = "final"


class Clock(_Frozen):
    """The legal clock. `days` are left until the due date while it runs, and before or after it at the end."""

    requested_at: datetime
    due_by: datetime
    acknowledged_at: datetime
    completed_at: datetime | None = None
    signed_off_at: datetime | None = None
    signed_off_by: str = ""
    cancelled_at: datetime | None = None
    cancelled_by: str = ""
    closed_at: datetime | None = None
    state: ClockState
    days: int


class Answers(_Frozen):
    """The three questions everybody asks first."""

    complete: str
    in_time: str
    proof: str


class RecordRow(_Frozen):
    """One kind of record in one system, in numbers; None where no search has reported yet."""

    kind: str
    found: int | None = None
    planned: dict[str, int] = {}
    done: dict[str, int] = {}


class KeptRow(_Frozen):
    """Records that stay, and why. `planned` marks what is only planned to stay in a request that is still open."""

    system: str
    record_kind: str
    count: int
    exception: str
    article: str
    scope: str
    until: date | None = None
    planned: bool = False


class Reread(_Frozen):
    """One re-read of a system: when, what it showed, and how much that proves."""

    at: datetime
    turn: int
    look: int
    verdict: str
    evidence: Level
    remaining: dict[str, int] = {}


class HumanStep(_Frozen):
    """What a person decided or said, under a staff handle."""

    at: datetime
    by: str
    step: Event
    system: str = ""
    reason: str = ""


class SystemFacts(_Frozen):
    """What the ledger says about one system.

    `attempts` counts the tries of the steps that came to an end, `turns` how often the system was gone through.
    `evidence` is None where nothing could be proven; `contradiction` says where the ledger claims more than it shows.
    """

    name: str
    standing: Standing
    sentence: str
    outcome: OutcomeKind | None = None
    evidence: Level | None = None
    attested: bool = False
    records: tuple[RecordRow, ...] = ()
    kept: tuple[KeptRow, ...] = ()
    doubts: tuple[str, ...] = ()
    contradiction: str = ""
    attempts: int = 0
    turns: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    rereads: tuple[Reread, ...] = ()
    versions: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    people: tuple[HumanStep, ...] = ()
    remains: tuple[str, ...] = ()


class Limit(_Frozen):
    """Something this report cannot vouch for, in one system or, without a name, in all."""

    system: str = ""
    sentence: str


class CompletionReport(_Frozen):
    """Everything the ledger can say about one request at one moment."""

    case_id: str
    as_of: datetime
    right: str
    ground: str
    policy_version: str
    policy_digest: str
    state: State
    answers: Answers
    clock: Clock
    evidence: Level | None = None
    evidence_meaning: str
    still_open: tuple[str, ...] = ()
    kept: tuple[KeptRow, ...] = ()
    systems: tuple[SystemFacts, ...] = ()
    human_steps: tuple[HumanStep, ...] = ()
    limits: tuple[Limit, ...] = ()
