"""When a request may be called complete: never with an empty fan-out, never with a system left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from erasure.outcome import EvidenceLevel, Outcome, OutcomeKind

# Nothing was done there, so there is nothing that could be proven.
_WITHOUT_EVIDENCE = frozenset({OutcomeKind.EXCUSED, OutcomeKind.INFORMED, OutcomeKind.NOT_IDENTIFIABLE})


def refusal(expected: Iterable[str], outcomes: Mapping[str, Outcome]) -> str:
    """Return why the request is not complete, as a code, or "" when it is.

    `expected` are the systems policy.toml names; each must be treated or excused, none may be still open.
    """
    names = set(expected)
    if not names or not outcomes:
        return "empty_fan_out"
    if missing := sorted(names - outcomes.keys()):
        return f"not_treated: {' '.join(missing)}"[:80]
    if still_open := sorted(name for name, outcome in outcomes.items() if not outcome.kind.final):
        return f"still_open: {' '.join(still_open)}"[:80]
    return ""


def weakest(outcomes: Iterable[Outcome]) -> EvidenceLevel:
    """Return the weakest evidence of the systems in which something could be proven."""
    levels = [outcome.evidence for outcome in outcomes if outcome.kind not in _WITHOUT_EVIDENCE]
    return min(levels, default=EvidenceLevel.E0)
