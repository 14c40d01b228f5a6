"""The steps in one system: discover, act, confirm, verify."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog
from pydantic import BaseModel, ConfigDict
from temporalio import activity

from activities.failing import not_yet, told_to_temporal
from activities.messages import Acted, Found, Look, Search, Seen, SystemStep
from activities.pulse import Pulse
from activities.stores import Stores
from erasure.connector import Connector, Findings, Receipt, Record, SystemCard, Verdict, Verification
from erasure.entry import Entry, Event, Part, PartKind
from erasure.failures import Ambiguous, Rejected
from erasure.outcome import Effect, EvidenceLevel
from erasure.plan import SystemPlan

_M = TypeVar("_M", bound=BaseModel)
_LOG = structlog.get_logger()
_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True)
class TreatedSystem:
    """A system that is switched on: its card, how to open it, and what its code is called in the ledger."""

    card: SystemCard
    open: Callable[[], Connector]
    version: str
    poll_every: timedelta


class Papers(BaseModel):
    """The findings of a system over several searches. `round` tells which search a bookmark belongs to."""

    model_config = _FROZEN

    round: int = 0
    findings: Findings = Findings()

    def joined(self, new: Findings, number: int) -> Papers:
        """Add a search; a record found twice is one record."""
        records = {(record.kind, record.id): record for record in (*self.findings.records, *new.records)}
        learned = dict.fromkeys((*self.findings.learned, *new.learned))
        doubts = dict.fromkeys((*self.findings.doubts, *new.doubts))
        findings = Findings(
            records=tuple(records.values()),
            learned=tuple(learned),
            doubts=tuple(doubts),
            unfinished=new.unfinished,
        )
        return Papers(round=number, findings=findings)

    def bookmark(self, number: int) -> str:
        """Return where this search stopped, or "" for the start."""
        unfinished = self.findings.unfinished
        return unfinished.bookmark if unfinished and self.round == number else ""


class Treated(BaseModel):
    """A record's receipt, and the turn in which it was last treated."""

    model_config = _FROZEN

    turn: int
    receipt: Receipt


class Receipts(BaseModel):
    """What was done to each record of a system so far: one entry per record."""

    model_config = _FROZEN

    treated: tuple[Treated, ...] = ()

    def with_receipt(self, turn: int, receipt: Receipt) -> Receipts:
        """Add or replace a record's receipt; what was erased once stays "erased" when it is found gone later."""
        entries = {(t.receipt.record.kind, t.receipt.record.id): t for t in self.treated}
        key = (receipt.record.kind, receipt.record.id)
        if key in entries and receipt.effect is Effect.ALREADY_GONE:
            receipt = receipt.model_copy(update={"effect": entries[key].receipt.effect})
        return Receipts(treated=tuple({**entries, key: Treated(turn=turn, receipt=receipt)}.values()))

    def done_in(self, turn: int) -> set[tuple[str, str]]:
        """Return kind and id of the records that were treated in this turn."""
        return {(t.receipt.record.kind, t.receipt.record.id) for t in self.treated if t.turn == turn}

    def acted(self) -> Acted:
        """Return the numbers."""
        counted: dict[str, Counter[Effect]] = {}
        for receipt in (t.receipt for t in self.treated):
            counted.setdefault(receipt.record.kind, Counter())[receipt.effect] += 1
        effects = {kind: dict(sorted(counts.items())) for kind, counts in sorted(counted.items())}
        return Acted(effects=effects, pending=sum(t.receipt.pending for t in self.treated))


