"""The life of a request on Temporal's time-skipping server."""

from __future__ import annotations

from datetime import timedelta

import pytest

from activities.messages import Attested, Decision, Excused, OnSystem
from engine import requests
from engine.requests import Refused
from erasure.connector import Record, Unfinished, Verdict, Verification
from erasure.entry import Event
from erasure.failures import AccessRefused, Ambiguous, Rejected, TryLater
from erasure.outcome import Attestation, EvidenceLevel, Excuse, OutcomeKind
from erasure.sentence import BadInput
from erasure.subject import Identifier
from tests.workflows.conftest import ADA, Desk, request_for
from tests.workflows.scripted import Scripted
from workflows.request import DataSubjectRequestWorkflow as Flow
from workflows.status import RequestStatus, SystemState

SECOND = "ada@second.example"


def row(seen: RequestStatus, system: str):  # noqa: ANN201 -- one row
    """Return one system's row."""
    return {r.system: r for r in seen.systems}[system]


async def test_happy_path(desk: Desk) -> None:
    """Everything is found, erased, read again twice, concluded and signed off."""
    crm, mail = Scripted("crm", order="source").holds(ADA, "1", "2"), Scripted("mail").holds(ADA, "3")
    await desk.submit(crm, mail, Scripted("empty"))
    result = await desk.sign_off()
    assert {name: o.kind for name, o in result.outcomes.items()} == {
        "crm": OutcomeKind.ERASED,
        "mail": OutcomeKind.ERASED,
        "empty": OutcomeKind.NOTHING_HELD,
    }
    assert result.outcomes["crm"].counts == {"contact.erased": 2}
    assert result.evidence is EvidenceLevel.E4
    assert (result.state, result.by) == ("closed", "compliance")
    assert not crm.records
    assert not mail.records


async def test_ledger_says_what_happened(desk: Desk) -> None:
    """Each step stands once; the sign-off has its hand; the case file is gone."""
    await desk.submit(Scripted("crm").holds(ADA, "1"))
    await desk.sign_off()
    events = [entry.event for entry in desk.database.entries(desk.request.id)]
    assert events == [
        Event.ACKNOWLEDGED,
        Event.DISCOVERED,
        Event.PLANNED,
        Event.ACTED,
        Event.VERIFIED,
        Event.VERIFIED,
        Event.CONCLUDED,
        Event.COMPLETED,
        Event.SIGNED_OFF,
        Event.CLOSED,
    ]
    assert desk.entries(Event.SIGNED_OFF)[0].by == "compliance"
    assert desk.database.parts(desk.request.id, ["findings", "plan", "receipts"]) == []


async def test_two_looks_close_together_are_not_e4(desk: Desk) -> None:
    """A second look the same day proves no more than the first."""
    await desk.submit(Scripted("crm").holds(ADA, "1"), second_look="1 hour")
    result = await desk.sign_off()
    assert result.evidence is EvidenceLevel.E3


async def test_a_look_that_proves_nothing_does_not_count_towards_e4(desk: Desk) -> None:
    """E4 needs two clean looks days apart; one of them without proof leaves E3."""
    crm = Scripted("crm").holds(ADA, "1")
    crm.says = [Verification(verdict=Verdict.NOT_PROVABLE, evidence=EvidenceLevel.E2)]
    await desk.submit(crm)
    result = await desk.sign_off()
    assert result.outcomes["crm"].evidence is EvidenceLevel.E3


async def test_what_was_proven_before_a_failure_does_not_count_after_it(desk: Desk) -> None:
    """A clean look, then a failure, then a person's word that cannot be checked: E2, not E3."""
    refused = AccessRefused("crm", "verify", 401)
    crm = Scripted("crm").holds(ADA, "1").play("verify", None, refused, refused)
    await desk.submit(crm, second_look="1 hour")
    await desk.until(lambda s: row(s, "crm").state is SystemState.NEEDS_ATTENTION)
    stopped = desk.entries(Event.STOPPED)[0]
    assert (stopped.counts, stopped.detail) == ({"contact.erased": 1}, {"step": "verify"})
    await desk.tell(Flow.attest, Attested(system="crm", by="ops", word=Attestation.CONFIRMED_BY_VENDOR))
    result = await desk.sign_off()
    assert result.outcomes["crm"].evidence is EvidenceLevel.E2


