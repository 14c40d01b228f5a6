"""What may be said about a system at the end, and how well it is proven."""

from __future__ import annotations

from datetime import date
from enum import IntEnum, StrEnum

from pydantic import BaseModel, ConfigDict


class EvidenceLevel(IntEnum):
    """How well an outcome is proven; a request shows its weakest."""

    E0 = 0  # asked
    E1 = 1  # the vendor accepted
    E2 = 2  # the vendor says done, or a person attested
    E3 = 3  # a re-read finds nothing
    E4 = 4  # a second re-read, days later, finds nothing


class Effect(StrEnum):
    """What happened to one record. Masking is never called erased (EDPB 2025 enforcement report, point 7)."""

    ERASED = "erased"
    ALREADY_GONE = "already_gone"
    REDACTED = "redacted"
    PSEUDONYMISED = "pseudonymised"
    RESTRICTED = "restricted"
    LIFTED = "lifted"
    SUPPRESSED = "suppressed"


class OutcomeKind(StrEnum):
    """The closed set of outcomes of one system."""

    ERASED = "erased"
    REDACTED = "redacted"
    PSEUDONYMISED = "pseudonymised"
    RESTRICTED = "restricted"
    LIFTED = "lifted"
    SUPPRESSED = "suppressed"
    NOTHING_HELD = "nothing_held"
    NOT_IDENTIFIABLE = "not_identifiable"
    KEPT = "kept"
    INFORMED = "informed"
    EXCUSED = "excused"
    WAITING_ON_VENDOR = "waiting_on_vendor"
    WAITING_ON_PERSON = "waiting_on_person"
    NEEDS_ATTENTION = "needs_attention"

    @property
    def final(self) -> bool:
        """Tell whether nothing more will happen in the system."""
        return self not in _OPEN


_OPEN = {OutcomeKind.WAITING_ON_VENDOR, OutcomeKind.WAITING_ON_PERSON, OutcomeKind.NEEDS_ATTENTION}


class NothingHeld(StrEnum):
    """Why a system holds nothing; three different statements."""

    NEVER_THERE = "never_there"
    ALREADY_GONE = "already_gone"
    TOO_FEW_IDENTIFIERS = "too_few_identifiers"


class Attestation(StrEnum):
    """What a person may attest to have done or seen, by hand, outside this program."""

    DELETED_IN_VENDOR_TOOL = "deleted_in_vendor_tool"
    REDACTED_IN_VENDOR_TOOL = "redacted_in_vendor_tool"
    CONFIRMED_BY_VENDOR = "confirmed_by_vendor"


class Excuse(StrEnum):
    """Why a person may leave a system untreated; there is no free text."""

    SYSTEM_RETIRED = "system_retired"
    CONTRACT_ENDED = "contract_ended"
    HANDLED_OUTSIDE = "handled_outside"
    COUNSEL_DECISION = "counsel_decision"
    NOT_THIS_PERSON = "not_this_person"


class Kept(BaseModel):
    """Records that stay, with the reason that policy.toml gives."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    record_kind: str
    count: int
    exception: str
    article: str
    scope: str
    until: date | None = None


class Outcome(BaseModel):
    """The one result of one system.

    `reason` is a code, never free text: why nothing is held, why a person excused the system, what stopped it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: OutcomeKind
    evidence: EvidenceLevel = EvidenceLevel.E0
    counts: dict[str, int] = {}
    kept: tuple[Kept, ...] = ()
    reason: str = ""
    attested: bool = False


# The weakest word wins: a system in which one record was only masked is not called erased.
_WEAKEST_FIRST = (
    (Effect.SUPPRESSED, OutcomeKind.SUPPRESSED),
    (Effect.RESTRICTED, OutcomeKind.RESTRICTED),
    (Effect.LIFTED, OutcomeKind.LIFTED),
    (Effect.PSEUDONYMISED, OutcomeKind.PSEUDONYMISED),
    (Effect.REDACTED, OutcomeKind.REDACTED),
    (Effect.ERASED, OutcomeKind.ERASED),
)


def conclude(
    effects: dict[str, dict[Effect, int]],
    kept: tuple[Kept, ...],
    evidence: EvidenceLevel,
    *,
    identified: bool,
) -> Outcome:
    """Return the outcome of a system from what was done to its records.

    `effects` counts effects per record kind. `identified` says whether the system could be searched at all
    with the identifiers that were known.
    """
    happened = {effect for counts in effects.values() for effect, count in counts.items() if count}
    counts = {
        f"{kind}.{effect}": count
        for kind, by_effect in sorted(effects.items())
        for effect, count in sorted(by_effect.items())
        if count
    }
    for effect, outcome in _WEAKEST_FIRST:
        if effect in happened:
            return Outcome(kind=outcome, evidence=evidence, counts=counts, kept=kept)
    if not identified:
        return Outcome(kind=OutcomeKind.NOT_IDENTIFIABLE, reason=NothingHeld.TOO_FEW_IDENTIFIERS)
    if kept:
        return Outcome(kind=OutcomeKind.KEPT, evidence=evidence, counts=counts, kept=kept)
    gone = NothingHeld.ALREADY_GONE if happened else NothingHeld.NEVER_THERE
    return Outcome(kind=OutcomeKind.NOTHING_HELD, evidence=evidence, counts=counts, reason=gone)


def conclude_attested(
    word: Attestation,
    found: dict[str, int],
    effects: dict[str, dict[Effect, int]],
    kept: tuple[Kept, ...],
    evidence: EvidenceLevel,
) -> Outcome:
    """Return the outcome of a system that a person treated by hand; their word alone is worth E2."""
    done = conclude(effects, kept, evidence, identified=True)
    said = OutcomeKind.REDACTED if word is Attestation.REDACTED_IN_VENDOR_TOOL else OutcomeKind.ERASED
    by_weakness = [kind for _, kind in _WEAKEST_FIRST]
    return Outcome(
        kind=min({said, done.kind} & set(by_weakness), key=by_weakness.index),
        evidence=max(evidence, EvidenceLevel.E2),
        counts=done.counts | {f"{kind}.found": count for kind, count in found.items()},
        kept=kept,
        reason=word,
        attested=True,
    )
