"""What may be said about a system: the weakest word wins, and a word is never stronger than its proof."""

from __future__ import annotations

from itertools import chain, combinations, product

import pytest

from erasure.outcome import (
    Attestation,
    Effect,
    EvidenceLevel,
    Excuse,
    Kept,
    NothingHeld,
    Outcome,
    OutcomeKind,
    conclude,
    conclude_attested,
)

KEPT = (Kept(record_kind="contribution", count=2, exception="contributor_name", article="Art. 6", scope="the name"),)
HAPPENED = list(chain.from_iterable(combinations(Effect, size) for size in range(len(Effect) + 1)))
# Said for itself here: from what leaves everything in place to what leaves nothing.
WEAKEST_FIRST = ["suppressed", "restricted", "lifted", "pseudonymised", "redacted", "erased"]
MASKED = {Effect.REDACTED, Effect.PSEUDONYMISED}


def spread(effects: tuple[Effect, ...]) -> dict[str, dict[Effect, int]]:
    """Return these effects on records of alternating kinds, with zeros beside them."""
    counted = {"user": dict.fromkeys(Effect, 0), "ticket": dict.fromkeys(Effect, 0)}
    for number, effect in enumerate(effects, start=1):
        counted["user" if number % 2 else "ticket"][effect] = number
    return counted


@pytest.mark.parametrize(("kept", "evidence", "identified"), list(product([(), KEPT], EvidenceLevel, [True, False])))
def test_conclude_over_its_whole_domain(kept: tuple[Kept, ...], evidence: EvidenceLevel, *, identified: bool) -> None:
    """Every set of effects has exactly one word, and it is the weakest that is true."""
    for effects in HAPPENED:
        outcome = conclude(spread(effects), kept, evidence, identified=identified)
        told = [word for word in WEAKEST_FIRST if word in effects]
        if told:
            assert (outcome.kind, outcome.evidence, outcome.kept) == (told[0], evidence, kept)
        elif not identified:
            assert (outcome.kind, outcome.reason) == (OutcomeKind.NOT_IDENTIFIABLE, NothingHeld.TOO_FEW_IDENTIFIERS)
        elif kept:
            assert (outcome.kind, outcome.evidence, outcome.kept) == (OutcomeKind.KEPT, evidence, kept)
        else:
            why = NothingHeld.ALREADY_GONE if effects else NothingHeld.NEVER_THERE
            assert (outcome.kind, outcome.evidence, outcome.reason) == (OutcomeKind.NOTHING_HELD, evidence, why)
        assert outcome.kind.final
        assert not outcome.attested


def test_masking_is_never_called_erased() -> None:
    """One masked record among many erased ones is enough (EDPB 2025 enforcement report, point 7)."""
    for effects in HAPPENED:
        if MASKED & set(effects):
            outcome = conclude(spread(effects), (), EvidenceLevel.E4, identified=True)
            assert outcome.kind is not OutcomeKind.ERASED


def test_numbers_are_those_of_the_effects() -> None:
    """Per kind and effect, without zeros; what was gone before is counted as that."""
    effects = {"user": {Effect.ERASED: 2, Effect.RESTRICTED: 0}, "ticket": {Effect.ALREADY_GONE: 3}, "cart": {}}
    outcome = conclude(effects, (), EvidenceLevel.E3, identified=True)
    assert outcome.counts == {"user.erased": 2, "ticket.already_gone": 3}


def test_nothing_held_is_three_statements() -> None:
    """Never there, already gone, and searched with too few identifiers are told apart."""
    nothing = conclude({}, (), EvidenceLevel.E3, identified=True)
    gone = conclude({"user": {Effect.ALREADY_GONE: 1}}, (), EvidenceLevel.E3, identified=True)
    unknown = conclude({}, (), EvidenceLevel.E3, identified=False)
    assert [one.reason for one in (nothing, gone, unknown)] == list(NothingHeld)
    assert unknown.kind is not OutcomeKind.NOTHING_HELD
    assert unknown.evidence is EvidenceLevel.E0


@pytest.mark.parametrize(("word", "evidence", "kept"), list(product(Attestation, EvidenceLevel, [(), KEPT])))
def test_a_persons_word_is_worth_e2(word: Attestation, evidence: EvidenceLevel, kept: tuple[Kept, ...]) -> None:
    """More than that only reading again proves, and it stays marked as attested."""
    done = {"user": {Effect.ERASED: 1}}
    outcome = conclude_attested(word, {"ticket": 4}, done, kept, evidence)
    assert outcome.evidence == max(evidence, EvidenceLevel.E2)
    assert outcome.attested
    assert (outcome.reason, outcome.kept) == (word, kept)
    assert outcome.counts == {"user.erased": 1, "ticket.found": 4}
    masked = word is Attestation.REDACTED_IN_VENDOR_TOOL
    assert outcome.kind is (OutcomeKind.REDACTED if masked else OutcomeKind.ERASED)


def test_what_is_open_and_what_is_final() -> None:
    """Only three words mean that something will still happen."""
    still_open = {kind for kind in OutcomeKind if not kind.final}
    waiting = {OutcomeKind.WAITING_ON_VENDOR, OutcomeKind.WAITING_ON_PERSON}
    assert still_open == {*waiting, OutcomeKind.NEEDS_ATTENTION}


def test_every_effect_has_a_word() -> None:
    """A new effect without a place in the order would be called "nothing held"."""
    for effect in set(Effect) - {Effect.ALREADY_GONE}:
        assert conclude({"user": {effect: 1}}, (), EvidenceLevel.E2, identified=True).kind == effect


def test_evidence_is_ordered() -> None:
    """The weakest of several is their minimum."""
    assert sorted(EvidenceLevel) == list(EvidenceLevel)
    assert min(EvidenceLevel) is EvidenceLevel.E0


@pytest.mark.parametrize("closed", [OutcomeKind, Effect, NothingHeld, Attestation, Excuse])
def test_words_fit_the_ledger(closed: type) -> None:
    """Each word is a code, so that the ledger takes it as a reason."""
    assert all(word.value.replace("_", "").isalpha() and word.value.islower() for word in closed)


def test_an_outcome_is_never_changed() -> None:
    """What was concluded is replaced, not edited."""
    with pytest.raises(ValueError, match="frozen"):
        Outcome(kind=OutcomeKind.REDACTED).kind = OutcomeKind.ERASED


# -- defects found while writing these tests --


@pytest.mark.parametrize("effect", sorted(MASKED))
@pytest.mark.parametrize("word", [Attestation.DELETED_IN_VENDOR_TOOL, Attestation.CONFIRMED_BY_VENDOR])
def test_a_person_cannot_make_masked_records_erased(word: Attestation, effect: Effect) -> None:
    """The weakest word wins also where a person attests to the rest."""
    outcome = conclude_attested(word, {}, {"ticket": {effect: 1}}, (), EvidenceLevel.E3)
    assert outcome.kind is not OutcomeKind.ERASED