async def test_one_system_down_for_three_days_while_the_others_finish(desk: Desk) -> None:
    """Retries go on without end and hold up nobody else."""
    down, up = Scripted("down").holds(ADA, "1"), Scripted("up").holds(ADA, "2")
    outage = TryLater("down", "find", 503, retry_after=timedelta(hours=1))
    down.play("find", *[outage] * 72)
    await desk.submit(down, up, second_look="1 hour")
    seen = await desk.until(lambda s: row(s, "up").outcome is not None)
    assert row(seen, "down").outcome is None
    assert down.calls.count("find") < 72
    result = await desk.sign_off()
    assert result.outcomes["down"].kind is OutcomeKind.ERASED
    assert desk.entries(Event.DISCOVERED, system="down")[0].attempts == 73


async def test_wrong_credentials_then_retry(desk: Desk) -> None:
    """The system stops and says why; the others go on; an operator's retry finishes it."""
    crm = Scripted("crm").holds(ADA, "1").play("find", AccessRefused("crm", "find", 401))
    await desk.submit(crm, Scripted("mail").holds(ADA, "2"), second_look="1 hour")
    seen = await desk.until(lambda s: row(s, "crm").state is SystemState.NEEDS_ATTENTION)
    assert row(seen, "crm").reason == "AccessRefused"
    await desk.until(lambda s: row(s, "mail").outcome is not None)
    await desk.tell(Flow.retry_system, OnSystem(system="crm", by="ops"))
    result = await desk.sign_off()
    assert result.outcomes["crm"].kind is OutcomeKind.ERASED
    assert [e.by for e in desk.entries(Event.RETRIED)] == ["ops"]


async def test_retry_of_a_system_that_needs_nobody_is_refused(desk: Desk) -> None:
    """A command that does not fit the moment leaves no trace and says why."""
    await desk.submit(Scripted("crm").holds(ADA, "1"))
    await desk.until(lambda s: bool(s.systems))
    with pytest.raises(Refused, match="does not wait for a person"):
        await desk.tell(Flow.retry_system, OnSystem(system="crm", by="ops"))
    with pytest.raises(Refused, match="no system of that name"):
        await desk.tell(Flow.retry_system, OnSystem(system="nope", by="ops"))


async def test_skip_with_reason(desk: Desk) -> None:
    """An excused system is called excused, by whom and why, never erased."""
    crm = Scripted("crm").play("find", *[Rejected("crm", "find", 400, "X")] * 9)
    await desk.submit(crm, Scripted("mail").holds(ADA, "1"), second_look="1 hour")
    await desk.until(lambda s: row(s, "crm").state is SystemState.NEEDS_ATTENTION)
    await desk.tell(Flow.skip_system, Excused(system="crm", by="ops", why=Excuse.SYSTEM_RETIRED))
    result = await desk.sign_off()
    assert result.outcomes["crm"].kind is OutcomeKind.EXCUSED
    assert result.outcomes["crm"].reason == "system_retired"
    assert [(e.by, e.reason) for e in desk.entries(Event.EXCUSED)] == [("ops", "system_retired")]


async def test_skip_of_a_system_that_is_still_retrying(desk: Desk) -> None:
    """A vendor that went out of business for good can be excused in the middle of its retries."""
    gone = Scripted("gone").play("find", *[TryLater("gone", "find")] * 10_000)
    await desk.submit(gone, Scripted("mail").holds(ADA, "1"), second_look="1 hour")
    await desk.until(lambda s: row(s, "mail").outcome is not None)
    await desk.tell(Flow.skip_system, Excused(system="gone", by="ops", why=Excuse.SYSTEM_RETIRED))
    result = await desk.sign_off()
    assert result.outcomes["gone"].kind is OutcomeKind.EXCUSED


