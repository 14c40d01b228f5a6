"""A system that does what a test says: real activities, real workflow, no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from activities.system import TreatedSystem
from erasure import policy as policy_file
from erasure.connector import (
    AccessReport,
    Automation,
    ConnectorSettings,
    DataCategory,
    Findings,
    Receipt,
    Record,
    RecordKind,
    SystemCard,
    Verdict,
    Verification,
)
from erasure.outcome import Effect, EvidenceLevel
from erasure.policy import Policy
from erasure.subject import Identifier, IdentifierKind, Subject

KINDS = {"contact": DataCategory.CONTACT, "contribution": DataCategory.CONTRIBUTION}


class Scripted:
    """A vendor and its connector in one; `plays` holds what the next calls of an operation do first.

    A play that is an exception is raised; a function is called (it may block or change the data).
    """

    Settings = ConnectorSettings

    def __init__(self, name: str, *, order: str = "rest", teaches: bool = False, settles_later: bool = False) -> None:
        """Start with nothing."""
        self.name = name
        self.order = order
        self.teaches = teaches
        self.records: dict[str, Record] = {}
        self.owner: dict[str, str] = {}
        self.knows: tuple[Identifier, ...] = ()
        self.plays: dict[str, list[BaseException | Callable[[], None] | None]] = {}
        self.calls: list[str] = []
        self.jobs_left = 0
        self.says: list[Verification] = []  # what the next re-reads answer, before the truth
        self.bookmarks: list[str] = []  # where each re-read began
        self.card = SystemCard(
            name=name,
            title=name.title(),
            holds=tuple(
                RecordKind(name=kind, category=category, person=kind == "contact") for kind, category in KINDS.items()
            ),
            finds_by=frozenset({IdentifierKind.EMAIL}),
            erases=Automation.AUTOMATED,
            restricts=None,
            settles_later=settles_later,
            proof=EvidenceLevel.E4,
            vendor_docs="https://vendor.example/deletion",
        )

    def holds(self, email: str, *ids: str, kind: str = "contact") -> Scripted:
        """Store records of a person."""
        for number in ids:
            self.records[number] = Record(kind=kind, id=number)
            self.owner[number] = email
        return self

    def play(self, operation: str, *plays: BaseException | Callable[[], None] | None) -> Scripted:
        """Say what the next calls of an operation do first."""
        self.plays.setdefault(operation, []).extend(plays)
        return self

    def treated(self) -> TreatedSystem:
        """Return what the activities are handed."""
        return TreatedSystem(card=self.card, open=lambda: self, version="scripted", poll_every=timedelta(minutes=10))

    def close(self) -> None:
        """Nothing to give back."""

    def check(self) -> AccessReport:
        """Everything is allowed."""
        return AccessReport(account=self.name)

    def find(self, subject: Subject, bookmark: str = "") -> Findings:
        """Return the records of every address."""
        self._call("find")
        found = tuple(r for r in self.records.values() if self.owner[r.id] in subject.emails)
        del bookmark
        return Findings(records=found, learned=self.knows)

    def erase(self, record: Record) -> Receipt:
        """Remove one record."""
        self._call("erase")
        gone = self.records.pop(record.id, None)
        self._call("erased")
        effect = Effect.ERASED if gone else Effect.ALREADY_GONE
        return Receipt(record=record, effect=effect, job="1" if self.card.settles_later else "")

    def state(self, record: Record) -> dict[str, Any]:
        """Nothing here can be restricted."""
        raise NotImplementedError(record.kind)

    def restrict(self, record: Record) -> Receipt:
        """Nothing here can be restricted."""
        raise NotImplementedError(record.kind)

    def lift(self, record: Record, earlier: Mapping[str, Any]) -> Receipt:
        """Nothing here can be restricted."""
        raise NotImplementedError(record.kind, earlier)

    def confirm(self, receipt: Receipt) -> Receipt:
        """Count down the vendor's job."""
        self._call("confirm")
        self.jobs_left -= 1
        return receipt if self.jobs_left > 0 else receipt.model_copy(update={"job": ""})

    def verify(self, subject: Subject, records: Sequence[Record], bookmark: str = "") -> Verification:
        """Look again."""
        self._call("verify")
        self.bookmarks.append(bookmark)
        if self.says:
            return self.says.pop(0)
        left = self.find(subject).records
        del records
        verdict = Verdict.STILL_THERE if left else Verdict.CLEAN
        return Verification(verdict=verdict, evidence=EvidenceLevel.E3, remaining=left)

    def _call(self, operation: str) -> None:
        self.calls.append(operation)
        play = self.plays[operation].pop(0) if self.plays.get(operation) else None
        if isinstance(play, BaseException):
            raise play
        if play:
            play()


def policy_for(systems: Sequence[Scripted], *, member: str = "", second_look: str = "3 days") -> Policy:
    """Return a policy for scripted systems; `member` is the one whose contacts are individual members."""
    rows = "".join(
        f"""
[systems.{system.name}]
role = "processor"
order = "{system.order}"
teaches = {str(system.teaches).lower()}
[systems.{system.name}.records]
contact = "erase"
membership = "erase"
contribution = {{ keep = "contributor_name" }}
"""
        for system in systems
    )
    return policy_file.parse(
        f"""
version = "test"
privacy_policy = "https://policy.example"
[discovery]
patience = "1 hour"
rounds = 3
[verification]
first_look = "5 minutes"
second_look = "{second_look}"
days_for_e4 = 2
[exceptions.deleted_members]
written_for = "{member or systems[0].name}.{"contact" if member else "membership"}"
article = "Art. 5(2)"
scope = "name, e-mail and OpenStackID"
disclosed = "kept"
retention_years = 3
[exceptions.contributor_name]
article = "Art. 6(1)(f)"
scope = "the name on a contribution"
disclosed = "kept"
{rows}"""
    )
