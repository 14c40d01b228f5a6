"""What every connector promises, tested against its simulator over real HTTP.

A connector's own test names the system and says what differs::

    class TestZendesk(ConnectorContract):
        name = "zendesk"
"""

from __future__ import annotations

import hashlib
import logging
from typing import ClassVar

import pytest

from erasure.connector import Automation, Verdict
from erasure.failures import AccessRefused, ConnectorFailure, Rejected, TryLater
from erasure.outcome import Effect
from simulators._frame import Person
from tests.connectors.system import BYSTANDER, STRANGER, SUBJECT, System, subject_of

AWKWARD = (
    "o'brien+dsr@example.org",
    '"quoted,comma"@example.org',
    "per%cent@example.org",
    "MiXed.Case@Example.ORG",
    "observer.of.server@example.org",
    "under_score@example.org",
    "star*and?mark@example.org",
    "slash/back\\slash@example.org",
)
# Each fault with the failure it must become. Every one of them is played at every call of the work.
FAULTS = {
    "401": ("refusal", {"status": 401}, AccessRefused),
    "403": ("refusal", {"status": 403}, AccessRefused),
    "429 with Retry-After": ("refusal", {"status": 429, "headers": {"Retry-After": "7"}}, TryLater),
    "429": ("refusal", {"status": 429}, TryLater),
    "500 with an empty body": ("empty", {"status": 500}, TryLater),
    "502 as a page": ("html", {"status": 502}, TryLater),
    "503": ("refusal", {"status": 503}, TryLater),
    "reset": ("reset", {}, TryLater),
    "a page instead of JSON": ("html", {"status": 200}, TryLater),
    "a page that says forbidden": ("html", {"status": 403}, TryLater),
    "truncated JSON": ("truncated", {}, TryLater),
    "empty body": ("empty", {"status": 200}, TryLater),
}
_MANY_CALLS = 200


def personal(person: Person) -> set[str]:
    """Return what must never be seen in clear: addresses, names, ids, and hashes that a dictionary reverses."""
    marks = {part.lower() for part in (*person.emails, person.first_name, person.last_name) if part}
    marks |= {hashlib.md5(email.lower().encode()).hexdigest() for email in person.emails}  # noqa: S324 -- Mailchimp's
    return marks | {email.lower().replace("@", "%40") for email in person.emails}