async def test_skip_in_the_middle_of_erasing_says_what_was_done(desk: Desk) -> None:
    """What was already erased before the excuse is counted."""
    crm = Scripted("crm").holds(ADA, "1", "2").play("erase", None, *[TryLater("crm", "erase")] * 10_000)
    await desk.submit(crm, second_look="1 hour")
    await desk.until(lambda s: crm.calls.count("erase") > 2)
    await desk.tell(Flow.skip_system, Excused(system="crm", by="ops", why=Excuse.COUNSEL_DECISION))
    result = await desk.sign_off()
    assert result.outcomes["crm"].counts == {"contact.erased": 1}


async def test_attest_is_read_again(desk: Desk) -> None:
    """A person's word is E2; the re-read makes more of it, and contradicts it when records are still there."""
    crm = Scripted("crm").holds(ADA, "1").play("erase", Rejected("crm", "erase", 400, "DELETE_FAILED"))
    await desk.submit(crm, second_look="1 hour")
    seen = await desk.until(lambda s: row(s, "crm").state is SystemState.NEEDS_ATTENTION)
    assert row(seen, "crm").reason == "Rejected: DELETE_FAILED"
    word = Attested(system="crm", by="ops", word=Attestation.DELETED_IN_VENDOR_TOOL)
    await desk.tell(Flow.attest, word)
    seen = await desk.until(lambda s: row(s, "crm").state is SystemState.NEEDS_ATTENTION)
    assert row(seen, "crm").reason == "still_there"
    crm.records.clear()
    await desk.tell(Flow.attest, word)
    result = await desk.sign_off()
    assert result.outcomes["crm"].kind is OutcomeKind.ERASED
    assert result.outcomes["crm"].attested
    assert result.outcomes["crm"].evidence is EvidenceLevel.E3


async def test_attest_stands_at_e2_where_nobody_can_look(desk: Desk) -> None:
    """Without a working credential a person's word is all there is, and is called no more than that."""
    refused = AccessRefused("crm", "find", 401)
    crm = Scripted("crm").holds(ADA, "1").play("find", refused).play("verify", refused)
    await desk.submit(crm, second_look="1 hour")
    await desk.until(lambda s: row(s, "crm").state is SystemState.NEEDS_ATTENTION)
    await desk.tell(Flow.attest, Attested(system="crm", by="ops", word=Attestation.CONFIRMED_BY_VENDOR))
    result = await desk.sign_off()
    assert (result.outcomes["crm"].kind, result.outcomes["crm"].evidence) == (OutcomeKind.ERASED, EvidenceLevel.E2)


async def test_cancel_before_anything_was_touched(desk: Desk) -> None:
    """It ends at once, nothing is changed, and the answer says what had been done: a search."""
    slow = Scripted("slow").play("find", *[TryLater("slow", "find")] * 10_000)
    crm = Scripted("crm").holds(ADA, "1")
    handle = await desk.submit(crm, slow)
    await desk.until(lambda s: row(s, "crm").state is SystemState.WAITING_FOR_OTHERS, step=timedelta(seconds=1))
    answer = await desk.tell(Flow.cancel, Decision(by="intake"))
    assert row(answer, "crm").found == {"contact": 1}
    assert row(answer, "crm").done == {}
    assert (await handle.result()).state == "cancelled"
    assert crm.records
    assert [e.by for e in desk.entries(Event.CANCELLED)] == ["intake"]


async def test_cancel_after_the_first_destructive_call_is_refused(desk: Desk) -> None:
    """It says in which systems it is too late, and the request goes on."""
    crm = Scripted("crm").holds(ADA, "1")
    await desk.submit(crm, Scripted("mail"), second_look="1 hour")
    await desk.until(lambda s: row(s, "crm").state is SystemState.FIRST_LOOK_DUE, step=timedelta(seconds=1))
    with pytest.raises(Refused, match="too late to cancel: data was already being erased in crm"):
        await desk.tell(Flow.cancel, Decision(by="intake"))
    assert (await desk.sign_off()).state == "closed"


