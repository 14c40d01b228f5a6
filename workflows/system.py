"""One system's way through a request: a coroutine that always ends with an outcome and never breaks its siblings."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Protocol

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.workflow import ActivityCancellationType

from workflows.status import SystemState, SystemStatus
from workflows.times import HEARTBEAT, STEP, VENDOR

with workflow.unsafe.imports_passed_through():
    from activities.case import CaseActivities
    from activities.messages import Acted, Case, CaseSystem, Found, Look, Planned, Search, Seen, SystemStep
    from activities.system import SystemActivities
    from erasure.connector import Verdict
    from erasure.entry import Event
    from erasure.outcome import (
        Attestation,
        EvidenceLevel,
        Excuse,
        Kept,
        Outcome,
        OutcomeKind,
        conclude,
        conclude_attested,
    )
    from erasure.plan import DELETED_MEMBERS
    from erasure.subject import Identifier, Subject

# A record that comes back after its erasure is erased once more; the next time a person must find out who brings it.
_TURNS_BY_ITSELF = 2


class Request(Protocol):
    """What a system needs of the request it belongs to."""

    id: str
    subject: Subject
    case: Case

    def learn(self, identifiers: tuple[Identifier, ...]) -> None:
        """Add identifiers that a trusted system taught."""
        ...

    def searched_enough(self) -> bool:
        """Tell whether every system has been searched, or has had its time."""
        ...

    def may_act(self, system: SystemRun) -> bool:
        """Tell whether it is this system's turn."""
        ...

    def over(self) -> bool:
        """Tell whether the outcomes stand and are written down."""
        ...

    def withdrawn(self) -> bool:
        """Tell whether the request was cancelled."""
        ...

    def alarm(self, delay: timedelta, name: str) -> tuple[datetime, asyncio.Task[None]]:
        """Set an alarm. Returns when it rings, and a task that is done then."""
        ...

    async def plan(self, system: SystemRun) -> Planned:
        """Return the system's plan."""
        ...

    async def own(self, step: Any, argument: object, summary: str) -> Any:  # noqa: ANN401
        """Run a step of the request itself."""
        ...

    async def note(self, event: Event, system: SystemRun, reason: str, by: str = "", step: str = "") -> None:
        """Write a line into the ledger, with what has been done in the system so far."""
        ...


class _Stop(Exception):  # noqa: N818 -- it stops a system, it is not an error
    """The system cannot go on without a person; the text is a code."""


