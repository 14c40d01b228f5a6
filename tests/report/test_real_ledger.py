"""A report on the ledger that the real workflow and the real activities wrote."""

from __future__ import annotations

from datetime import timedelta

import pytest

from activities.messages import Attested, Decision, Excused, OnSystem
from erasure.failures import AccessRefused, Rejected
from erasure.outcome import Attestation, EvidenceLevel, Excuse
from erasure.subject import Identifier
from report.facts import completion_report
from report.render import as_html, as_json, as_markdown
from report.shape import ClockState, CompletionReport, State, SystemFacts
from tests.report.test_render import Page
from tests.workflows.conftest import ADA, Desk
from tests.workflows.scripted import Scripted
from workflows.request import DataSubjectRequestWorkflow as Flow
from workflows.status import RequestStatus, SystemState

pytestmark = pytest.mark.usefixtures("one_clock")


def stopped(*names: str):  # noqa: ANN201 -- a question for `Desk.until`
    """Return the question whether these systems wait for a person."""

    def asked(seen: RequestStatus) -> bool:
        return {r.system for r in seen.systems if r.state is SystemState.NEEDS_ATTENTION} >= set(names)

    return asked


async def report_of(desk: Desk) -> CompletionReport:
    """Return the report at the server's present time."""
    return completion_report(desk.database.entries(desk.request.id), await desk.env.get_current_time())


def row(report: CompletionReport, system: str) -> SystemFacts:
    """Return one system's facts."""
    return {facts.name: facts for facts in report.systems}[system]


async def ask_now(desk: Desk) -> None:
    """Let the person ask at the server's present time, so that the clock runs whenever this test does."""
    now = await desk.env.get_current_time()
    desk.request = desk.request.model_copy(update={"submitted_at": now})


async def five_systems(desk: Desk) -> Scripted:
    """Start a request that meets a retry, an excuse, an attestation, an empty system and kept records.

    Returns the system that a person will treat by hand.
    """
    await ask_now(desk)
    crm = Scripted("crm", order="source").holds(ADA, "1", "2").play("find", AccessRefused("crm", "find", 401))
    hand = Scripted("hand").holds(ADA, "3").play("erase", Rejected("hand", "erase", 400, "DELETE_FAILED"))
    old = Scripted("old").play("find", Rejected("old", "find", 410, "GONE"))
    members = Scripted("members", order="root", teaches=True).holds(ADA, "m").holds(ADA, "c", kind="contribution")
    members.knows = (Identifier.email(ADA), Identifier.name("Ada Q"), Identifier.openstackid("42"))
    await desk.submit(crm, hand, old, members, Scripted("empty"), member="members")
    await desk.until(stopped("crm", "hand", "old"))
    return hand


async def decide(desk: Desk, hand: Scripted) -> None:
    """Retry one, attest one, excuse one."""
    hand.records.clear()
    await desk.tell(Flow.retry_system, OnSystem(system="crm", by="ops"))
    await desk.tell(Flow.attest, Attested(system="hand", by="dana", word=Attestation.DELETED_IN_VENDOR_TOOL))
    await desk.tell(Flow.skip_system, Excused(system="old", by="ops", why=Excuse.SYSTEM_RETIRED))


async def test_from_open_to_signed_off(desk: Desk) -> None:
    """The same ledger, reported twice: while three systems wait for people, and when compliance has signed off."""
    hand = await five_systems(desk)
    interim = await report_of(desk)
    assert interim.state is State.OPEN
    assert "stopped until a person decides: crm, hand, old" in interim.answers.complete
    assert "Rejected: DELETE_FAILED" in row(interim, "hand").sentence
    assert interim.clock.state is ClockState.RUNNING

    await decide(desk, hand)
    await desk.sign_off()
    report = await report_of(desk)
    assert report.state is State.SIGNED_OFF
    assert report.clock.state is ClockState.IN_TIME
    assert report.evidence is EvidenceLevel.E4
    assert row(report, "crm").sentence == "2 records erased; two re-reads 3 days apart found nothing (E4)."
    assert row(report, "old").sentence == "Left untreated by decision of ops: the system is retired."
    assert row(report, "empty").sentence.startswith("The search found nothing to erase; two re-reads 3 days apart")
    assert "dana attested on" in row(report, "hand").sentence
    assert "two re-reads 3 days apart found nothing (E4)" in row(report, "hand").sentence
    assert "found nothing but what is kept (E4)" in row(report, "members").sentence
    assert [(kept.exception, kept.planned) for kept in report.kept] == [
        ("contributor_name", False),
        ("deleted_members", False),
    ]
    assert [(step.step, step.by) for step in report.human_steps][-1] == ("signed_off", "compliance")
    assert {step.step for step in report.human_steps} == {"retried", "attested", "excused", "signed_off"}
    assert not any("The ledger says" in limit.sentence for limit in report.limits)
    assert row(report, "crm").turns == 2


async def test_no_personal_data_in_any_form(desk: Desk) -> None:
    """What the person is called and where they are reached stands nowhere."""
    hand = await five_systems(desk)
    await decide(desk, hand)
    await desk.sign_off()
    report = await report_of(desk)
    Page(as_html(report))
    for text in (as_markdown(report), as_html(report), as_json(report)):
        for personal in (ADA, "Ada Q", "@"):
            assert personal not in text.replace("@media", "")


async def test_cancelled(desk: Desk) -> None:
    """A withdrawn request says that nothing was erased."""
    await ask_now(desk)
    handle = await desk.submit(Scripted("crm").holds(ADA, "1").play("find", AccessRefused("crm", "find", 401)))
    await desk.until(stopped("crm"), step=timedelta(seconds=1))
    await desk.tell(Flow.cancel, Decision(by="intake"))
    await handle.result()
    report = await report_of(desk)
    assert report.state is State.CANCELLED
    assert "cancelled by intake" in report.answers.complete
    assert "the ledger shows no erasing step" in report.answers.complete
