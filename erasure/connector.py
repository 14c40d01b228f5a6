"""The contract between the orchestrator and a system that holds personal data.

A connector is one class in one file of `connectors/`; the file name is the system name. It inherits nothing.
It is synchronous, because two of the vendors' clients block, and runs on a worker thread of its own. It never
retries and never sleeps: Temporal does. Every failure leaves it as one of `erasure.failures`, `from None`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Protocol, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from erasure.outcome import Effect, EvidenceLevel
from erasure.subject import Identifier, IdentifierKind, Subject

_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class DataCategory(StrEnum):
    """What a record is about; policy.toml decides by it."""

    IDENTITY = "identity"
    CONTACT = "contact"
    MARKETING = "marketing"
    CORRESPONDENCE = "correspondence"
    ACTIVITY = "activity"
    PURCHASE = "purchase"
    SURVEY_ANSWER = "survey_answer"
    MEMBERSHIP = "membership"
    CONTRIBUTION = "contribution"


class Automation(StrEnum):
    """How far a system can be treated without a person."""

    AUTOMATED = "automated"
    ASSISTED = "assisted"  # the API finds and re-reads, a person erases and attests
    NOTICE = "notice"  # the processor is asked and answers


class RecordKind(BaseModel):
    """A kind of record that a system holds.

    `person` marks the kinds that stand for a person as a whole, `restrictable` those whose processing the
    vendor lets us restrict, record by record.
    """

    model_config = _FROZEN

    name: str
    category: DataCategory
    person: bool = False
    restrictable: bool = False


class ApiLimits(BaseModel):
    """The vendor's published limits, for the people who set a queue's rate; None where none is published."""

    model_config = _FROZEN

    per_second: float | None = None
    per_minute: int | None = None
    per_day: int | None = None
    connections: int | None = None


class SystemCard(BaseModel):
    """What a system can really do.

    `holds` stands in the order in which records must be erased. `lag_reads` is how many reads in a row may
    still show what is already gone before that counts as "still there".
    """

    model_config = _FROZEN

    name: str
    title: str
    holds: tuple[RecordKind, ...]
    finds_by: frozenset[IdentifierKind]
    erases: Automation
    restricts: Automation | None
    settles_later: bool = False
    proof: EvidenceLevel
    match_limit: int = 25
    lag_reads: int = 5
    api_limits: ApiLimits = ApiLimits()
    vendor_docs: str
    side_effects: tuple[str, ...] = ()

    def kind(self, name: str) -> RecordKind:
        """Return the record kind of this name; raises KeyError when the system holds no such kind."""
        return {kind.name: kind for kind in self.holds}[name]

    def rank(self, record: Record) -> int:
        """Return the record's place in the erasing order."""
        return [kind.name for kind in self.holds].index(record.kind)


class Record(BaseModel):
    """One record of the person in one system.

    `id` is the vendor's own opaque id and may be shown to anyone. What is needed to reach the record but tells
    something about the person (a hash of the address, say) goes into `locator`, which is never shown.
    """

    model_config = _FROZEN

    kind: str
    id: str = Field(min_length=1)
    locator: dict[str, str] = Field(default={}, repr=False)


class Unfinished(BaseModel):
    """A search or a re-read that an allowance cut off, a minute's or a day's: where to go on, and the wait before."""

    model_config = _FROZEN

    bookmark: str
    wait: timedelta


class Findings(BaseModel):
    """What a search found: records, identifiers the system knows besides, and codes for doubts.

    Doubts are codes such as `scan_switched_off`; they are shown in the report.
    """

    model_config = _FROZEN

    records: tuple[Record, ...] = ()
    learned: tuple[Identifier, ...] = ()
    doubts: tuple[str, ...] = ()
    unfinished: Unfinished | None = None


class Receipt(BaseModel):
    """What a call did to one record. `job` is set while the vendor still works on it."""

    model_config = _FROZEN

    record: Record
    effect: Effect
    job: str = ""

    @property
    def pending(self) -> bool:
        """Tell whether the vendor has only promised so far."""
        return bool(self.job)