async def test_cancellation_from_the_temporal_ui(desk: Desk) -> None:
    """Temporal's own cancel counts before the point of no return, and is passed over after it."""
    crm = Scripted("crm").holds(ADA, "1")
    handle = await desk.submit(crm, Scripted("slow").play("find", *[TryLater("slow", "find")] * 10_000))
    await desk.until(lambda s: row(s, "crm").state is SystemState.WAITING_FOR_OTHERS, step=timedelta(seconds=1))
    await handle.cancel()
    assert (await handle.result()).state == "cancelled"
    assert crm.records


async def test_cancellation_from_the_temporal_ui_comes_too_late(desk: Desk) -> None:
    """Half an erasure is worse than a whole one: it is finished."""
    crm = Scripted("crm").holds(ADA, "1")
    handle = await desk.submit(crm, second_look="1 hour")
    await desk.until(lambda s: row(s, "crm").state is SystemState.FIRST_LOOK_DUE, step=timedelta(seconds=1))
    await handle.cancel()
    assert (await desk.sign_off()).state == "closed"


async def test_same_id_twice_is_one_request(desk: Desk) -> None:
    """The same body again is the same workflow; another body is refused; also after it closed."""
    first = await desk.submit(Scripted("crm").holds(ADA, "1"), second_look="1 hour")
    again = await requests.submit(desk.client, desk.request)
    assert not again.is_new
    assert again.handle.id == first.id
    other = desk.request.model_copy(update={"fingerprint": "1" * 64})
    with pytest.raises(BadInput, match="exists already and says something else"):
        await requests.submit(desk.client, other)
    await desk.sign_off()
    assert not (await requests.submit(desk.client, desk.request)).is_new


async def test_learned_addresses_start_another_round(desk: Desk) -> None:
    """What a trusted system knows is searched everywhere; what another one knows is not."""
    members = Scripted("members", order="root", teaches=True)
    members.knows = (Identifier.email(SECOND),)
    gossip = Scripted("gossip")
    gossip.knows = (Identifier.email("someone@else.example"),)
    crm = Scripted("crm").holds(SECOND, "1").holds("someone@else.example", "2")
    await desk.submit(crm, members, gossip, second_look="1 hour")
    result = await desk.sign_off()
    assert result.outcomes["crm"].counts == {"contact.erased": 1}
    assert list(crm.records) == ["2"]


async def test_a_late_teacher_reopens_what_was_finished(desk: Desk) -> None:
    """A trusted system that was down for days teaches an address: finished systems are searched again."""
    members = Scripted("members", order="root", teaches=True)
    members.knows = (Identifier.email(SECOND),)
    members.play("find", *[TryLater("members", "find", 503, retry_after=timedelta(hours=12))] * 6)
    crm = Scripted("crm").holds(ADA, "1").holds(SECOND, "2")
    await desk.submit(crm, members, second_look="1 hour")
    await desk.until(lambda s: row(s, "crm").outcome is not None)
    assert list(crm.records) == ["2"]
    result = await desk.sign_off()
    assert result.outcomes["crm"].counts == {"contact.erased": 2}
    assert not crm.records


async def test_the_root_goes_last(desk: Desk) -> None:
    """The identity root is touched only when everything else is clean."""
    root = Scripted("root", order="root").holds(ADA, "1")
    crm = Scripted("crm").holds(ADA, "2").play("erase", AccessRefused("crm", "erase", 401))
    await desk.submit(crm, root, second_look="1 hour")
    await desk.until(lambda s: row(s, "crm").state is SystemState.NEEDS_ATTENTION)
    await desk.env.sleep(timedelta(days=3))
    assert "erase" not in root.calls
    await desk.tell(Flow.retry_system, OnSystem(system="crm", by="ops"))
    await desk.sign_off()
    assert not root.records


async def test_tombstone_before_the_member_record_and_name_with_the_contribution(desk: Desk) -> None:
    """The deleted-members record exists before the first delete; a contribution is kept by name."""
    members = Scripted("members", order="root", teaches=True).holds(ADA, "1").holds(ADA, "c", kind="contribution")
    members.knows = (Identifier.email(ADA), Identifier.name("Ada Q"), Identifier.openstackid("42"))
    order: list[str] = []
    look = lambda: order.extend(e.event for e in desk.entries(Event.TOMBSTONE_WRITTEN))  # noqa: E731
    members.play("erase", look)
    await desk.submit(members, member="members", second_look="1 hour")
    result = await desk.sign_off()
    assert order == [Event.TOMBSTONE_WRITTEN]
    outcome = result.outcomes["members"]
    assert outcome.kind is OutcomeKind.ERASED
    kept = {k.exception: k for k in outcome.kept}
    assert kept["contributor_name"].article == "Art. 6(1)(f)"
    assert kept["deleted_members"].until is not None
    assert list(members.records) == ["c"]