class Reread(BaseModel):
    """A look that takes several attempts.

    `bookmark` and `remaining` are of a re-read that an allowance cut off; `shown` counts the whole re-reads that
    still showed what was treated, so that the parts of one do not use up the vendor's lag.
    """

    model_config = _FROZEN

    turn: int
    look: int
    bookmark: str = ""
    remaining: tuple[Record, ...] = ()
    shown: int = 0

    def joined(self, part: Verification) -> Verification:
        """Add the next part: what an earlier one found is still there, though the last found nothing."""
        remaining = {(record.kind, record.id): record for record in (*self.remaining, *part.remaining)}
        still = self.remaining and part.verdict is Verdict.CLEAN
        verdict = Verdict.STILL_THERE if still else part.verdict
        return part.model_copy(update={"verdict": verdict, "remaining": tuple(remaining.values())})


class _File:
    """Papers of one system, as they were read."""

    def __init__(self, system: str, contents: Mapping[PartKind, str]) -> None:
        """Keep the contents."""
        self._system = system
        self._contents = contents

    def get(self, kind: PartKind, default: _M) -> _M:
        """Return a paper, or the default when it was never written."""
        return type(default).model_validate_json(self._contents[kind]) if kind in self._contents else default

    def required(self, kind: PartKind, model: type[_M]) -> _M:
        """Return a paper that an earlier step must have written; raises Rejected when it is not there."""
        if kind not in self._contents:
            raise Rejected(self._system, "read", code=f"no_{kind}")
        return model.model_validate_json(self._contents[kind])