class SystemRun:
    """The state of one system and the coroutine that moves it."""

    def __init__(self, request: Request, system: CaseSystem) -> None:
        """Start with nothing searched."""
        self.request = request
        self.system = system
        self.name = system.name
        self.state = SystemState.DISCOVERING
        self.turn = 1
        self.searched: Subject | None = None
        self.found = Found()
        self.acted = Acted()
        self.touched = False  # something may have been changed: the request's point of no return
        self.treated = False
        self.clean = False
        self.outcome: Outcome | None = None
        self._plan: Planned | None = None
        self._evidence = EvidenceLevel.E0
        self._reason = ""
        self._waiting_until: datetime | None = None
        self._rounds = 0
        self._clean_at: datetime | None = None
        self._word: Attestation | None = None
        self._called = False
        self._ending = False
        self._buried = False
        self._work: asyncio.Task[None] | None = None

    def status(self) -> SystemStatus:
        """Return this system's row."""
        return SystemStatus(
            system=self.name,
            state=self.state,
            found=self.found.counts,
            done=self.done,
            evidence=self.outcome.evidence if self.outcome else self._evidence,
            outcome=self.outcome,
            reason=self._reason or (self.outcome.reason if self.outcome else ""),
            waiting_until=self._waiting_until,
            turns=self.turn,
        )

    @property
    def done(self) -> dict[str, int]:
        """Numbers of records per kind and effect."""
        effects = self.acted.effects.items()
        return {f"{kind}.{effect}": count for kind, counts in effects for effect, count in counts.items()}

    @property
    def unsearched(self) -> tuple[Identifier, ...]:
        """Identifiers the request has learned that this system was not searched by."""
        if self.outcome and self.outcome.kind is OutcomeKind.EXCUSED:
            return ()
        known = self.searched or Subject(identifiers=())
        return self.request.subject.beyond(known, self.system.finds_by)

    @property
    def needs_attention(self) -> bool:
        """Tell whether it waits for a person."""
        return self.state is SystemState.NEEDS_ATTENTION

    def retry(self) -> None:
        """Go through the system once more, from the search on."""
        self._called = True

    def attest(self, word: Attestation) -> None:
        """Take a person's word that it was done by hand; the system is read again all the same."""
        self._word, self._called = word, True

    async def excuse(self, why: Excuse, by: str) -> None:
        """Leave the system untreated by a person's decision, once what is under way has stopped."""
        await self.stop()
        await self._count()
        self.outcome = Outcome(kind=OutcomeKind.EXCUSED, reason=why, counts=self.done, kept=self._kept())
        self._reason, self._waiting_until = "", None
        self.state = SystemState.FINAL
        await self.request.note(Event.EXCUSED, self, why, by)

    async def stop(self) -> None:
        """End the coroutine; a destructive attempt that is running comes to its own end first."""
        self._ending = True
        if self._work:
            self._work.cancel()
            await workflow.wait([self._work])

    async def run(self) -> None:
        """Move until the outcome stands, or until a person ends it."""
        self._work = asyncio.create_task(self._until_settled())
        await workflow.wait([self._work])
        if not self._work.cancelled():
            self._work.result()

    async def _until_settled(self) -> None:
        while True:
            if self.outcome is None:
                await self._until_outcome()
            # A trusted system that was down may still teach an address: then the search starts again.
            await workflow.wait_condition(lambda: bool(self.unsearched) or self.request.over())
            if not self.unsearched:
                return
            self._again()

    async def _until_outcome(self) -> None:
        while self.outcome is None:
            try:
                await self._once()
            except _Stop as stop:
                await self._ask_a_person(str(stop), self.state)
            except ActivityError as error:
                if self._ending:
                    raise asyncio.CancelledError from None
                await self._after_failure(error)

    async def _once(self) -> None:
        """Search, treat, read again twice."""
        if self._word is None:
            await self._search()
            if not self.found.identified:
                self._conclude()
                return
            await self._treat()
        self.treated = True
        if not await self._look(1, SystemState.FIRST_LOOK_DUE, self.request.case.first_look):
            return
        self.clean = True
        if await self._look(2, SystemState.SECOND_LOOK_DUE, self.request.case.second_look):
            self._conclude()

    async def _search(self) -> None:
        start = self._rounds
        while True:
            if self._rounds - start >= self.request.case.rounds:
                raise _Stop("identifiers_keep_growing")
            self.state = SystemState.DISCOVERING
            subject = self.request.subject
            self._rounds += 1
            step = Search(**self._names(), subject=subject, round=self._rounds)
            self.found = await self._step(SystemActivities.discover, step, "discover")
            self.searched = subject
            if self.system.teaches:
                self.request.learn(self.found.learned)
            self.state = SystemState.WAITING_FOR_OTHERS
            await workflow.wait_condition(lambda: bool(self.unsearched) or self.request.searched_enough())
            if not self.unsearched:
                return

    async def _treat(self) -> None:
        await workflow.wait_condition(lambda: self.request.may_act(self))
        self.state = SystemState.PLANNING
        self._plan = await self.request.plan(self)
        if not self._plan.erase:
            return
        if self.request.withdrawn():  # in the very moment before: nothing may be touched any more
            raise asyncio.CancelledError
        self.touched = True
        self.state = SystemState.ACTING
        step = SystemStep(**self._names())
        if self._plan.tombstone:
            await self.request.own(CaseActivities.bury, step, f"{self.name}: tombstone")
            self._buried = True
        self.acted = await self._step(SystemActivities.act, step, "act", finish=True)
        if self.acted.pending:
            self.state = SystemState.CONFIRMING
            self.acted = await self._step(SystemActivities.confirm, step, "confirm", finish=True)

    async def _look(self, number: int, state: SystemState, delay: timedelta) -> bool:
        """Wait and read again; False when the system must be gone through once more."""
        self.state = state
        self._waiting_until, alarm = self.request.alarm(delay, f"until look {number}")
        await workflow.wait_condition(alarm.done)
        self._waiting_until = None
        self.state = SystemState.VERIFYING
        subject = self.searched or self.request.subject
        step = Look(**self._names(), subject=subject, round=self._rounds, look=number)
        seen: Seen = await self._step(SystemActivities.verify, step, f"verify {number}")
        if seen.verdict is Verdict.STILL_THERE:
            self._evidence = EvidenceLevel.E0
            if self._word or self.turn >= _TURNS_BY_ITSELF:
                raise _Stop("still_there")
            self._again()
            return False
        self._evidence = self._proven(seen)
        return True

    def _proven(self, seen: Seen) -> EvidenceLevel:
        """Return E4 only for a clean look that comes days after another clean one."""
        if seen.verdict is not Verdict.CLEAN or seen.evidence < EvidenceLevel.E3:
            return min(seen.evidence, EvidenceLevel.E2)
        apart = workflow.now() - self._clean_at if self._clean_at else timedelta()
        self._clean_at = self._clean_at or workflow.now()
        return EvidenceLevel.E4 if apart >= timedelta(days=self.request.case.days_for_e4) else EvidenceLevel.E3

    def _conclude(self) -> None:
        kept, effects = self._kept(), self.acted.effects
        if self._word:
            self.outcome = conclude_attested(self._word, self.found.counts, effects, kept, self._evidence)
        else:
            self.outcome = conclude(effects, kept, self._evidence, identified=self.found.identified)
        self.state = SystemState.FINAL

    def _again(self) -> None:
        """Start over; what was done before stays in the case file."""
        self.turn += 1
        self.treated = self.clean = False
        self.outcome = self._clean_at = self._word = None
        self._evidence = EvidenceLevel.E0
        self.state = SystemState.DISCOVERING

    async def _after_failure(self, error: ActivityError) -> None:
        """Ask a person, unless one has already said that it was done by hand: then the word stands, at E2."""
        if self._word:
            self._conclude()
        else:
            await self._ask_a_person(_code(error), error.activity_type)

    async def _ask_a_person(self, reason: str, step: str) -> None:
        self._word, self._called = None, False
        self._reason, self._waiting_until = reason, None
        self.state = SystemState.NEEDS_ATTENTION
        await self._count()
        await self.request.note(Event.STOPPED, self, reason, step=step)
        await workflow.wait_condition(lambda: self._called)
        word = self._word
        self._again()
        self._word, self._reason = word, ""
        if word:  # the word covers what is known of the person now; what is learned later is searched again
            self.searched = self.request.subject

    def _kept(self) -> tuple[Kept, ...]:
        """Return what stays and why; a deleted-members record counts only when it was written."""
        kept = self._plan.kept if self._plan else ()
        return tuple(one for one in kept if self._buried or one.exception != DELETED_MEMBERS)

    async def _count(self) -> None:
        """Learn what was done by attempts that did not come to a good end."""
        step = SystemStep(**self._names())
        self.acted = await self.request.own(CaseActivities.tally, step, f"{self.name}: what was done")

    def _names(self) -> dict[str, Any]:
        return {"request_id": self.request.id, "system": self.name, "turn": self.turn}

    async def _step(self, step: Any, argument: SystemStep, name: str, *, finish: bool = False) -> Any:  # noqa: ANN401
        """Run a step on this system's own queue. With `finish` a running attempt ends before a cancellation counts."""
        wait, leave = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED, ActivityCancellationType.TRY_CANCEL
        result = await workflow.execute_activity_method(
            step,
            argument,
            task_queue=self.name,
            start_to_close_timeout=STEP,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=VENDOR,
            cancellation_type=wait if finish else leave,
            summary=f"{self.name}: {name}",
        )
        if self._ending:  # the attempt came to its end after the system was ended
            raise asyncio.CancelledError
        return result


def _code(error: ActivityError) -> str:
    """Return why an activity gave up, as type and vendor code."""
    cause = error.cause
    if not isinstance(cause, ApplicationError):
        return "no_answer"
    code = str(cause.details[0]) if cause.details and cause.details[0] else ""
    return f"{cause.type}: {code}"[:80] if code else str(cause.type)
