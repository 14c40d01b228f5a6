"""The life of one data subject request."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows import status
from workflows.status import RequestState, RequestStatus, SystemStatus
from workflows.system import SystemRun
from workflows.times import NOTE, OWN, SHARED_PART

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, ConfigDict

    from activities.case import CaseActivities
    from activities.messages import (
        Attested,
        Case,
        CaseSystem,
        Concluded,
        Conclusion,
        Decision,
        Excused,
        OnSystem,
        Planned,
        PlanWanted,
    )
    from erasure.completion import weakest
    from erasure.entry import Entry, Event
    from erasure.outcome import EvidenceLevel, Outcome, OutcomeKind
    from erasure.policy import Order
    from erasure.request import DataSubjectRequest
    from erasure.subject import Identifier


class RequestResult(BaseModel):
    """How a request ended: each system's outcome, the weakest evidence, and who signed it off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    request_id: str
    state: RequestState
    outcomes: dict[str, Outcome] = {}
    evidence: EvidenceLevel = EvidenceLevel.E0
    by: str = ""


@workflow.defn(name="DataSubjectRequest")
class DataSubjectRequestWorkflow:
    """One workflow per request; one coroutine per system in it."""

    @workflow.init
    def __init__(self, request: DataSubjectRequest) -> None:
        """Keep the request; nothing has happened yet."""
        self.request = request
        self.id = request.id
        self.subject = request.subject
        self.case: Case
        self.runs: dict[str, SystemRun] = {}
        self._state = RequestState.RECEIVED
        self._reason = ""
        self._patience_over = False
        self._conclusions = 0
        self._cancelled: Decision | None = None
        self._signed: Decision | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._alarms: dict[float, asyncio.Task[None]] = {}
        self._to_plan: dict[str, int] = {}
        self._planning: asyncio.Task[dict[str, Planned]] | None = None

    @workflow.run
    async def run(self, request: DataSubjectRequest) -> RequestResult:
        """Carry the request through; a cancellation from outside counts only while nothing was touched."""
        del request  # kept by __init__
        life = asyncio.create_task(self._live())
        while True:
            try:
                return await asyncio.shield(life)
            except asyncio.CancelledError:
                if life.done():  # the worker lets go of this request to make room: nothing more may run here
                    raise
                if not self._touched():
                    self._cancelled = self._cancelled or Decision(by="temporal")

    async def _live(self) -> RequestResult:
        self.case = await self.own(CaseActivities.acknowledge, self.request, "request: acknowledge")
        self._state = RequestState.DISCOVERING
        patience = asyncio.create_task(self._lose_patience())
        board = asyncio.create_task(self._publish())
        self._start(self.case.systems)
        await self._until_complete()
        if not self._cancelled:
            self._state = RequestState.AWAITING_SIGN_OFF
            await workflow.wait_condition(lambda: self._signed is not None)
        result = await self._close()
        patience.cancel()
        await workflow.wait([board])
        await workflow.wait_condition(workflow.all_handlers_finished)
        return result

    def _start(self, systems: Sequence[CaseSystem]) -> None:
        for system in systems:
            self.runs[system.name] = SystemRun(self, system)
        for system in systems:
            self._tasks.append(asyncio.create_task(self.runs[system.name].run()))

    async def _until_complete(self) -> None:
        """Return when every system is treated or excused and that is written down, or when the request is cancelled."""
        while True:
            await workflow.wait_condition(lambda: self._cancelled is not None or self._settled())
            if self._cancelled or await self._conclude():
                return

    async def _conclude(self) -> bool:
        self._conclusions += 1
        outcomes = {name: run.outcome for name, run in self.runs.items() if run.outcome}
        conclusion = Conclusion(request_id=self.id, at=workflow.now(), turn=self._conclusions, outcomes=outcomes)
        concluded: Concluded = await self.own(CaseActivities.conclude, conclusion, "request: conclude")
        if not concluded.refusal:
            self._reason = ""
            return True
        # policy.toml names a system since that was not there when the request began; without one to add, the
        # request stays open until a person cancels it.
        self._reason = concluded.refusal
        self._start(concluded.missing)
        await workflow.wait_condition(lambda: self._cancelled is not None or bool(concluded.missing))
        return False

    async def _close(self) -> RequestResult:
        decision = self._cancelled or self._signed or Decision(by="temporal")
        event = Event.CANCELLED if self._cancelled else Event.SIGNED_OFF
        await asyncio.gather(*(run.stop() for run in self.runs.values()))
        await workflow.wait_condition(lambda: all(task.done() for task in self._tasks))
        entry = Entry(key=f"{self.id}:{event}", request_id=self.id, at=workflow.now(), event=event, by=decision.by)
        await self.own(CaseActivities.record, [entry], f"request: {event}")
        await self.own(CaseActivities.close, self.id, "request: close the case file")
        self._state = RequestState.CANCELLED if self._cancelled else RequestState.CLOSED
        outcomes = {name: run.outcome for name, run in self.runs.items() if run.outcome}
        return RequestResult(
            request_id=self.id,
            state=self._state,
            outcomes=outcomes,
            evidence=weakest(outcomes.values()),
            by=decision.by,
        )

    async def _lose_patience(self) -> None:
        await workflow.sleep(self.case.patience, summary="patience with systems that are slow to search")
        self._patience_over = True

    async def _publish(self) -> None:
        """Show every change in the search attributes and in the current details, until the request is over."""
        shown: dict[str, object] = {}
        while True:
            mark = self._mark()
            now = self.status()
            updates = status.attributes(now)
            if changed := [update for update in updates if shown.get(update.key.name) != update.value]:
                workflow.upsert_search_attributes(changed)
            shown = {update.key.name: update.value for update in updates}
            workflow.set_current_details(status.details(now))
            if self._state in {RequestState.CLOSED, RequestState.CANCELLED}:
                return
            await workflow.wait_condition(lambda mark=mark: self._mark() != mark)  # type: ignore[misc]

    def _mark(self) -> tuple[object, ...]:
        """Return something that differs whenever the picture does; cheap, for it is asked at every step."""
        return (self._state, self._reason, *((run.state, run.turn, run.outcome) for run in self.runs.values()))

    # What the systems ask of their request

    def learn(self, identifiers: tuple[Identifier, ...]) -> None:
        """Add identifiers that a trusted system taught."""
        self.subject = self.subject.plus(identifiers)

    def searched_enough(self) -> bool:
        """Tell whether every system has been searched for what is known, or has had its time."""
        return self._patience_over or all(
            run.outcome or run.needs_attention or (run.searched and not run.unsearched) for run in self.runs.values()
        )

    def may_act(self, system: SystemRun) -> bool:
        """Tell whether it is this system's turn: sources, then the rest, the identity root when all else is clean.

        The rest do not wait for a source that is in trouble; the root waits for everybody, because with it go the
        means to look anything up again.
        """
        others = [run for run in self.runs.values() if run is not system]
        if system.system.order is Order.ROOT:
            return all(run.clean or run.outcome for run in others if run.system.order is not Order.ROOT)
        if system.system.order is Order.REST and not self._patience_over:
            sources = [run for run in others if run.system.order is Order.SOURCE]
            return all(run.treated or run.outcome or run.needs_attention for run in sources)
        return True

    def over(self) -> bool:
        """Tell whether the outcomes stand and are written down."""
        return self._state in {RequestState.AWAITING_SIGN_OFF, RequestState.CLOSED, RequestState.CANCELLED}

    def withdrawn(self) -> bool:
        """Tell whether the request was cancelled."""
        return self._cancelled is not None

    def alarm(self, delay: timedelta, name: str) -> tuple[datetime, asyncio.Task[None]]:
        """Set an alarm; those for about the same moment share a timer."""
        grain = max(delay.total_seconds() / SHARED_PART, 0.001)
        now = workflow.now()
        moment = math.ceil((now.timestamp() + delay.total_seconds()) / grain) * grain
        if moment not in self._alarms:
            wait = timedelta(seconds=moment - now.timestamp())
            self._alarms[moment] = asyncio.create_task(workflow.sleep(wait, summary=name))
        return datetime.fromtimestamp(moment, UTC), self._alarms[moment]

    async def plan(self, system: SystemRun) -> Planned:
        """Plan; the systems that ask at the same moment are planned in one step."""
        self._to_plan[system.name] = system.turn
        if self._planning is None:
            self._planning = asyncio.create_task(self._plan_together())
        batch = self._planning
        await workflow.wait_condition(batch.done)
        return batch.result()[system.name]

    async def _plan_together(self) -> dict[str, Planned]:
        await asyncio.sleep(0)  # lets the others of this moment join
        wanted = PlanWanted(request_id=self.id, turns=self._to_plan)
        self._to_plan, self._planning = {}, None
        planned: list[Planned] = await self.own(CaseActivities.plan, wanted, f"request: plan {', '.join(wanted.turns)}")
        return {plan.system: plan for plan in planned}

    async def own(self, step: Any, argument: object, summary: str) -> Any:  # noqa: ANN401
        """Run a step of the request itself, on the workflow's own queue."""
        return await workflow.execute_activity_method(
            step, argument, start_to_close_timeout=NOTE, retry_policy=OWN, summary=summary
        )

    async def note(self, event: Event, system: SystemRun, reason: str, by: str = "", step: str = "") -> None:
        """Write a line about a system into the ledger, with what has been done in it so far."""
        entry = Entry(
            key=f"{self.id}:{system.name}:{event}:turn{system.turn}",
            request_id=self.id,
            system=system.name,
            at=workflow.now(),
            event=event,
            counts=system.done,
            outcome=OutcomeKind.NEEDS_ATTENTION if event is Event.STOPPED else None,
            reason=reason,
            by=by,
            detail={"step": step} if step else {},
        )
        await self.own(CaseActivities.record, [entry], f"{system.name}: {event}")

    def _settled(self) -> bool:
        return all(run.outcome and not run.unsearched for run in self.runs.values())

    def _touched(self) -> list[str]:
        return sorted(run.name for run in self.runs.values() if run.touched)

    # What people and programs ask and say

    @workflow.query
    def status(self) -> RequestStatus:
        """Return where the request and every system is."""
        rows = tuple(run.status() for run in self.runs.values())
        state = self._state
        if state is RequestState.DISCOVERING:
            state = RequestState.NEEDS_ATTENTION if self._reason else status.request_state(rows)
        due_by = self.case.due_by if hasattr(self, "case") else None
        return RequestStatus(
            request_id=self.id,
            right=self.request.right,
            state=state,
            due_by=due_by,
            systems=rows,
            reason=self._reason,
        )

    @workflow.query
    def same_request(self, fingerprint: str) -> bool:
        """Tell whether a second request with this id says the same."""
        return self.request.fingerprint == fingerprint

    @workflow.update
    async def retry_system(self, word: OnSystem) -> SystemStatus:
        """Go through a stopped system once more."""
        run = self.runs[word.system]
        await self.note(Event.RETRIED, run, "", word.by)
        run.retry()
        return run.status()

    @retry_system.validator
    def _may_retry(self, word: OnSystem) -> None:
        if not self._run(word).needs_attention:
            raise _refused(f"{word.system} does not wait for a person; it goes on by itself")

    @workflow.update
    async def attest(self, word: Attested) -> SystemStatus:
        """Take a person's word that a stopped system was treated by hand."""
        run = self.runs[word.system]
        await self.note(Event.ATTESTED, run, word.word, word.by)
        run.attest(word.word)
        return run.status()

    @attest.validator
    def _may_attest(self, word: Attested) -> None:
        if not self._run(word).needs_attention:
            raise _refused(f"{word.system} does not wait for a person; it goes on by itself")

    @workflow.update
    async def skip_system(self, word: Excused) -> SystemStatus:
        """Leave a system untreated, for a reason from a closed list."""
        run = self.runs[word.system]
        await run.excuse(word.why, word.by)
        return run.status()

    @skip_system.validator
    def _may_skip(self, word: Excused) -> None:
        if self._run(word).outcome:
            raise _refused(f"{word.system} has its outcome already")

    @workflow.update
    async def cancel(self, decision: Decision) -> RequestStatus:
        """Withdraw the request while nothing was touched; returns what had been done until then."""
        self._cancelled = decision
        return self.status()

    @cancel.validator
    def _may_cancel(self, decision: Decision) -> None:
        del decision
        if touched := self._touched():
            raise _refused(f"it is too late to cancel: data was already being erased in {', '.join(touched)}")
        if self.over():
            raise _refused("it is too late to cancel: the request is complete")

    @workflow.update
    async def confirm(self, decision: Decision) -> Decision:
        """Sign off completion, as compliance; the request closes."""
        self._signed = decision
        return decision

    @confirm.validator
    def _may_confirm(self, decision: Decision) -> None:
        del decision
        if self._state is RequestState.AWAITING_SIGN_OFF:
            return
        still_open = sorted(run.name for run in self.runs.values() if not run.outcome) or ["the request itself"]
        raise _refused(f"it cannot be confirmed: still open: {', '.join(still_open)}")

    def _run(self, word: OnSystem) -> SystemRun:
        if self.over():
            raise _refused("the request is complete")
        if word.system not in self.runs:
            raise _refused(f"there is no system of that name in this request; there are: {', '.join(self.runs)}")
        return self.runs[word.system]


def _refused(sentence: str) -> ApplicationError:
    """Return what an operator reads when a command is not possible now."""
    return ApplicationError(sentence, type="Refused", non_retryable=True)
