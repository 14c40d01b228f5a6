"""The report says what the ledger proves, and no more."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from erasure.entry import Event
from erasure.outcome import EvidenceLevel
from erasure.sentence import BadInput
from report.facts import completion_report
from report.shape import ClockState, Standing, State
from tests.report.book import ASKED, CASE, NAME, TOMBSTONE, Book

LAST_SECOND = datetime(2026, 4, 5, 23, 59, 59, 999_999, tzinfo=UTC)
TOO_LATE = datetime(2026, 4, 6, tzinfo=UTC)


def complete_at(moment: datetime) -> Book:
    """Return a complete request."""
    return Book("crm").erased("crm").write(Event.COMPLETED, at=moment, evidence=EvidenceLevel.E4)


def test_no_entries() -> None:
    """Nothing can be reported about nothing."""
    with pytest.raises(BadInput, match=r"^the ledger holds no entries for this request$"):
        completion_report([], ASKED)


def test_two_requests_are_not_one_report() -> None:
    """Somebody else's outcome must not slip in."""
    entries = Book("crm").entries
    other = entries[0].model_copy(update={"request_id": "other"})
    with pytest.raises(BadInput, match="more than one request"):
        completion_report([*entries, other], ASKED)


def test_ledger_without_its_opening() -> None:
    """Without a clock and a policy there is no report."""
    with pytest.raises(BadInput, match="acknowledged"):
        completion_report(Book("crm").found("crm", contact=1).entries[1:], ASKED)


def test_unreadable_opening_is_one_sentence() -> None:
    """A damaged entry is named by its field."""
    opening = Book("crm").entries[0].model_copy(update={"detail": {}})
    with pytest.raises(BadInput, match="cannot be read: right: is missing"):
        completion_report([opening], ASKED)


def test_identity_of_the_case() -> None:
    """Case, right, ground and the policy that was in force."""
    report = Book("crm").report()
    assert (report.case_id, report.right, report.ground) == (CASE, "erasure", "17(1)(b)")
    assert (report.policy_version, report.policy_digest) == ("2026-01", "abc123")


# The clock


@pytest.mark.parametrize(("moment", "state"), [(LAST_SECOND, ClockState.IN_TIME), (TOO_LATE, ClockState.LATE)])
def test_last_second_of_the_due_day(moment: datetime, state: ClockState) -> None:
    """The period ends with the last hour of its last day, to its very end."""
    assert complete_at(moment).report().clock.state is state


@pytest.mark.parametrize(("now", "state"), [(LAST_SECOND, ClockState.RUNNING), (TOO_LATE, ClockState.OVERDUE)])
def test_last_second_while_it_runs(now: datetime, state: ClockState) -> None:
    """The same holds for a request that is still open."""
    assert Book("crm").report(now).clock.state is state


def test_days_left() -> None:
    """Whole days, relative to the moment that is passed in."""
    report = Book("crm").report(datetime(2026, 3, 30, 23, 0, tzinfo=UTC))
    assert report.answers.in_time == ("Still running: 6 days left until the due date of 2026-04-05 (GDPR Art. 12(3)).")


def test_days_late() -> None:
    """Late is said with the number of days."""
    late = complete_at(TOO_LATE + timedelta(days=1)).report()
    assert late.answers.in_time.startswith("Late: the work was completed on 2026-04-07, 2 days after the due date")
    running = Book("crm").report(TOO_LATE)
    assert running.answers.in_time.startswith("Late and still running: 1 day after the due date of 2026-04-05")


def test_another_zone_does_not_move_the_due_date() -> None:
    """The due date is counted in UTC, whatever zone the reader is in."""
    west = LAST_SECOND.astimezone(datetime.strptime("-0800", "%z").tzinfo)
    assert "on the due date, 2026-04-05" in complete_at(west).report().answers.in_time


def test_late_signature_does_not_make_the_work_late() -> None:
    """What was done in time stays so; and nobody is said to have been told."""
    book = complete_at(LAST_SECOND).write(Event.SIGNED_OFF, at=TOO_LATE, by="compliance")
    report = book.report(TOO_LATE + timedelta(days=30))
    assert report.clock.state is ClockState.IN_TIME
    assert report.clock.signed_off_by == "compliance"
    assert "When the person was told is not in the ledger" in report.answers.in_time


# The state as a whole


def test_signed_off() -> None:
    """Who and when."""
    report = Book("crm").erased("crm").completed().signed().report()
    assert report.state is State.SIGNED_OFF
    assert report.answers.complete == (
        "Complete, and signed off by compliance on 2026-03-08: 1 system with a final outcome."
    )
    assert report.clock.closed_at is not None


