"""What is written down about a request: ledger entries, the working papers of an open case, and the tombstone.

Three stores that are kept apart. The ledger holds no personal data and no free text and is never changed. The
case file holds what an open request needs between two steps and is destroyed when the request is closed. The
tombstone is the "deleted members" record of the privacy policy, Part X.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from erasure.outcome import EvidenceLevel, OutcomeKind

_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

KEY = r"^[a-z0-9][a-z0-9_.:-]{0,199}$"
SYSTEM = r"^[a-z0-9_]{0,40}$"
HANDLE = r"^[a-z][a-z0-9._-]{1,31}$"


class Event(StrEnum):
    """What happened. With a system: a step in that system; without: a step of the whole request."""

    ACKNOWLEDGED = "acknowledged"
    DISCOVERED = "discovered"
    PLANNED = "planned"
    TOMBSTONE_WRITTEN = "tombstone_written"
    ACTED = "acted"
    CONFIRMED = "confirmed"
    VERIFIED = "verified"
    STOPPED = "stopped"
    RETRIED = "retried"
    ATTESTED = "attested"
    EXCUSED = "excused"
    CONCLUDED = "concluded"
    COMPLETED = "completed"
    SIGNED_OFF = "signed_off"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class Entry(BaseModel):
    """One line of the ledger.

    `key` names the fact, so that writing it again after a crash adds nothing. `counts` are numbers of records,
    `attempts` how often the step was tried, `version` the connector's, `by` a staff handle, `reason` a code.
    `detail` holds facts of fixed shape (articles, scopes and dates from policy.toml, digests).
    """

    model_config = _FROZEN

    key: str = Field(pattern=KEY)
    request_id: str = Field(pattern=KEY)
    system: str = Field(default="", pattern=SYSTEM)
    at: AwareDatetime
    event: Event
    attempts: int = 1
    counts: dict[str, int] = {}
    outcome: OutcomeKind | None = None
    evidence: EvidenceLevel | None = None
    reason: str = Field(default="", pattern=r"^[A-Za-z0-9_. :-]{0,80}$")
    version: str = Field(default="", pattern=r"^[A-Za-z0-9_.+-]{0,40}$")
    by: str = Field(default="", pattern=rf"^$|{HANDLE}")
    detail: dict[str, Any] = {}

    @model_validator(mode="after")
    def _nothing_personal(self) -> Self:
        if any("@" in text for text in _texts(self.model_dump(mode="json"))):
            raise ValueError("a ledger entry must not hold an address")
        return self


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


class PartKind(StrEnum):
    """The papers in a case file."""

    FINDINGS = "findings"
    PLAN = "plan"
    RECEIPTS = "receipts"
    LOOK = "look"


class Part(BaseModel):
    """One paper of an open case: JSON of a model of `erasure`; writing it again replaces it."""

    model_config = _FROZEN

    request_id: str
    system: str
    kind: PartKind
    content: str = Field(repr=False)


class Tombstone(BaseModel):
    """The "deleted members" record: exactly name, e-mail and OpenStackID, plus the request and its expiry.

    Source: privacy policy, Part X, "If you ask to have your individual member data removed".
    """

    model_config = _FROZEN

    request_id: str
    name: str = Field(repr=False)
    email: str = Field(repr=False)
    openstackid: str = Field(repr=False)
    expires_on: date


class ReadPurpose(StrEnum):
    """The only two purposes for which the policy lets anyone read a tombstone."""

    TRACK_COMPLIANCE = "track_compliance"
    ANSWER_COMMUNICATION = "answer_communication"
