"""Recorded histories still replay: a change to the order of commands is seen here before it meets a running request.

Record them anew, only for a change that is gated by `workflow.patched`, with
`python -m pytest tests/workflows/test_replay.py --record`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

import worker
from activities.messages import Attested, Decision, Excused, OnSystem
from engine import requests
from engine.client import data_converter
from erasure.failures import AccessRefused, Rejected, TryLater
from erasure.outcome import Attestation, Excuse
from erasure.subject import Identifier
from tests.workflows.conftest import ADA, Desk
from tests.workflows.scripted import Scripted
from workflows.request import DataSubjectRequestWorkflow as Flow
from workflows.status import SystemState

HISTORIES = Path(__file__).parent / "histories"
SHORT = {"second_look": "1 hour"}


async def happy(desk: Desk) -> None:
    """Three systems, a tombstone, a kept contribution."""
    members = Scripted("members", order="root", teaches=True).holds(ADA, "1").holds(ADA, "c", kind="contribution")
    members.knows = (Identifier.email(ADA), Identifier.email("ada@second.example"), Identifier.name("Ada Q"))
    crm, mail = Scripted("crm", order="source").holds(ADA, "2"), Scripted("mail").holds("ada@second.example", "3")
    await desk.submit(crm, mail, members, member="members")
    await desk.sign_off()


async def attention(desk: Desk) -> None:
    """One system retried, one attested, one excused, each by an operator."""
    refused = AccessRefused("a", "find", 401)
    systems = [Scripted(name).holds(ADA, name).play("find", refused) for name in ("a", "b", "c")]
    await desk.submit(*systems, **SHORT)
    await desk.until(lambda s: all(row.state is SystemState.NEEDS_ATTENTION for row in s.systems))
    await desk.tell(Flow.retry_system, OnSystem(system="a", by="ops"))
    systems[1].records.clear()
    await desk.tell(Flow.attest, Attested(system="b", by="ops", word=Attestation.DELETED_IN_VENDOR_TOOL))
    await desk.tell(Flow.skip_system, Excused(system="c", by="ops", why=Excuse.SYSTEM_RETIRED))
    await desk.sign_off()


async def cancelled(desk: Desk) -> None:
    """Withdrawn while one system was still being searched."""
    slow = Scripted("slow").play("find", *[TryLater("slow", "find")] * 10_000)
    handle = await desk.submit(Scripted("crm").holds(ADA, "1"), slow)
    ready = SystemState.WAITING_FOR_OTHERS
    await desk.until(lambda s: s.systems[0].state is ready, step=timedelta(seconds=1))
    await desk.tell(Flow.cancel, Decision(by="intake"))
    await handle.result()


async def back_again(desk: Desk) -> None:
    """A vendor's job, and a record that came back and was erased once more."""
    crm = Scripted("crm", settles_later=True).holds(ADA, "1")
    crm.jobs_left = 3
    crm.play("verify", *[lambda: crm.holds(ADA, "1") and None] * 6)
    await desk.submit(crm, **SHORT)
    await desk.sign_off()


async def excused_at_work(desk: Desk) -> None:
    """Excused in the middle of erasing, while its step waited for another attempt."""
    crm = Scripted("crm").holds(ADA, "1", "2").play("erase", None, *[TryLater("crm", "erase")] * 10_000)
    other = Scripted("other").holds(ADA, "3").play("erase", Rejected("other", "erase", 400))
    await desk.submit(crm, other, **SHORT)
    await desk.until(lambda s: crm.calls.count("erase") > 2 and s.systems[1].state is SystemState.NEEDS_ATTENTION)
    for name in ("crm", "other"):
        await desk.tell(Flow.skip_system, Excused(system=name, by="ops", why=Excuse.COUNSEL_DECISION))
    await desk.sign_off()


SHAPES: list[Callable[[Desk], Awaitable[None]]] = [happy, attention, cancelled, back_again, excused_at_work]


def replayer() -> Replayer:
    """Return a replayer of the workflow as it is now, sandboxed as in the worker."""
    return Replayer(
        workflows=[Flow],
        data_converter=data_converter(),
        workflow_runner=SandboxedWorkflowRunner(restrictions=worker.RESTRICTIONS),
    )


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
async def test_a_fresh_history_replays(desk: Desk, shape: Callable[[Desk], Awaitable[None]], record: bool) -> None:  # noqa: FBT001 -- a fixture
    """What the workflow does now it does again the same way from its history."""
    await shape(desk)
    history = await requests.handle_of(desk.client, desk.request.id).fetch_history()
    await replayer().replay_workflow(history)
    if record:
        text = re.sub(r'"identity": "[^"]*"', '"identity": "worker"', history.to_json())
        text = re.sub(r'"stackTrace": "(?:[^"\\]|\\.)*"', '"stackTrace": ""', text)  # paths of one machine
        (HISTORIES / f"{shape.__name__}.json").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    """A request that began with an earlier version goes on with this one."""
    history = WorkflowHistory.from_json(f"recorded-{path.stem}", path.read_text(encoding="utf-8"))
    await replayer().replay_workflow(history)


def test_every_shape_is_recorded() -> None:
    """A shape without a recorded history would protect nothing."""
    assert {path.stem for path in HISTORIES.glob("*.json")} == {shape.__name__ for shape in SHAPES}