def test_awaiting_sign_off() -> None:
    """Complete is not signed off."""
    report = Book("crm").erased("crm").completed().report()
    assert report.state is State.AWAITING_SIGN_OFF
    assert "nobody has signed it off yet" in report.answers.complete


def test_open_says_what_is_open() -> None:
    """Each system by how far it is, from the ledger alone."""
    book = Book("mail", "crm", "wiki", "lists").found("mail", contact=1)
    book.write(Event.STOPPED, "crm", reason="AccessRefused")
    book.found("wiki").planned("wiki", {}).looked("wiki", "clean", "clean")
    report = book.report()
    assert report.state is State.OPEN
    assert report.answers.complete == (
        "Not complete: stopped until a person decides: crm; under way: mail; not started: lists; "
        "waiting only for the others: wiki."
    )
    assert report.still_open == ("crm", "lists", "mail", "wiki")
    assert report.evidence is None
    assert "Not known before the work is complete" in report.answers.proof


def test_signature_without_completion_signs_nothing_off() -> None:
    """A stray entry does not turn an open request into a finished one."""
    assert Book("crm").write(Event.SIGNED_OFF, by="compliance").report().state is State.OPEN


def test_completed_with_a_system_missing_is_said() -> None:
    """The report does not trust the word "completed" over the outcomes."""
    report = Book("crm", "mail").erased("crm").completed().report()
    assert "the ledger holds no final outcome for mail" in report.answers.complete
    assert report.still_open == ("mail",)


def test_cancelled() -> None:
    """By whom, and that nothing was erased as far as the ledger knows."""
    book = Book("crm").found("crm", contact=2).planned("crm", {"contact.erase": 2}, TOMBSTONE)
    report = book.write(Event.CANCELLED, by="intake").write(Event.CLOSED).report()
    assert report.state is State.CANCELLED
    assert report.answers.complete == (
        "Not carried out: the request was cancelled by intake on 2026-03-05; the ledger shows no erasing step."
    )
    assert report.clock.state is ClockState.CANCELLED
    assert report.kept == ()
    assert report.answers.proof == "Nothing is claimed as proven, because the request was cancelled."
    assert report.systems[0].sentence.startswith("Not treated to the end, because the request was cancelled.")
    assert [step.step for step in report.human_steps] == [Event.CANCELLED]


def test_cancelled_from_the_temporal_interface_names_nobody() -> None:
    """The word "temporal" is not a person."""
    report = Book("crm").write(Event.CANCELLED, by="temporal").report()
    assert "cancelled by somebody in Temporal's own interface" in report.answers.complete


# Evidence


def test_weakest_evidence() -> None:
    """One E2 among E4 makes the request E2, and the report says what that means."""
    book = Book("crm", "mail").erased("crm")
    book.found("mail", contact=1).acted("mail", {"contact.erased": 1}).looked("mail", "not_provable", "not_provable")
    report = book.concluded("mail", "erased", 2, {"contact.erased": 1}).completed(2).report()
    assert report.evidence is EvidenceLevel.E2
    assert report.answers.proof.startswith("Weakest evidence: E2 (the vendor says that it is done")


def test_left_out_systems_are_named_beside_the_evidence() -> None:
    """An excused system has no evidence; that must not hide behind a high level."""
    book = Book("crm", "old").erased("crm").write(Event.EXCUSED, "old", by="ops", reason="system_retired")
    report = book.concluded("old", "excused", 0, reason="system_retired").completed().report()
    assert "Not counted, because not treated, or not to the end: old." in report.answers.proof
    assert report.answers.complete.endswith("not treated, or not to the end: old.")


def test_doubts_are_named_beside_the_evidence() -> None:
    """A search that left doubts is not as good as its level."""
    report = Book("crm").found("crm", contact=2, doubts=["address_not_verified"]).erased("crm").completed().report()
    assert report.answers.proof.endswith("The search left doubts in: crm.")


def test_nothing_treated_proves_nothing() -> None:
    """E0 would read as "asked"; nobody asked anything."""
    book = Book("old").write(Event.EXCUSED, "old", by="ops", reason="system_retired")
    report = book.concluded("old", "excused", 0, reason="system_retired").completed(0).report()
    assert report.answers.proof == "No system was treated to the end, so nothing is proven."


# Facts per system


