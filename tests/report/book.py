"""A ledger written by hand, with the keys and facts of the real one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from erasure.deadline import due_by
from erasure.entry import Entry, Event
from erasure.outcome import EvidenceLevel, OutcomeKind
from report.facts import completion_report
from report.shape import CompletionReport, SystemFacts

ASKED = datetime(2026, 3, 5, 9, tzinfo=UTC)  # due on 2026-04-05
CASE = "5b1d2d3e-0000-4000-8000-000000000001"
NAME = {
    "record_kind": "contribution",
    "count": 1,
    "exception": "contributor_name",
    "article": "Art. 6(1)(f), 21(1) GDPR",
    "scope": "the name shown with a contribution",
    "until": None,
}
TOMBSTONE = {
    "record_kind": "individual_member",
    "count": 1,
    "exception": "deleted_members",
    "article": "Art. 5(2) GDPR",
    "scope": "name, e-mail and OpenStackID",
    "until": "2029-03-06",
}


class Book:
    """Entries of one request, written in order; `hour` is the clock, in hours after the request."""

    def __init__(self, *systems: str, ground: str = "17(1)(b)") -> None:
        """Acknowledge a request that concerns these systems."""
        self.entries: list[Entry] = []
        self.hour = 1.0
        due = due_by(ASKED).isoformat()
        self.write(
            Event.ACKNOWLEDGED,
            detail={
                "right": "erasure",
                "ground": ground,
                "submitted_at": ASKED.isoformat(),
                "due_by": due,
                "policy_version": "2026-01",
                "policy_digest": "abc123",
                "systems": sorted(systems),
            },
        )

    def at(self, hour: float) -> Self:
        """Set the clock."""
        self.hour = hour
        return self

    def write(self, event: Event, system: str = "", *, turn: int = 1, mark: str = "", **facts: Any) -> Self:
        """Write one entry."""
        where = f":{system}" if system else ""
        ending = f":turn{turn}" + (f":{mark}" if mark else "") if system else ""
        fields = {"at": ASKED + timedelta(hours=self.hour), **facts}
        key = f"{CASE}{where}:{event}{ending}"
        self.entries.append(Entry(key=key, request_id=CASE, system=system, event=event, **fields))
        return self

    def found(self, system: str, *, turn: int = 1, doubts: Sequence[str] = (), **counts: int) -> Self:
        """Write what a search found."""
        detail = {"doubts": list(doubts)} if doubts else {}
        facts = {"counts": counts, "detail": detail, "version": "c0ffee"}
        return self.write(Event.DISCOVERED, system, turn=turn, mark=f"round{turn}", **facts)

    def planned(self, system: str, counts: dict[str, int], *kept: dict[str, Any], turn: int = 1) -> Self:
        """Write a plan."""
        detail = {"plan": "d1", "kept": list(kept), "remains": ["the audit log keeps its entries"]}
        return self.write(Event.PLANNED, system, turn=turn, counts=counts, detail=detail)

    def acted(self, system: str, counts: dict[str, int], *, turn: int = 1, attempts: int = 1) -> Self:
        """Write what was done so far."""
        return self.write(Event.ACTED, system, turn=turn, counts=counts, attempts=attempts)

    def looked(self, system: str, *verdicts: str, turn: int = 1, days: float = 3) -> Self:
        """Write re-reads, some days apart."""
        for number, verdict in enumerate(verdicts, start=1):
            proven = {"clean": EvidenceLevel.E3, "not_provable": EvidenceLevel.E2}.get(verdict, EvidenceLevel.E0)
            left = {"contact": 1} if verdict == "still_there" else {}
            facts = {"reason": verdict, "evidence": proven, "counts": left}
            self.write(Event.VERIFIED, system, turn=turn, mark=f"look{number}", **facts)
            self.hour += 24 * days if number == 1 else 1
        return self

    def concluded(
        self,
        system: str,
        outcome: str,
        level: int = 4,
        counts: dict[str, int] | None = None,
        *kept: dict[str, Any],
        reason: str = "",
        attested: bool = False,
    ) -> Self:
        """Write an outcome."""
        facts = {"outcome": OutcomeKind(outcome), "evidence": EvidenceLevel(level), "reason": reason}
        detail = {"kept": list(kept), "attested": attested}
        return self.write(Event.CONCLUDED, system, counts=counts or {}, detail=detail, **facts)

    def erased(self, system: str) -> Self:
        """Write the plain life of a system, from the search to its outcome."""
        self.found(system, contact=2).planned(system, {"contact.erase": 2}).acted(system, {"contact.erased": 2})
        return self.looked(system, "clean", "clean").concluded(system, "erased", 4, {"contact.erased": 2})

    def completed(self, level: int = 4) -> Self:
        """Write that the work is complete."""
        return self.write(Event.COMPLETED, evidence=EvidenceLevel(level))

    def signed(self, by: str = "compliance") -> Self:
        """Write the sign-off and the end of the case file."""
        return self.write(Event.SIGNED_OFF, by=by).write(Event.CLOSED, counts={"papers_destroyed": 3})

    def report(self, now: datetime | None = None) -> CompletionReport:
        """Return the report on this ledger."""
        return completion_report(self.entries, now or ASKED + timedelta(hours=self.hour))

    def facts(self, system: str) -> SystemFacts:
        """Return what the report says about one system."""
        return {facts.name: facts for facts in self.report().systems}[system]

    def says(self, system: str) -> str:
        """Return the report's sentence about one system."""
        return self.facts(system).sentence
