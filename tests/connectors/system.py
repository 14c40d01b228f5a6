"""A pretend vendor with its connector, as the contract suite and the connectors' own tests use them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import connectors
from erasure.connector import Connector, ConnectorSettings, Findings, Receipt, Record, Verdict, Verification
from erasure.subject import Identifier, Subject
from simulators.__main__ import vendor
from simulators._frame import Fault, Person, Running

SUBJECT = Person("Ada", "Quillfeather", ("ada.quillfeather@example.org", "ada@second.example"), "90210")
BYSTANDER = Person("Bo", "Tillerman", ("ada.quillfeather@example.org.example", "bo@example.org"), "90211")
STRANGER = Person("Cy", "Nowhere", ("cy.nowhere@example.org",), "90212")

_DAY = 86_400.0


@cache
def serve(name: str) -> Running:
    """Start a system's simulator once per test process; it dies with the process."""
    return Running(vendor(name)).__enter__()


def subject_of(person: Person) -> Subject:
    """Return what a request would say about a simulated person."""
    return Subject(identifiers=tuple(Identifier.email(address) for address in person.emails))


class System:
    """One simulated system and its connector."""

    def __init__(self, name: str) -> None:
        """Start from an empty vendor."""
        self.running = serve(name)
        self.stage = self.running.stage
        self.stage.reset()
        self.vendor = self.stage.vendor
        self.connector = connectors.load(name)

    def settings(self, **changed: Any) -> ConnectorSettings:
        """Return settings with the simulator's own credentials, or others."""
        given = {"base_url": self.running.url, "timeout": 5.0, **self.vendor.credentials, **changed}
        return self.connector.Settings(**given)

    @contextmanager
    def open(self, **changed: Any) -> Iterator[Connector]:
        """Open a fresh connector, as every activity does."""
        connector = self.connector.open(self.settings(**changed))
        try:
            yield connector
        finally:
            connector.close()

    def fault(self, kind: str, **details: Any) -> None:
        """Let the next matching call go wrong."""
        self.stage.faults.append(Fault(kind=kind, **details))

    def seed(self, *people: Person) -> None:
        """Store people."""
        for person in people:
            self.vendor.seed(person)

    def find(self, person: Person) -> Findings:
        """Search with a fresh connector, as far as it takes."""
        with self.open() as connector:
            findings = connector.find(subject_of(person))
        assert findings.unfinished is None, "the contract's search is small enough to finish"
        return findings

    def erasable(self, findings: Findings, keeps: Sequence[str]) -> list[Record]:
        """Return the records to erase, in the order of the card."""
        records = [record for record in findings.records if record.kind not in keeps]
        return sorted(records, key=self.connector.card.rank)

    def erase(self, records: Sequence[Record]) -> list[Receipt]:
        """Erase record by record and wait for the vendor's jobs."""
        with self.open() as connector:
            return [self.settle(connector, connector.erase(record)) for record in records]

    def settle(self, connector: Connector, receipt: Receipt, polls: int = 50) -> Receipt:
        """Ask about a job until it ends, letting an hour of vendor time pass between questions."""
        for _ in range(polls):
            if not receipt.pending:
                return receipt
            receipt = connector.confirm(receipt)
            self.vendor.clock.advance(3600)
        return receipt

    def look(self, person: Person, records: Sequence[Record]) -> Verification:
        """Read again once, each part with a fresh connector; what any part found is still there."""
        bookmark, found = "", dict[tuple[str, str], Record]()
        for _ in range(50):
            with self.open() as connector:
                seen = connector.verify(subject_of(person), records, bookmark)
            found |= {(record.kind, record.id): record for record in seen.remaining}
            if seen.unfinished is None:
                break
            bookmark = seen.unfinished.bookmark
            self.vendor.clock.advance(seen.unfinished.wait.total_seconds())
        assert seen.unfinished is None, "the re-read never came to an end"
        verdict = Verdict.STILL_THERE if found and seen.verdict is Verdict.CLEAN else seen.verdict
        return seen.model_copy(update={"verdict": verdict, "remaining": tuple(found.values())})

    def verify(self, person: Person, records: Sequence[Record], keeps: Sequence[str]) -> Verification:
        """Read again until the answer is more than "not yet"."""
        for _ in range(20):
            seen = self.look(person, records)
            left = tuple(record for record in seen.remaining if record.kind not in keeps)
            if seen.verdict is Verdict.STILL_THERE and not left:
                return seen.model_copy(update={"verdict": Verdict.CLEAN, "remaining": ()})
            if seen.verdict is not Verdict.NOT_YET:
                return seen.model_copy(update={"remaining": left})
            self.vendor.clock.advance(seen.wait.total_seconds() if seen.wait else _DAY)
        return seen