def test_facts_of_a_plain_system() -> None:
    """Found, planned, done, tries, times, re-reads, version and what remains."""
    facts = Book("crm").erased("crm").completed().report().systems[0]
    assert [(r.kind, r.found, r.planned, r.done) for r in facts.records] == [
        ("contact", 2, {"erase": 2}, {"erased": 2})
    ]
    assert (facts.attempts, facts.turns, facts.versions) == (4, 1, ("c0ffee",))
    assert facts.first_at == ASKED + timedelta(hours=1)
    assert [(look.look, look.verdict, look.evidence) for look in facts.rereads] == [(1, "clean", 3), (2, "clean", 3)]
    assert facts.remains == ("the audit log keeps its entries",)
    assert facts.standing is Standing.FINAL


def test_remains_may_be_absent() -> None:
    """Older ledgers do not say what a vendor keeps."""
    assert Book("crm").write(Event.PLANNED, "crm").facts("crm").remains == ()


def test_order_comes_from_turns_not_from_clocks() -> None:
    """A machine whose clock is behind writes the second turn "before" the first."""
    book = Book("crm").at(50).found("crm", contact=1).acted("crm", {"contact.erased": 1}).looked("crm", "still_there")
    book.at(2).found("crm", turn=2, contact=2).acted("crm", {"contact.erased": 2}, turn=2)
    book.entries.sort(key=lambda entry: entry.at)
    facts = book.facts("crm")
    assert facts.records[0].found == 2
    assert facts.records[0].done == {"erased": 2}
    assert facts.turns == 2


def test_last_conclusion_wins() -> None:
    """An outcome that was overtaken is void."""
    book = Book("crm").erased("crm").found("crm", turn=2, contact=1).looked("crm", "clean", turn=2)
    book.write(Event.CONCLUDED, "crm", turn=2, outcome="redacted", evidence=3, counts={"contact.redacted": 1})
    assert book.facts("crm").outcome == "redacted"


def test_kept_as_it_came_true() -> None:
    """The tombstone as it was written, under a name that does not claim the member record was kept."""
    book = Book("members").found("members", individual_member=1, contribution=1)
    book.planned("members", {"contribution.keep": 1, "individual_member.erase": 1}, NAME, TOMBSTONE)
    written = {"article": "Art. 5(2) GDPR", "scope": "three fields", "until": "2029-03-06"}
    book.write(Event.TOMBSTONE_WRITTEN, "members", detail=written)
    book.concluded("members", "erased", 4, {"individual_member.erased": 1}, NAME, TOMBSTONE)
    name, tombstone = book.report().kept
    assert (name.exception, name.article, name.until, name.planned) == (
        "contributor_name",
        NAME["article"],
        None,
        False,
    )
    assert (tombstone.record_kind, tombstone.scope) == ("deleted_members_entry", "three fields")
    assert tombstone.until == date(2029, 3, 6)


def test_tombstone_that_was_never_written_is_not_kept() -> None:
    """The plan alone keeps nothing; the gap is a limit of the report."""
    book = Book("members").concluded(
        "members", "erased", 2, {}, TOMBSTONE, reason="deleted_in_vendor_tool", attested=True
    )
    report = book.report()
    assert report.kept == ()
    assert any("does not show that it was written" in limit.sentence for limit in report.limits)


def test_kept_in_an_open_request_is_only_planned() -> None:
    """A plan is not a fact."""
    report = Book("members").planned("members", {"contribution.keep": 1}, NAME, TOMBSTONE).report()
    assert [(row.exception, row.planned) for row in report.kept] == [
        ("contributor_name", True),
        ("deleted_members", True),
    ]


def test_claim_beyond_the_re_reads_is_a_limit() -> None:
    """The ledger's own times must bear out its level."""
    book = Book("crm").found("crm", contact=1).acted("crm", {"contact.erased": 1})
    book.looked("crm", "clean", "clean", days=0.1).concluded("crm", "erased", 4, {"contact.erased": 1})
    report = book.completed(4).report()
    assert report.answers.proof.endswith("The ledger's own re-reads show less than it claims in: crm.")
    assert "crm: The ledger says E4, but shows no two clean re-reads at least a day apart." in [
        f"{limit.system}: {limit.sentence}" for limit in report.limits
    ]


def test_what_the_ledger_does_not_hold_is_said() -> None:
    """Silence about identity, notice, recipients and backups would read as a "yes"."""
    said = " ".join(limit.sentence for limit in Book("crm").report().limits)
    for article in ("Art. 12(6)", "Art. 12(3)", "Art. 19", "backups"):
        assert article in said
