"""A request never completes with an empty fan-out, or with a system that is neither treated nor excused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from activities.messages import Decision
from engine.requests import Refused
from erasure.completion import refusal, weakest
from erasure.entry import Event
from erasure.outcome import EvidenceLevel, Outcome, OutcomeKind
from tests.workflows.conftest import ADA, Desk
from tests.workflows.scripted import Scripted, policy_for
from workflows.request import DataSubjectRequestWorkflow as Flow

DONE = Outcome(kind=OutcomeKind.ERASED, evidence=EvidenceLevel.E3)
OPEN = Outcome(kind=OutcomeKind.WAITING_ON_VENDOR)
EXCUSED = Outcome(kind=OutcomeKind.EXCUSED, reason="system_retired")


@pytest.mark.parametrize(
    ("expected", "outcomes", "said"),
    [
        ([], {}, "empty_fan_out"),
        (["crm"], {}, "empty_fan_out"),
        ([], {"crm": DONE}, "empty_fan_out"),
        (["crm", "mail"], {"crm": DONE}, "not_treated: mail"),
        (["crm"], {"crm": OPEN}, "still_open: crm"),
        (["crm"], {"crm": DONE, "mail": OPEN}, "still_open: mail"),
        (["crm"], {"crm": DONE}, ""),
        (["crm", "mail"], {"crm": DONE, "mail": EXCUSED}, ""),
    ],
)
def test_refusal(expected: list[str], outcomes: dict[str, Outcome], said: str) -> None:
    """Complete means every system that the policy names, and nothing open."""
    assert refusal(expected, outcomes) == said


def test_weakest_evidence_passes_over_what_was_not_done() -> None:
    """An excused system has nothing to prove; everything else counts."""
    assert weakest([DONE, Outcome(kind=OutcomeKind.ERASED, evidence=EvidenceLevel.E1)]) is EvidenceLevel.E1
    assert weakest([DONE, EXCUSED]) is EvidenceLevel.E3
    assert weakest([EXCUSED]) is EvidenceLevel.E0


async def test_an_empty_fan_out_never_completes(desk: Desk) -> None:
    """With no system to ask, the request waits for a person; all that is possible is to cancel it."""
    policy = policy_for([Scripted("crm")]).model_copy(update={"systems": {}})
    await desk.open(policy=policy)
    from engine import requests

    handle = (await requests.submit(desk.client, desk.request)).handle
    for _ in range(200):
        seen = await desk.status()
        if seen.reason:
            break
        await desk.env.sleep(timedelta(seconds=5))
    assert (seen.state, seen.reason) == ("needs_attention", "empty_fan_out")
    await desk.env.sleep(timedelta(days=60))
    assert (await desk.status()).state == "needs_attention"
    with pytest.raises(Refused, match="cannot be confirmed"):
        await desk.tell(Flow.confirm, Decision(by="compliance"))
    assert not desk.entries(Event.COMPLETED)
    await desk.tell(Flow.cancel, Decision(by="ops"))
    assert (await handle.result()).state == "cancelled"


async def test_a_system_added_to_the_policy_meanwhile_is_treated_too(desk: Desk) -> None:
    """A request that began under an older policy.toml does not complete without the system that came later."""
    crm, late = Scripted("crm").holds(ADA, "1"), Scripted("late").holds(ADA, "2")
    policy = policy_for([crm, late], second_look="1 hour")
    later = policy.systems.pop("late")
    await desk.submit(crm, late, policy=policy)
    seen = await desk.until(lambda s: s.systems[0].outcome is None)
    assert [row.system for row in seen.systems] == ["crm"]
    policy.systems["late"] = later  # as a worker that was restarted with a newer file would see it
    result = await desk.sign_off()
    assert result.outcomes["late"].kind is OutcomeKind.ERASED
    assert not late.records
