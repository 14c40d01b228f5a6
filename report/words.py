"""Codes of the ledger in plain English. A code that is not known here is shown as it stands, never guessed at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from erasure.entry import Event
from erasure.outcome import Attestation, Effect, EvidenceLevel, Excuse, OutcomeKind
from erasure.request import ErasureGround, Right

EVIDENCE: Mapping[EvidenceLevel, str] = {
    EvidenceLevel.E0: "asked: nothing proves yet that it was done",
    EvidenceLevel.E1: "the vendor accepted the call, but has not said that it is done",
    EvidenceLevel.E2: "the vendor says that it is done, or a person attested it; no re-read has proven it",
    EvidenceLevel.E3: "the system was read again and nothing was found that should be gone",
    EvidenceLevel.E4: "the system was read again twice, days apart, and nothing was found that should be gone",
}

OUTCOMES: Mapping[OutcomeKind, str] = {
    OutcomeKind.ERASED: "The records were deleted, not merely masked.",
    OutcomeKind.REDACTED: "Parts of at least one record were masked. That is not erasure.",
    OutcomeKind.PSEUDONYMISED: "At least one record can still be tied to the person with other data. Not erasure.",
    OutcomeKind.RESTRICTED: "At least one record is still stored, but no longer used (GDPR Art. 18).",
    OutcomeKind.LIFTED: "An earlier restriction was taken back (GDPR Art. 18(3)).",
    OutcomeKind.SUPPRESSED: "The person is no longer contacted; at least one record is still held for that.",
    OutcomeKind.NOTHING_HELD: "Nothing to erase: it was never there, or it was gone before.",
    OutcomeKind.NOT_IDENTIFIABLE: "What is known of the person does not suffice to search here (GDPR Art. 11(2)).",
    OutcomeKind.KEPT: "All that was found stays, each for a reason that is given (GDPR Art. 12(4)).",
    OutcomeKind.INFORMED: "Another controller answers for this system; the person is told to turn to it.",
    OutcomeKind.EXCUSED: "A person decided to leave the system untreated, for a reason from a closed list.",
    OutcomeKind.WAITING_ON_VENDOR: "Not finished: the vendor still works on it.",
    OutcomeKind.WAITING_ON_PERSON: "Not finished: it waits for a person.",
    OutcomeKind.NEEDS_ATTENTION: "Not finished: it stopped and needs a person.",
}

RIGHTS: Mapping[str, str] = {Right.ERASURE: "erasure (GDPR Art. 17)"}

GROUNDS: Mapping[str, str] = {
    "": "none was named",
    ErasureGround.NO_LONGER_NECESSARY: "the data are no longer necessary (GDPR Art. 17(1)(a))",
    ErasureGround.CONSENT_WITHDRAWN: "consent was withdrawn (GDPR Art. 17(1)(b))",
    ErasureGround.OBJECTION: "the person objected (GDPR Art. 17(1)(c))",
    ErasureGround.UNLAWFUL: "the processing was unlawful (GDPR Art. 17(1)(d))",
    ErasureGround.LEGAL_DUTY: "a law demands erasure (GDPR Art. 17(1)(e))",
    ErasureGround.CHILD: "the data were collected from a child (GDPR Art. 17(1)(f))",
}

EXCUSES: Mapping[str, str] = {
    Excuse.SYSTEM_RETIRED: "the system is retired",
    Excuse.CONTRACT_ENDED: "the contract with the vendor has ended",
    Excuse.HANDLED_OUTSIDE: "it is handled outside this program",
    Excuse.COUNSEL_DECISION: "counsel decided so",
    Excuse.NOT_THIS_PERSON: "the records are not this person's",
}

ATTESTATIONS: Mapping[str, str] = {
    Attestation.DELETED_IN_VENDOR_TOOL: "the records were deleted by hand in the vendor's own tool",
    Attestation.REDACTED_IN_VENDOR_TOOL: (
        "the records were redacted by hand in the vendor's own tool, which is not erasure"
    ),
    Attestation.CONFIRMED_BY_VENDOR: "the vendor confirmed the deletion",
}

STOPS: Mapping[str, str] = {
    "AccessRefused": "the system refused our access",
    "Rejected": "the system rejected a step",
    "Ambiguous": "it was unclear whose records these are",
    "Fault": "there was a fault in this program",
    "still_there": "a re-read still found what should have been gone",
    "no_answer": "a step ended without an answer",
    "identifiers_keep_growing": "the search kept turning up further identifiers",
}

HUMAN_STEPS: Mapping[Event, str] = {
    Event.RETRIED: "had the system gone through again",
    Event.ATTESTED: "attested",
    Event.EXCUSED: "left the system untreated",
    Event.SIGNED_OFF: "signed off completion",
    Event.CANCELLED: "cancelled the request",
}

# Weakest word first, so that nobody reads "erased" before "redacted".
EFFECTS: Mapping[str, str] = {
    Effect.SUPPRESSED: "suppressed (still held, no longer contacted)",
    Effect.RESTRICTED: "restricted (still stored, no longer used)",
    Effect.LIFTED: "freed from an earlier restriction",
    Effect.PSEUDONYMISED: "pseudonymised, which is not erasure",
    Effect.REDACTED: "redacted, which is not erasure",
    Effect.ERASED: "erased",
    Effect.ALREADY_GONE: "already gone",
}

_NOBODY = "somebody whom the ledger does not name"
_TEMPORAL = "somebody in Temporal's own interface, whom the ledger does not name"


def spaced(code: str) -> str:
    """Return a code as words."""
    return code.replace("_", " ")


def who(handle: str) -> str:
    """Return who it was; "temporal" is what the workflow writes when nobody gave a name."""
    return {"": _NOBODY, "temporal": _TEMPORAL}.get(handle, handle)


def records(count: int) -> str:
    """Return a number of records."""
    return "1 record" if count == 1 else f"{count} records"


def days(count: int) -> str:
    """Return a number of days."""
    return "1 day" if count == 1 else f"{count} days"


def day(moment: datetime) -> str:
    """Return the day in UTC, by which the clock counts."""
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def apart(gap: timedelta) -> str:
    """Return how far two moments lie apart, in whole days."""
    return f"{days(gap.days)} apart" if gap.days else "less than a day apart"


def stop(reason: str) -> str:
    """Return why a system stopped, with the code that ops know it by."""
    plain = STOPS.get(reason.partition(":")[0])
    return f"{plain} ({reason})" if plain else reason or "no reason was written down"


def reason_of(step: Event, code: str) -> str:
    """Return the reason a person gave, which is a code from a closed list."""
    return {Event.ATTESTED: ATTESTATIONS, Event.EXCUSED: EXCUSES}.get(step, {}).get(code, spaced(code))


def effects(counts: Mapping[str, int]) -> str:
    """Return what was done, as "2 records erased, 1 record already gone"."""
    return ", ".join(f"{records(counts[effect])} {plain}" for effect, plain in EFFECTS.items() if counts.get(effect))