async def test_a_record_that_comes_back_is_erased_again_once(desk: Desk) -> None:
    """A sync that brings the record back costs one more turn; the second time a person is asked."""
    crm = Scripted("crm").holds(ADA, "1")
    back = lambda: crm.holds(ADA, "1") and None  # noqa: E731
    crm.play("verify", *[back] * 6)
    await desk.submit(crm, second_look="1 hour")
    seen = await desk.until(lambda s: row(s, "crm").turns == 2)
    assert row(seen, "crm").outcome is None
    crm.play("verify", *[back] * 20)
    seen = await desk.until(lambda s: row(s, "crm").state is SystemState.NEEDS_ATTENTION)
    assert row(seen, "crm").reason == "still_there"
    crm.plays["verify"].clear()
    await desk.tell(Flow.retry_system, OnSystem(system="crm", by="ops"))
    result = await desk.sign_off()
    assert result.outcomes["crm"].kind is OutcomeKind.ERASED


def part_of_a_look(bookmark: str, *remaining: Record) -> Verification:
    """Return what a re-read answers that an allowance cut off."""
    unfinished = Unfinished(bookmark=bookmark, wait=timedelta(minutes=1))
    return Verification(verdict=Verdict.NOT_YET, remaining=remaining, unfinished=unfinished)


async def test_a_re_read_that_is_cut_off_goes_on_at_its_bookmark(desk: Desk) -> None:
    """It comes to an end however often it is cut off; the second look starts anew."""
    crm = Scripted("crm").holds(ADA, "1")
    crm.says = [part_of_a_look("5"), part_of_a_look("9")]
    await desk.submit(crm)
    result = await desk.sign_off()
    assert crm.bookmarks == ["", "5", "9", ""]
    assert result.evidence is EvidenceLevel.E4


async def test_what_the_first_part_of_a_re_read_saw_is_not_lost(desk: Desk) -> None:
    """The last part finds nothing, and yet the record that came back is judged, and the system gone through again."""
    crm = Scripted("crm").holds(ADA, "1")
    crm.card = crm.card.model_copy(update={"lag_reads": 0})
    crm.says = [part_of_a_look("5", crm.records["1"]), part_of_a_look("9")]
    await desk.submit(crm, second_look="1 hour")
    await desk.sign_off()
    seen = [(entry.reason, entry.counts) for entry in desk.entries(Event.VERIFIED)]
    assert seen == [("still_there", {"contact": 1}), ("clean", {}), ("clean", {})]
    assert crm.bookmarks == ["", "5", "9", "", ""]  # a bookmark of another turn is not used


async def test_the_parts_of_a_re_read_do_not_use_up_the_lag(desk: Desk) -> None:
    """A vendor that shows what is gone once more is forgiven, after however many parts; and then all is read anew."""
    crm = Scripted("crm").holds(ADA, "1")
    crm.card = crm.card.model_copy(update={"lag_reads": 1})
    crm.says = [part_of_a_look(str(number), crm.records["1"]) for number in range(1, 9)]
    await desk.submit(crm, second_look="1 hour")
    await desk.sign_off()
    assert crm.bookmarks == ["", *"12345678", "", ""]
    assert [entry.reason for entry in desk.entries(Event.VERIFIED)] == ["clean", "clean"]


async def test_a_vendor_job_is_waited_for(desk: Desk) -> None:
    """The confirm step asks until the vendor is done; created is not complete."""
    crm = Scripted("crm", settles_later=True).holds(ADA, "1")
    crm.jobs_left = 5
    await desk.submit(crm, second_look="1 hour")
    await desk.sign_off()
    assert crm.calls.count("confirm") == 5
    assert crm.calls.index("verify") > len(crm.calls) - crm.calls[::-1].index("confirm") - 1


