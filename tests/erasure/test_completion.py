"""Completion over every combination; the table of single cases stands in tests/workflows/test_completion.py."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from erasure.completion import refusal, weakest
from erasure.entry import Entry, Event
from erasure.outcome import EvidenceLevel, Outcome, OutcomeKind

SYSTEMS = st.from_regex(r"[a-z0-9_]{1,40}", fullmatch=True)
OUTCOMES = st.dictionaries(
    SYSTEMS, st.builds(Outcome, kind=st.sampled_from(OutcomeKind), evidence=st.sampled_from(EvidenceLevel)), max_size=6
)


@given(st.sets(SYSTEMS, max_size=6), OUTCOMES)
def test_complete_means_all_of_them_and_nothing_open(expected: set[str], outcomes: dict[str, Outcome]) -> None:
    """A code is given for everything else, and the ledger takes it as a reason."""
    why = refusal(expected, outcomes)
    final = all(outcome.kind.final for outcome in outcomes.values())
    assert (why == "") == (bool(expected) and bool(outcomes) and expected <= outcomes.keys() and final)
    Entry(key="r:c", request_id="r", at=datetime.now(UTC), event=Event.STOPPED, reason=why)


@given(OUTCOMES)
def test_no_proof_is_stronger_than_a_systems_own(outcomes: dict[str, Outcome]) -> None:
    """The request's evidence is some system's, and never above any that has something to prove."""
    level = weakest(outcomes.values())
    nothing_done = {OutcomeKind.EXCUSED, OutcomeKind.INFORMED, OutcomeKind.NOT_IDENTIFIABLE}
    proven = [outcome.evidence for outcome in outcomes.values() if outcome.kind not in nothing_done]
    assert all(level <= one for one in proven)
    assert level in proven or (not proven and level is EvidenceLevel.E0)