class SystemActivities:
    """The steps, handed the systems, the database and a pulse."""

    def __init__(self, systems: Mapping[str, TreatedSystem], stores: Stores, pulse: Pulse) -> None:
        """Keep what the steps need."""
        self._systems = systems
        self._stores = stores
        self._pulse = pulse

    @activity.defn(no_thread_cancel_exception=True)
    def discover(self, step: Search) -> Found:
        """Search one system; a search that an allowance cut off goes on at its bookmark."""
        with self._step(step, "discover"):
            system = self._systems[step.system]
            if not any(step.subject.of(kind) for kind in system.card.finds_by):
                self._note(step, Event.DISCOVERED, f"round{step.round}", reason="too_few_identifiers")
                return Found(identified=False)
            first = step.round == 1 and activity.info().attempt == 1  # then there is nothing to read
            papers = Papers() if first else self._file(step, PartKind.FINDINGS).get(PartKind.FINDINGS, Papers())
            with self._open(system) as connector:
                new = connector.find(step.subject, papers.bookmark(step.round))
            papers = papers.joined(new, step.round)
            return self._found(step, system.card, papers)

    @activity.defn(no_thread_cancel_exception=True)
    def act(self, step: SystemStep) -> Acted:
        """Erase what the plan says, in the card's order; what has a receipt is not touched again."""
        with self._step(step, "act"):
            papers = self._file(step, PartKind.PLAN, PartKind.RECEIPTS)
            plan = papers.required(PartKind.PLAN, SystemPlan)
            self._refuse_without_tombstone(step, plan)
            receipts = papers.get(PartKind.RECEIPTS, Receipts())
            left = self._left(step, plan, receipts)
            try:
                with self._open(self._systems[step.system]) as connector:
                    for receipt in self._erase(connector, left):
                        receipts = receipts.with_receipt(step.turn, receipt)
            except BaseException:
                self._keep(step, receipts)  # a retry must know what was already done
                raise
            self._keep(step, receipts, Event.ACTED)
            return receipts.acted()

    @activity.defn(no_thread_cancel_exception=True)
    def confirm(self, step: SystemStep) -> Acted:
        """Ask once about every job the vendor still works on; Temporal asks again while one is not done."""
        with self._step(step, "confirm"):
            system = self._systems[step.system]
            receipts = self._file(step, PartKind.RECEIPTS).required(PartKind.RECEIPTS, Receipts)
            with self._open(system) as connector:
                for one in (t for t in receipts.treated if t.receipt.pending):
                    receipts = receipts.with_receipt(one.turn, connector.confirm(one.receipt))
            pending = receipts.acted().pending
            self._keep(step, receipts, None if pending else Event.CONFIRMED)
            if pending:
                raise not_yet(f"{step.system} confirm: {pending} not done yet", system.poll_every)
            return receipts.acted()

    @activity.defn(no_thread_cancel_exception=True)
    def verify(self, step: Look) -> Seen:
        """Read the system again and tell what is still there that should not be."""
        with self._step(step, "verify"):
            system = self._systems[step.system]
            papers = self._file(step, PartKind.RECEIPTS, PartKind.PLAN, PartKind.LOOK)
            treated = papers.get(PartKind.RECEIPTS, Receipts()).treated
            kept = papers.get(PartKind.PLAN, SystemPlan(system=step.system)).kept_kinds
            begun = papers.get(PartKind.LOOK, Reread(turn=step.turn, look=step.look))
            answer, shown = self._reread(step, system, begun, [one.receipt.record for one in treated])
            left = [record for record in answer.remaining if record.kind not in kept]
            if answer.verdict is Verdict.NOT_YET:
                self._look_again(step, shown)
                raise not_yet(f"{step.system} verify: the vendor still shows what is gone", answer.wait)
            if left and treated and shown < system.card.lag_reads:
                self._look_again(step, shown + 1)
                raise not_yet(f"{step.system} verify: {len(left)} still shown", system.poll_every)
            return self._seen(step, system.card, answer.verdict, answer.evidence, left)

    def _reread(
        self, step: Look, system: TreatedSystem, paper: Reread, treated: Sequence[Record]
    ) -> tuple[Verification, int]:
        """Read the whole system again, or from where an allowance cut this look off; the latter goes on later.

        Returns the joined answer, and how many whole re-reads of this look have shown something before.
        """
        if (paper.turn, paper.look) != (step.turn, step.look):  # an earlier look's
            paper = Reread(turn=step.turn, look=step.look)
        with self._open(system) as connector:
            answer = paper.joined(connector.verify(step.subject, treated, paper.bookmark))
        if answer.unfinished:
            update = {"bookmark": answer.unfinished.bookmark, "remaining": answer.remaining}
            self._stores.write((), [self._part(step, PartKind.LOOK, paper.model_copy(update=update))])
            message = f"{step.system} verify: an allowance is used up, the re-read goes on"
            raise not_yet(message, answer.unfinished.wait)
        return answer, paper.shown

    def _look_again(self, step: Look, shown: int) -> None:
        """Start the next re-read of this look from the beginning."""
        paper = Reread(turn=step.turn, look=step.look, shown=shown)
        self._stores.write((), [self._part(step, PartKind.LOOK, paper)])

    @contextmanager
    def _step(self, step: SystemStep, name: str) -> Iterator[None]:
        with told_to_temporal(step.system, name), self._pulse.beating():
            yield
        _LOG.info("step", request_id=step.request_id, system=step.system, step=name, attempt=activity.info().attempt)

    @contextmanager
    def _open(self, system: TreatedSystem) -> Iterator[Connector]:
        connector = system.open()
        try:
            yield connector
        finally:
            connector.close()

    def _file(self, step: SystemStep, *kinds: PartKind) -> _File:
        """Read papers of a system in one go."""
        parts = self._stores.parts(step.request_id, kinds, step.system)
        return _File(step.system, {part.kind: part.content for part in parts})

    def _part(self, step: SystemStep, kind: PartKind, model: BaseModel) -> Part:
        content = model.model_dump_json(exclude_defaults=True)
        return Part(request_id=step.request_id, system=step.system, kind=kind, content=content)

    def _found(self, step: Search, card: SystemCard, papers: Papers) -> Found:
        """Keep what was found, refuse too many people, and go on later with a search that was cut off."""
        part = self._part(step, PartKind.FINDINGS, papers)
        findings = papers.findings
        if findings.unfinished:
            self._stores.write((), [part])
            message = f"{step.system} discover: an allowance is used up, the search goes on"
            raise not_yet(message, findings.unfinished.wait)
        if sum(card.kind(record.kind).person for record in findings.records) > card.match_limit:
            raise Ambiguous(step.system, "discover", code="too_many_matches")
        counts = _counts(findings.records)
        detail = {"doubts": list(findings.doubts)} if findings.doubts else {}
        entry = self._entry(step, Event.DISCOVERED, f"round{step.round}", counts=counts, detail=detail)
        self._stores.write([entry], [part])
        return Found(counts=counts, learned=findings.learned, doubts=findings.doubts)

    def _refuse_without_tombstone(self, step: SystemStep, plan: SystemPlan) -> None:
        """The policy's record must exist before the member record is touched; the workflow's order is not trusted."""
        if not plan.tombstone:
            return
        events = {entry.event for entry in self._stores.entries(step.request_id) if entry.system == step.system}
        if Event.TOMBSTONE_WRITTEN not in events:
            raise Rejected(step.system, "act", code="tombstone_missing")

    def _left(self, step: SystemStep, plan: SystemPlan, receipts: Receipts) -> list[Record]:
        """Return what this turn has not treated yet, in the card's order.

        A record of an earlier turn is treated again: if a sync brought it back it may carry the same id.
        """
        done = receipts.done_in(step.turn)
        left = [record for record in plan.to_erase if (record.kind, record.id) not in done]
        return sorted(left, key=self._systems[step.system].card.rank)

    def _erase(self, connector: Connector, records: Iterable[Record]) -> Iterator[Receipt]:
        for record in records:
            if activity.is_cancelled():
                return
            yield _ours(connector.erase(record), activity.info().attempt)

    def _keep(self, step: SystemStep, receipts: Receipts, event: Event | None = None) -> None:
        part = self._part(step, PartKind.RECEIPTS, receipts)
        acted = receipts.acted()
        detail = {"pending": acted.pending} if acted.pending else {}
        entries = [self._entry(step, event, counts=_flat(acted.effects), detail=detail)] if event else []
        self._stores.write(entries, [part])

    def _seen(
        self, step: Look, card: SystemCard, verdict: Verdict, evidence: EvidenceLevel, left: Sequence[Record]
    ) -> Seen:
        if verdict is Verdict.STILL_THERE and not left:
            verdict = Verdict.CLEAN
        proven = min(evidence, card.proof) if verdict is not Verdict.STILL_THERE else EvidenceLevel.E0
        counts = _counts(left)
        mark = f"look{step.look}"
        self._note(step, Event.VERIFIED, mark, evidence=proven, counts=counts, reason=verdict)
        return Seen(verdict=verdict, evidence=proven, remaining=counts)

    def _note(self, step: SystemStep, event: Event, mark: str, **facts: object) -> None:
        self._stores.write([self._entry(step, event, mark, **facts)])

    def _entry(self, step: SystemStep, event: Event, mark: str = "", **facts: object) -> Entry:
        ending = f":{mark}" if mark else ""
        return Entry.model_validate(
            {
                "key": f"{step.request_id}:{step.system}:{event}:turn{step.turn}{ending}",
                "request_id": step.request_id,
                "system": step.system,
                "at": datetime.now(UTC),
                "event": event,
                "attempts": activity.info().attempt,
                "version": self._systems[step.system].version,
                **facts,
            }
        )


def _ours(receipt: Receipt, attempt: int) -> Receipt:
    """Call a record erased that an earlier attempt of ours removed before it died without writing a receipt."""
    if receipt.effect is Effect.ALREADY_GONE and attempt > 1:
        return receipt.model_copy(update={"effect": Effect.ERASED})
    return receipt


def _counts(records: Iterable[Record]) -> dict[str, int]:
    return dict(sorted(Counter(record.kind for record in records).items()))


def _flat(effects: Mapping[str, Mapping[Effect, int]]) -> dict[str, int]:
    return {f"{kind}.{effect}": count for kind, counts in effects.items() for effect, count in counts.items()}