async def test_too_many_matches_ask_compliance(desk: Desk) -> None:
    """More people than the card allows behind one address stop the system before anything is touched."""
    crm = Scripted("crm").holds(ADA, *map(str, range(26)))
    await desk.submit(crm)
    seen = await desk.until(lambda s: row(s, "crm").state is SystemState.NEEDS_ATTENTION)
    assert row(seen, "crm").reason == "Ambiguous: too_many_matches"
    assert "erase" not in crm.calls


async def test_a_fault_of_our_own_is_named_without_its_text(desk: Desk) -> None:
    """A bug in a connector ends in attention after a few tries, and its text, which may hold data, is nowhere."""
    crm = Scripted("crm").play("find", *[KeyError(ADA)] * 9)
    handle = await desk.submit(crm)
    seen = await desk.until(lambda s: row(s, "crm").state is SystemState.NEEDS_ATTENTION)
    assert row(seen, "crm").reason == "Fault"
    events = (await handle.fetch_history()).events
    failures = str([e for e in events if e.HasField("activity_task_failed_event_attributes")])
    assert "KeyError at" in failures
    assert "scripted.py" in failures
    assert ADA not in failures


async def test_not_identifiable_is_said(desk: Desk) -> None:
    """A system that cannot be searched with what is known is called not identifiable, not empty."""
    desk.request = desk.request.model_copy(
        update={"subject": desk.request.subject.model_copy(update={"identifiers": (Identifier.openstackid("7"),)})}
    )
    await desk.submit(Scripted("crm"), second_look="1 hour")
    result = await desk.sign_off()
    assert result.outcomes["crm"].kind is OutcomeKind.NOT_IDENTIFIABLE


async def test_confirm_is_refused_while_anything_is_open(desk: Desk) -> None:
    """Compliance cannot sign off what is not done."""
    await desk.submit(Scripted("crm").holds(ADA, "1"), Scripted("mail"))
    await desk.until(lambda s: bool(s.systems))
    with pytest.raises(Refused, match="still open: crm, mail"):
        await desk.tell(Flow.confirm, Decision(by="compliance"))


async def test_search_attributes_and_details_say_where_it_is(desk: Desk) -> None:
    """The Temporal UI alone tells an ops person what is going on, with nothing personal."""
    crm = Scripted("crm").play("find", Ambiguous("crm", "find", code="several_names"))
    handle = await desk.submit(crm, Scripted("mail").holds(ADA, "1"), second_look="1 hour")
    await desk.until(lambda s: row(s, "mail").outcome is not None)
    described = await handle.describe()
    shown = {pair.key.name: pair.value for pair in described.typed_search_attributes}
    assert shown["RequestState"] == "needs_attention"
    assert shown["PendingSystems"] == ["crm"]
    assert shown["AttentionSystems"] == ["crm"]
    details = (await handle.query("__temporal_workflow_metadata")).current_details
    assert "| crm | needs_attention |" in details
    assert "Ambiguous: several_names" in details
    assert f"erasure retry {desk.request.id}" in details
    assert ADA not in details


@pytest.mark.parametrize("cached", [0, 1])
async def test_requests_that_the_worker_had_to_drop_go_on(desk: Desk, cached: int) -> None:
    """More open requests than the worker keeps in memory: it lets go of them, replays them, and none is stuck."""
    crm = Scripted("crm").holds(ADA, "1").play("find", AccessRefused("crm", "find", 401))
    await desk.open(crm, Scripted("mail"), cached=cached, second_look="1 hour")
    others = [request_for(f"other{number}@example.org") for number in range(4)]
    for request in (desk.request, *others):
        await requests.submit(desk.client, request)
    await desk.until(lambda s: row(s, "crm").state is SystemState.NEEDS_ATTENTION)
    await desk.tell(Flow.retry_system, OnSystem(system="crm", by="ops"))
    for request in (desk.request, *others):
        desk.request = request
        assert (await desk.sign_off()).state == "closed"