class ConnectorContract:
    """The shared suite."""

    name: ClassVar[str]
    keeps: ClassVar[frozenset[str]] = frozenset()  # kinds that have no delete, by policy
    spoiled: ClassVar[dict[str, str]]  # settings with a credential the vendor does not know
    # Faults whose vendor-specific meaning differs from the table above, with the reason beside it.
    differs: ClassVar[dict[str, type[ConnectorFailure]]] = {}
    # Faults that a call's documented success looks like: an empty 200 is a good answer to some deletes.
    also_success: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture
    def system(self) -> System:
        """An empty vendor with its connector."""
        return System(self.name)

    def test_check_is_content_with_good_credentials(self, system: System) -> None:
        """Nothing is missing, nothing is changed."""
        system.seed(SUBJECT)
        before = system.vendor.holdings(SUBJECT)
        with system.open() as connector:
            assert connector.check().sufficient
        assert system.vendor.holdings(SUBJECT) == before

    def test_a_stranger_yields_nothing(self, system: System) -> None:
        """Whom the vendor does not know has no records, teaches nothing, and is proven absent."""
        system.seed(SUBJECT, BYSTANDER)
        findings = system.find(STRANGER)
        assert findings.records == ()
        assert findings.learned == ()
        assert system.verify(STRANGER, (), self.keeps).verdict is Verdict.CLEAN

    def test_every_kind_of_the_card_is_found(self, system: System) -> None:
        """The simulator can hold every kind the card claims, and the search finds each."""
        system.seed(SUBJECT, BYSTANDER)
        found = {record.kind for record in system.find(SUBJECT).records}
        assert found == {kind.name for kind in system.connector.card.holds}

    def test_erases_exactly_the_subject(self, system: System) -> None:
        """Nothing of the subject is left in any bin or archive; the bystander keeps everything."""
        system.seed(SUBJECT, BYSTANDER)
        before = system.vendor.holdings(BYSTANDER)
        records = system.erasable(system.find(SUBJECT), self.keeps)
        receipts = system.erase(records)
        assert {receipt.effect for receipt in receipts} <= {Effect.ERASED, Effect.ALREADY_GONE}
        assert not any(receipt.pending for receipt in receipts)
        left = {entry.split(":")[0] for entry in system.vendor.holdings(SUBJECT)}
        assert left <= self.keeps
        assert system.verify(SUBJECT, records, self.keeps).verdict is Verdict.CLEAN
        assert system.vendor.holdings(BYSTANDER) == before

    def test_duplicates_of_a_person_are_all_erased(self, system: System) -> None:
        """The same person twice is two sets of records, and both go."""
        system.seed(SUBJECT, SUBJECT)
        self._erase_all(system)
        assert {entry.split(":")[0] for entry in system.vendor.holdings(SUBJECT)} <= self.keeps

    def test_twice_equals_once(self, system: System) -> None:
        """A retry after a crash changes nothing more and is no failure."""
        system.seed(SUBJECT, BYSTANDER)
        before = system.vendor.holdings(BYSTANDER)
        records = system.erasable(system.find(SUBJECT), self.keeps)
        system.erase(records)
        again = system.erase(records)
        assert {receipt.effect for receipt in again} <= {Effect.ERASED, Effect.ALREADY_GONE}
        assert system.vendor.holdings(BYSTANDER) == before

    def test_gone_is_success(self, system: System) -> None:
        """What somebody else removed meanwhile counts as gone."""
        system.seed(SUBJECT)
        records = system.erasable(system.find(SUBJECT), self.keeps)
        system.stage.reset()
        receipts = system.erase(records)
        assert {receipt.effect for receipt in receipts} == {Effect.ALREADY_GONE}

    @pytest.mark.parametrize("operation", ["check", "find", "verify", "erase"])
    def test_a_bad_credential_is_never_nothing_found(self, system: System, operation: str) -> None:
        """A credential that the vendor does not know stops the system."""
        system.seed(SUBJECT)
        record = system.erasable(system.find(SUBJECT), self.keeps)[0]
        with system.open(**self.spoiled) as connector, pytest.raises(AccessRefused):
            self._run(connector, operation, record)

    @pytest.mark.parametrize("operation", ["find", "verify"])
    def test_a_wrong_address_is_never_nothing_found(self, system: System, operation: str) -> None:
        """A base URL with a wrong path answers 404 to everything; that is a failure, not an absence."""
        system.seed(SUBJECT)
        record = system.erasable(system.find(SUBJECT), self.keeps)[0]
        with system.open(base_url=f"{system.running.url}/wrong") as connector, pytest.raises(ConnectorFailure):
            self._run(connector, operation, record)

    @pytest.mark.parametrize("fault", FAULTS)
    def test_a_fault_at_any_call_is_named_and_survived(self, system: System, fault: str) -> None:
        """Play the fault at the first call, the second, ...; each becomes the right failure, and a retry ends clean."""
        kind, details, expected = FAULTS[fault]
        expected = self.differs.get(fault, expected)
        for after in range(_MANY_CALLS):
            system.stage.reset()
            system.seed(SUBJECT)
            system.fault(kind, after=after, **details)
            failure = self._failure(system)
            if system.stage.faults[0].times:
                break  # the work is over before the fault came: every call has had its turn
            if failure is None:
                assert fault in self.also_success, f"{fault} at call {after} was taken for an answer"
            else:
                assert isinstance(failure, expected), f"{fault} at call {after} became {failure!r}"
            if "Retry-After" in fault and isinstance(failure, TryLater):
                assert failure.retry_after is not None
            self._erase_all(system)
            assert {entry.split(":")[0] for entry in system.vendor.holdings(SUBJECT)} <= self.keeps
        else:
            pytest.fail("the work never came to an end")
        assert after > 0

    @pytest.mark.parametrize("operation", ["check", "find", "erase", "verify"])
    def test_a_silent_vendor_is_tried_later(self, system: System, operation: str) -> None:
        """Our own timeout ends the wait."""
        system.seed(SUBJECT)
        record = system.erasable(system.find(SUBJECT), self.keeps)[0]
        system.fault("slow", seconds=0.6, times=_MANY_CALLS)
        with system.open(timeout=0.15) as connector, pytest.raises(TryLater):
            self._run(connector, operation, record)

    def test_nothing_personal_is_said(self, system: System, caplog: pytest.LogCaptureFixture) -> None:
        """Messages, logs, record ids, doubts and job ids carry nothing of the person."""
        marks = personal(SUBJECT)
        said = []
        with caplog.at_level(logging.DEBUG):
            for kind, details, _ in FAULTS.values():
                system.stage.reset()
                system.seed(SUBJECT)
                system.fault(kind, after=1, times=_MANY_CALLS, **details)
                failure = self._failure(system)
                if failure is not None:
                    assert failure.__cause__ is None
                    assert failure.__suppress_context__ or failure.__context__ is None
                    said += [str(failure), repr(failure), repr(failure.args)]
            system.stage.reset()
            system.seed(SUBJECT)
            findings = system.find(SUBJECT)
            receipts = system.erase(system.erasable(findings, self.keeps))
        said += [record.id for record in findings.records] + list(findings.doubts)
        said += [receipt.job for receipt in receipts]
        said += [message for logger, _, message in caplog.record_tuples if not logger.startswith("asyncio")]
        heard = "\n".join(said).lower()
        assert not [mark for mark in marks if mark in heard]

    @pytest.mark.parametrize("address", AWKWARD)
    def test_awkward_addresses(self, system: System, address: str) -> None:
        """Signs that a query, a path or a filter could trip over; neighbours with a longer address survive."""
        person = Person("Dee", "Marker", (address.lower(),))
        neighbour = Person("Eve", "Nextdoor", (f"x{address.lower()}",), "90213")
        wildcard = Person("Fay", "Wildcard", (address.lower().replace("_", "x").replace("*", "xx"),), "90214")
        others = [neighbour] if wildcard.emails == person.emails else [neighbour, wildcard]
        system.seed(person, *others)
        before = [system.vendor.holdings(other) for other in others]
        with system.open() as connector:
            findings = connector.find(subject_of(Person("Dee", "Marker", (address,))))
        records = system.erasable(findings, self.keeps)
        assert records
        system.erase(records)
        assert {entry.split(":")[0] for entry in system.vendor.holdings(person)} <= self.keeps
        assert system.verify(person, records, self.keeps).verdict is Verdict.CLEAN
        assert [system.vendor.holdings(other) for other in others] == before

    def test_records_that_lag_are_not_yet_gone(self, system: System) -> None:
        """Reads that still show the old state are never called clean, and within the card's patience it clears."""
        system.seed(SUBJECT)
        records = system.erasable(system.find(SUBJECT), self.keeps)
        system.stage.lag(reads=10_000)
        with system.open() as connector:
            for record in records:
                receipt = connector.erase(record)
                system.stage.stale_reads = 0  # the vendor's job pages are not the lagging index
                system.settle(connector, receipt)
                system.stage.stale_reads = 10_000
            stale = connector.verify(subject_of(SUBJECT), records)
        assert stale.verdict in {Verdict.STILL_THERE, Verdict.NOT_YET}
        system.stage.stale_reads = 0
        assert system.verify(SUBJECT, records, self.keeps).verdict is Verdict.CLEAN

    def test_a_record_that_comes_back_is_found(self, system: System) -> None:
        """A sync that re-creates the person after erasure is seen by the re-read."""
        system.seed(SUBJECT)
        records = self._erase_all(system)
        system.seed(SUBJECT)
        seen = system.verify(SUBJECT, records, self.keeps)
        assert seen.verdict is Verdict.STILL_THERE
        assert seen.remaining

    def test_restrict_then_lift_restores_exactly(self, system: System) -> None:
        """Restricting changes the record, again means the same, and lifting puts back what was there."""
        card = system.connector.card
        restrictable = {kind.name for kind in card.holds if kind.restrictable}
        assert bool(restrictable) == (card.restricts is Automation.AUTOMATED)
        system.seed(SUBJECT, BYSTANDER)
        before, others = system.vendor.holdings(SUBJECT), system.vendor.holdings(BYSTANDER)
        records = [record for record in system.find(SUBJECT).records if record.kind in restrictable]
        with system.open() as connector:
            earlier = [connector.state(record) for record in records]
            for record in (*records, *records):
                assert connector.restrict(record).effect is Effect.RESTRICTED
            assert not records or system.vendor.holdings(SUBJECT) != before
            for record, state in (*zip(records, earlier, strict=True), *zip(records, earlier, strict=True)):
                assert connector.lift(record, state).effect is Effect.LIFTED
        assert system.vendor.holdings(SUBJECT) == before
        assert system.vendor.holdings(BYSTANDER) == others

    def test_what_cannot_be_restricted_says_so(self, system: System) -> None:
        """A kind without a restriction is refused by name, never called restricted."""
        fixed = {kind.name for kind in system.connector.card.holds if not kind.restrictable}
        system.seed(SUBJECT)
        with system.open() as connector:
            for record in (r for r in system.find(SUBJECT).records if r.kind in fixed):
                with pytest.raises(Rejected) as refused:
                    connector.restrict(record)
                assert refused.value.code == "cannot_be_restricted"

    def test_a_vendor_job_is_asked_about_once(self, system: System) -> None:
        """A job that never ends stays pending; a job that fails is a rejection, not a success."""
        if not system.connector.card.settles_later:
            return
        for mode in ("never", "fail", "item_errors"):
            system.stage.reset()
            system.seed(SUBJECT)
            records = system.erasable(system.find(SUBJECT), self.keeps)
            system.vendor.jobs = mode
            if mode == "never":
                assert any(receipt.pending for receipt in system.erase(records))
            else:
                with pytest.raises(Rejected):
                    system.erase(records)

    def _erase_all(self, system: System):  # noqa: ANN202 -- records
        records = system.erasable(system.find(SUBJECT), self.keeps)
        system.erase(records)
        return records

    def _run(self, connector, operation: str, record):  # noqa: ANN001, ANN202 -- any connector
        subject = subject_of(SUBJECT)
        calls = {
            "check": connector.check,
            "find": lambda: connector.find(subject),
            "erase": lambda: connector.erase(record),
            "verify": lambda: connector.verify(subject, (record,)),
        }
        return calls[operation]()

    def _failure(self, system: System) -> ConnectorFailure | None:
        """Do the whole work once; return the failure that ended it."""
        try:
            with system.open() as connector:
                connector.check()
            records = self._erase_all(system)
            with system.open() as connector:
                connector.verify(subject_of(SUBJECT), records)
        except ConnectorFailure as failure:
            return failure
        return None
