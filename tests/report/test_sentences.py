"""The one sentence about each system never says more than is known."""

from __future__ import annotations

import pytest

from erasure.entry import Event
from erasure.outcome import OutcomeKind
from report import words
from report.sentences import _FINAL
from tests.report.book import NAME, TOMBSTONE, Book


def test_every_final_outcome_has_its_words() -> None:
    """A new outcome cannot be forgotten here."""
    assert set(_FINAL) == {kind for kind in OutcomeKind if kind.final}
    assert set(words.OUTCOMES) == set(OutcomeKind)


def test_erased() -> None:
    """How many, and how it was read again."""
    said = Book("crm").erased("crm").says("crm")
    assert said == "2 records erased; two re-reads 3 days apart found nothing (E4)."


def test_erased_beside_what_is_kept() -> None:
    """A re-read that still meets a kept record did not find "nothing"."""
    book = Book("crm").looked("crm", "clean", "clean").concluded("crm", "erased", 4, {"contact.erased": 1}, NAME)
    assert book.says("crm") == "1 record erased; two re-reads 3 days apart found nothing but what is kept (E4)."


def test_tombstone_is_kept_elsewhere() -> None:
    """The deleted-members entry lies in another store, so the system itself is empty."""
    book = Book("crm").looked("crm", "clean", "clean").concluded("crm", "erased", 4, {"contact.erased": 1}, TOMBSTONE)
    assert "found nothing (E4)" in book.says("crm")


@pytest.mark.parametrize(
    ("outcome", "effect", "words_of_it"),
    [
        ("redacted", "redacted", "redacted, which is not erasure"),
        ("pseudonymised", "pseudonymised", "pseudonymised, which is not erasure"),
        ("restricted", "restricted", "restricted (still stored, no longer used)"),
        ("suppressed", "suppressed", "suppressed (still held, no longer contacted)"),
        ("lifted", "lifted", "freed from an earlier restriction"),
    ],
)
def test_what_is_still_there_is_never_called_erased(outcome: str, effect: str, words_of_it: str) -> None:
    """Masking is not erasure, and a re-read of a masked record does not "find nothing"."""
    book = Book("crm").looked("crm", "clean", "clean").concluded("crm", outcome, 4, {f"ticket.{effect}": 2})
    assert book.says("crm") == (
        f"2 records {words_of_it}; two re-reads 3 days apart found nothing that should not be there (E4)."
    )


def test_the_weakest_word_stands_first() -> None:
    """Nobody should read "erased" before "redacted"."""
    counts = {"contact.erased": 3, "ticket.redacted": 1, "contact.already_gone": 1}
    said = Book("crm").looked("crm", "clean").concluded("crm", "redacted", 3, counts).says("crm")
    assert said.startswith(
        "1 record redacted, which is not erasure, 3 records erased, 1 record already gone; a re-read"
    )


def test_no_re_read_is_said() -> None:
    """Nothing is proven by silence."""
    assert "it was not re-read (E1)" in Book("crm").concluded("crm", "erased", 1, {"contact.erased": 1}).says("crm")


def test_re_read_that_proves_nothing() -> None:
    """A vendor that shows nothing either way gives no proof, and one clean look is one."""
    blind = (
        Book("crm").looked("crm", "not_provable", "not_provable").concluded("crm", "erased", 2, {"contact.erased": 1})
    )
    assert "the vendor shows nothing that would prove it (E2)" in blind.says("crm")
    half = Book("crm").looked("crm", "not_provable", "clean").concluded("crm", "erased", 3, {"contact.erased": 1})
    assert "a re-read found nothing, another proved nothing (E3)" in half.says("crm")


def test_re_reads_of_an_earlier_turn_prove_nothing() -> None:
    """What was clean before a record came back does not count."""
    book = Book("crm").looked("crm", "clean", "still_there").looked("crm", "clean", turn=2)
    said = book.concluded("crm", "erased", 3, {"contact.erased": 2}).says("crm")
    assert said == "2 records erased; a re-read found nothing (E3)."


@pytest.mark.parametrize(
    ("outcome", "reason", "said"),
    [
        ("nothing_held", "never_there", "The search found nothing to erase; "),
        ("nothing_held", "already_gone", "What the search found (1 record) was gone before we could erase it; "),
        ("nothing_held", "too_few_identifiers", "Not searched: what is known of the person cannot be searched for"),
        ("not_identifiable", "too_few_identifiers", "Not searched: what is known of the person cannot be searched for"),
    ],
)
def test_nothing_held_is_three_things(outcome: str, reason: str, said: str) -> None:
    """Never there, already gone, and never searched are different statements."""
    counts = {"contact.already_gone": 1} if reason == "already_gone" else {}
    book = Book("crm").looked("crm", "clean", "clean").concluded("crm", outcome, 4, counts, reason=reason)
    assert book.says("crm").startswith(said)


def test_kept() -> None:
    """Kept is neither erased nor nothing."""
    book = Book("crm").looked("crm", "clean", "clean").concluded("crm", "kept", 4, {}, NAME)
    assert book.says("crm").startswith("Nothing was erased: all that was found is kept, for the reasons given; two")


def test_informed() -> None:
    """Another controller."""
    assert "another controller answers" in Book("ads").concluded("ads", "informed", 0).says("ads")


def test_excused() -> None:
    """Whose decision, and why, in words."""
    book = Book("crm").write(Event.EXCUSED, "crm", by="dana", reason="counsel_decision")
    book.concluded("crm", "excused", 0, reason="counsel_decision")
    assert book.says("crm") == "Left untreated by decision of dana: counsel decided so."


