"""What goes into the activities and comes out: small, frozen, and nothing but codes, counts and the subject."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from erasure.connector import Verdict
from erasure.entry import HANDLE
from erasure.outcome import Attestation, Effect, EvidenceLevel, Excuse, Kept, Outcome
from erasure.policy import Order
from erasure.subject import Identifier, IdentifierKind, Subject

_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class CaseSystem(BaseModel):
    """One system of a case, as the workflow needs to know it."""

    model_config = _FROZEN

    name: str
    order: Order
    teaches: bool
    finds_by: tuple[IdentifierKind, ...]


class Case(BaseModel):
    """The rules a request runs by, fixed at its start so that a replay sees the same."""

    model_config = _FROZEN

    systems: tuple[CaseSystem, ...]
    due_by: datetime
    patience: timedelta
    rounds: int
    first_look: timedelta
    second_look: timedelta
    days_for_e4: int


class SystemStep(BaseModel):
    """One step in one system; `turn` counts how often the system has been gone through, from 1."""

    model_config = _FROZEN

    request_id: str
    system: str
    turn: int = 1


class Search(SystemStep):
    """Look for a subject; `round` counts the searches of this system."""

    subject: Subject
    round: int


class Found(BaseModel):
    """What a search found: numbers per kind, and what a trusted system taught."""

    model_config = _FROZEN

    counts: dict[str, int] = {}
    learned: tuple[Identifier, ...] = ()
    doubts: tuple[str, ...] = ()
    identified: bool = True


class PlanWanted(BaseModel):
    """Plan these systems of a request, each in its turn."""

    model_config = _FROZEN

    request_id: str
    turns: dict[str, int]


class Planned(BaseModel):
    """The plan for one system in numbers."""

    model_config = _FROZEN

    system: str
    digest: str
    erase: int
    kept: tuple[Kept, ...] = ()
    tombstone: bool = False


class Acted(BaseModel):
    """What was done so far: effects per kind of record, and how many the vendor still works on."""

    model_config = _FROZEN

    effects: dict[str, dict[Effect, int]] = {}
    pending: int = 0


class Look(Search):
    """Read again; `look` is 1 or 2."""

    look: int


class Seen(BaseModel):
    """What a re-read showed."""

    model_config = _FROZEN

    verdict: Verdict
    evidence: EvidenceLevel = EvidenceLevel.E0
    remaining: dict[str, int] = {}


class Conclusion(BaseModel):
    """Every system's outcome, to be checked and written down."""

    model_config = _FROZEN

    request_id: str
    at: datetime
    turn: int
    outcomes: dict[str, Outcome]


class Concluded(BaseModel):
    """Why the request is not complete, or nothing; and the systems that policy.toml names besides."""

    model_config = _FROZEN

    refusal: str = ""
    missing: tuple[CaseSystem, ...] = ()


class OnSystem(BaseModel):
    """An operator's word about one system."""

    model_config = _FROZEN

    system: str
    by: str = Field(pattern=HANDLE)


class Attested(OnSystem):
    """A person's word that a system was treated by hand."""

    word: Attestation


class Excused(OnSystem):
    """A person's decision to leave a system untreated."""

    why: Excuse


class Decision(BaseModel):
    """A decision about the whole request, and whose it is."""

    model_config = _FROZEN

    by: str = Field(pattern=HANDLE)