class Verdict(StrEnum):
    """What a re-read shows."""

    CLEAN = "clean"
    STILL_THERE = "still_there"
    NOT_YET = "not_yet"  # the vendor is known to show what is gone for a while
    NOT_PROVABLE = "not_provable"


class Verification(BaseModel):
    """The answer of a re-read, made after the credential was proven in the same step.

    `remaining` lists every record the search still finds, also those that the policy keeps; the caller knows
    which those are. `wait` is the vendor's own delay with NOT_YET. `unfinished` says that an allowance cut the
    re-read off; `remaining` then holds what this part found, and the caller joins the parts.
    """

    model_config = _FROZEN

    verdict: Verdict
    evidence: EvidenceLevel = EvidenceLevel.E0
    remaining: tuple[Record, ...] = ()
    wait: timedelta | None = None
    unfinished: Unfinished | None = None


class AccessReport(BaseModel):
    """What the credential may do. `missing` names scopes or rights by the vendor's own words."""

    model_config = _FROZEN

    account: str
    granted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sufficient(self) -> bool:
        """Tell whether every scope and right that erasure needs is there."""
        return not self.missing


_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def refuse_plain_http(address: str) -> str:
    """Return the address; raises ValueError for one that would send personal data unencrypted over a network."""
    parts = urlsplit(address)
    if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
        return address
    raise ValueError("must be an https address (plain http only to this machine)")


class ConnectorSettings(BaseModel):
    """Where a system is and how to reach it; each connector adds its own secrets and options.

    `timeout` is seconds per network operation. `poll_every` is seconds between questions about a vendor's job.
    """

    model_config = _FROZEN

    base_url: Annotated[str, AfterValidator(refuse_plain_http)]
    timeout: float = Field(default=30.0, gt=0, le=120)
    poll_every: float = Field(default=60.0, gt=0)


class Connector(Protocol):
    """What every system is asked; the names and order are the life of a request."""

    card: ClassVar[SystemCard]
    Settings: ClassVar[type[ConnectorSettings]]

    @classmethod
    def open(cls, settings: Any) -> Self:  # noqa: ANN401 -- each connector names its own Settings class
        """Build a fresh client from settings; nothing is shared between threads."""
        ...

    def close(self) -> None:
        """Give back connections."""
        ...

    def check(self) -> AccessReport:
        """Prove the credential, its scopes and rights; changes nothing.

        Raises:
            AccessRefused: the credential itself is not accepted.
        """
        ...

    def find(self, subject: Subject, bookmark: str = "") -> Findings:
        """Return exactly this person's records; `bookmark` continues a search that was cut off.

        Raises:
            Ambiguous: the identifiers point to different people.
        """
        ...

    def erase(self, record: Record) -> Receipt:
        """Erase one record for good; again means the same, already gone is success."""
        ...

    def state(self, record: Record) -> dict[str, Any]:
        """Read what `restrict` would change, so that the caller can keep it before anything is changed."""
        ...

    def restrict(self, record: Record) -> Receipt:
        """Restrict processing of one record (Art. 18); again means the same.

        Raises:
            Rejected: `cannot_be_restricted` for a kind that the vendor has no restriction for.
        """
        ...

    def lift(self, record: Record, earlier: Mapping[str, Any]) -> Receipt:
        """Put back what `state` said before the restriction, and nothing else; again means the same.

        Raises:
            Rejected: `changed_by_others` when somebody else changed it since, or the vendor forbids it.
        """
        ...

    def confirm(self, receipt: Receipt) -> Receipt:
        """Ask once about a vendor's job; the receipt comes back settled, or still pending.

        Raises:
            Rejected: the job failed.
        """
        ...

    def verify(self, subject: Subject, records: Sequence[Record], bookmark: str = "") -> Verification:
        """Prove the credential, then read again: by the person's identifiers and by the records' ids.

        `bookmark` continues a re-read that was cut off.
        """
        ...
