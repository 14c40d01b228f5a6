"""The answers that stand first in the report: is it complete, and how well is it proven."""

from __future__ import annotations

from collections.abc import Sequence

from erasure.outcome import EvidenceLevel
from report import words
from report.shape import UNTREATED, Clock, Standing, State, SystemFacts


def complete(state: State, clock: Clock, systems: Sequence[SystemFacts]) -> str:
    """Answer the first question: is it complete?"""
    if state is State.OPEN:
        return f"Not complete: {_what_is_open(systems)}."
    if state is State.CANCELLED:
        return _cancelled(clock, systems)
    done = f"{_systems(len(systems))} with a final outcome{_left_out(systems)}"
    if missing := _named(systems, *set(Standing) - {Standing.FINAL}):
        done = f"but the ledger holds no final outcome for {missing}"
    if state is State.AWAITING_SIGN_OFF:
        return f"The work is complete, but nobody has signed it off yet: {done}."
    signed = words.day(clock.signed_off_at) if clock.signed_off_at else ""
    return f"Complete, and signed off by {words.who(clock.signed_off_by)} on {signed}: {done}."


def _cancelled(clock: Clock, systems: Sequence[SystemFacts]) -> str:
    touched = ", ".join(facts.name for facts in systems if any(row.done for row in facts.records))
    shown = f"the ledger shows erasing steps in {touched}" if touched else "the ledger shows no erasing step"
    on = words.day(clock.cancelled_at) if clock.cancelled_at else ""
    return f"Not carried out: the request was cancelled by {words.who(clock.cancelled_by)} on {on}; {shown}."


def _what_is_open(systems: Sequence[SystemFacts]) -> str:
    parts = [(_named(systems, *standings), said) for said, standings in _OPEN]
    told = "; ".join(f"{said}: {names}" for names, said in parts if names)
    return told or "the ledger does not say that the request as a whole was concluded"


_OPEN = (
    ("stopped until a person decides", (Standing.STOPPED,)),
    ("under way", (Standing.UNDER_WAY,)),
    ("not started", (Standing.NOT_STARTED,)),
    ("waiting only for the others", (Standing.READY,)),
)


def _named(systems: Sequence[SystemFacts], *standings: Standing) -> str:
    return ", ".join(facts.name for facts in systems if facts.standing in standings)


def _systems(count: int) -> str:
    return "1 system" if count == 1 else f"{count} systems, each"


def _left_out(systems: Sequence[SystemFacts]) -> str:
    """Name the systems that were left out: "final" alone would hide them."""
    left = [facts.name for facts in systems if facts.outcome in UNTREATED]
    return f"; not treated, or not to the end: {', '.join(left)}" if left else ""


def proof(state: State, evidence: EvidenceLevel | None, systems: Sequence[SystemFacts]) -> str:
    """Answer the third question: how well is it proven?"""
    if state is State.CANCELLED:
        return "Nothing is claimed as proven, because the request was cancelled."
    if evidence is None:
        return "Not known before the work is complete; what is proven so far stands with each system."
    if all(facts.evidence is None for facts in systems):
        return "No system was treated to the end, so nothing is proven."
    return f"Weakest evidence: {evidence.name} ({words.EVIDENCE[evidence]}).{_reservations(systems)}"


def _reservations(systems: Sequence[SystemFacts]) -> str:
    """Say what a single level would hide."""
    reservations = (
        ("Not counted, because not treated, or not to the end", [s.name for s in systems if s.outcome in UNTREATED]),
        ("The search left doubts in", [s.name for s in systems if s.doubts]),
        ("The ledger's own re-reads show less than it claims in", [s.name for s in systems if s.contradiction]),
    )
    return "".join(f" {said}: {', '.join(names)}." for said, names in reservations if names)