def test_excused_in_the_middle() -> None:
    """What the erasing step had reported is told, and that it is not proven."""
    book = Book("crm").write(Event.EXCUSED, "crm", by="dana", reason="system_retired")
    book.concluded("crm", "excused", 0, {"contact.erased": 1}, reason="system_retired")
    assert book.says("crm").endswith("Before that, the erasing step had reported: 1 record erased; that is not proven.")


def attested(word: str, level: int, outcome: str = "erased") -> Book:
    """Return a system that a person treated by hand, after the program stopped."""
    book = Book("crm").found("crm", contact=2).write(Event.STOPPED, "crm", reason="Rejected: DELETE_FAILED")
    book.write(Event.ATTESTED, "crm", by="ops", reason=word)
    if level > 2:
        book.looked("crm", "clean", turn=2)
    return book.concluded("crm", outcome, level, {"contact.found": 2}, reason=word, attested=True)


def test_attested_and_re_read() -> None:
    """Whose word, what they said, and what the re-read showed; what was found is not counted as erased."""
    said = attested("deleted_in_vendor_tool", 3).says("crm")
    assert said == (
        "ops attested on 2026-03-05 that the records were deleted by hand in the vendor's own tool; "
        "a re-read found nothing (E3)."
    )


def test_attested_without_a_re_read() -> None:
    """A word alone is called no more than that."""
    assert (
        attested("confirmed_by_vendor", 2)
        .says("crm")
        .endswith("that the vendor confirmed the deletion; it could not be re-read (E2).")
    )


def test_attested_redaction_is_not_erasure() -> None:
    """Also when it was done by hand."""
    assert "which is not erasure" in attested("redacted_in_vendor_tool", 3, "redacted").says("crm")


def test_re_read_before_the_word_does_not_bear_it_out() -> None:
    """A clean look of the turn before says nothing about what was done by hand since."""
    book = Book("crm").looked("crm", "clean").write(Event.STOPPED, "crm", reason="AccessRefused")
    book.write(Event.ATTESTED, "crm", by="ops", reason="confirmed_by_vendor")
    book.concluded("crm", "erased", 3, reason="confirmed_by_vendor", attested=True)
    assert "it could not be re-read (E3)" in book.says("crm")
    assert any("The ledger says E3, but shows no clean re-read" in limit.sentence for limit in book.report().limits)


def test_doubts_stand_in_the_sentence() -> None:
    """A doubt at the search weakens whatever was found or not found."""
    book = Book("crm").found("crm", doubts=["comments_in_tickets_of_others"]).looked("crm", "clean", "clean")
    said = book.concluded("crm", "nothing_held", 4, reason="never_there").says("crm")
    assert said.endswith("The search left doubts: comments in tickets of others.")


# While it is open


def test_nothing_yet() -> None:
    """A system without entries."""
    assert Book("crm").says("crm") == "Not complete. The ledger shows no step in this system yet."


def test_accepted_is_not_erased() -> None:
    """The erasing step ended; the vendor may still be at work."""
    book = Book("crm").planned("crm", {"contact.erase": 2}).acted("crm", {"contact.erased": 2})
    assert book.says("crm") == (
        "Not complete. The erasing step reported: 2 records erased. "
        "The vendor may still be at work, and nobody has re-read it."
    )


def test_stopped() -> None:
    """Why, in words and with the code; and that part of it may have happened."""
    book = Book("crm").planned("crm", {"contact.erase": 2}).write(Event.STOPPED, "crm", reason="Rejected: X1")
    assert book.says("crm") == (
        "Not complete. It stopped and waits for a person: the system rejected a step (Rejected: X1). "
        "Whether some of the records planned for erasure are gone already is not written down."
    )


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("clean", "The first re-read found nothing that should be gone; the second is still to come."),
        ("still_there", "A re-read still found 1 record; the system is gone through again."),
        ("not_provable", "The first re-read could not prove anything; the second is still to come."),
    ],
)
def test_after_a_first_look(verdict: str, said: str) -> None:
    """One look is one look."""
    book = Book("crm").found("crm", contact=1).acted("crm", {"contact.erased": 1}).looked("crm", verdict)
    assert book.says("crm") == f"Not complete. {said}"


@pytest.mark.parametrize(
    ("event", "reason", "said"),
    [
        (Event.RETRIED, "", "ops had it gone through again on 2026-03-05; no step since then has ended."),
        (
            Event.ATTESTED,
            "confirmed_by_vendor",
            "attested on 2026-03-05 that the vendor confirmed the deletion; it is not",
        ),
        (Event.EXCUSED, "handled_outside", "Left untreated by decision of ops: it is handled outside this program."),
    ],
)
def test_a_persons_word_while_it_is_open(event: Event, reason: str, said: str) -> None:
    """What a person decided is told as theirs."""
    book = Book("crm").write(Event.STOPPED, "crm", reason="still_there").write(event, "crm", by="ops", reason=reason)
    assert said in book.says("crm")


def test_other_last_steps() -> None:
    """Searched, planned, tombstone, confirmed."""
    assert "The search found 2 records; nothing is planned yet." in Book("crm").found("crm", contact=2).says("crm")
    assert Book("crm").found("crm").says("crm").endswith("The search found nothing.")
    few = Book("crm").write(Event.DISCOVERED, "crm", mark="round1", reason="too_few_identifiers")
    assert "cannot be searched for" in few.says("crm")
    assert "There is nothing to erase; not re-read yet." in Book("crm").planned("crm", {}).says("crm")
    done = Book("crm").write(Event.CONFIRMED, "crm", counts={"contact.erased": 1})
    assert "The vendor says it is done: 1 record erased. It is not re-read yet." in done.says("crm")
    buried = Book("crm").write(Event.TOMBSTONE_WRITTEN, "crm", detail={"article": "A", "scope": "S", "until": None})
    assert "The deleted-members entry is written; no erasing step has ended." in buried.says("crm")
