"""The facts of one system, read from its part of the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from erasure.entry import Entry, Event
from erasure.outcome import EvidenceLevel
from report.history import History, number_of, turn_of
from report.kept import kept_rows, stays_in_system, tombstone_missing
from report.sentences import doubts_of, more_than_shown, sentence
from report.shape import UNTREATED, HumanStep, Limit, RecordRow, Reread, Standing, SystemFacts
from report.under_way import standing
from report.words import HUMAN_STEPS, spaced

# These run at the vendor, and each entry tells how many tries it took.
_CALLS = (Event.DISCOVERED, Event.ACTED, Event.CONFIRMED, Event.VERIFIED)
_NO_TOMBSTONE = "A deleted-members entry was planned, but the ledger does not show that it was written."


def system_facts(history: History, *, cancelled: bool) -> SystemFacts:
    """Return what is known about one system."""
    kept = kept_rows(history, cancelled=cancelled)
    concluded = history.concluded if history.outcome else None
    times = [entry.at for entry in history.entries]
    return SystemFacts(
        name=history.name,
        standing=standing(history),
        sentence=sentence(history, kept_there=stays_in_system(kept), cancelled=cancelled),
        outcome=history.outcome,
        evidence=concluded.evidence if concluded and concluded.outcome not in UNTREATED else None,
        attested=history.attested,
        records=_records(history),
        kept=kept,
        doubts=doubts_of(history),
        contradiction=more_than_shown(history),
        attempts=sum(entry.attempts for entry in history.every(*_CALLS)),
        turns=history.turn,
        first_at=min(times, default=None),
        last_at=max(times, default=None),
        rereads=tuple(_reread(entry) for entry in history.every(Event.VERIFIED)),
        versions=_distinct(entry.version for entry in history.entries),
        reasons=_distinct(entry.reason for entry in history.every(Event.STOPPED, Event.CONCLUDED)),
        people=human_steps(history.entries),
        remains=_remains(history),
    )


def human_steps(entries: Iterable[Entry]) -> tuple[HumanStep, ...]:
    """Return what people decided or said, in the order of time."""
    own = (entry for entry in entries if entry.event in HUMAN_STEPS)
    return tuple(
        HumanStep(at=entry.at, by=entry.by, step=entry.event, system=entry.system, reason=entry.reason)
        for entry in sorted(own, key=lambda entry: entry.at)
    )


def limits_of(history: History, facts: SystemFacts) -> tuple[Limit, ...]:
    """Return what the report cannot vouch for in one system: not treated, in doubt, or claimed beyond what is shown."""
    limit = partial(Limit, system=history.name)
    untreated = [facts.sentence] if facts.standing is not Standing.FINAL or facts.outcome in UNTREATED else []
    told = "; ".join(spaced(doubt) for doubt in facts.doubts)
    doubts = [f"The search left doubts: {told}."] if told and not untreated else []
    missing = [_NO_TOMBSTONE] if tombstone_missing(history) else []
    beyond = [facts.contradiction] if facts.contradiction else []
    return tuple(limit(sentence=said) for said in (*untreated, *doubts, *missing, *beyond))


def _records(history: History) -> tuple[RecordRow, ...]:
    """Return one row per kind of record; a kind that turns up only in a plan or an effect has its row, too."""
    found, planned = history.last(Event.DISCOVERED), history.last(Event.PLANNED)
    searched = found.counts if found else {}
    plans, done = _by_kind(planned.counts if planned else {}), _by_kind(history.done)
    return tuple(
        RecordRow(
            kind=kind,
            found=searched.get(kind, 0) if found else None,
            planned=plans.get(kind, {}),
            done=done.get(kind, {}),
        )
        for kind in sorted({*searched, *plans, *done})
    )


def _by_kind(counts: dict[str, int]) -> dict[str, dict[str, int]]:
    split: dict[str, dict[str, int]] = {}
    for key, count in sorted(counts.items()):
        kind, _, ending = key.rpartition(".")
        split.setdefault(kind, {})[ending] = count
    return split


def _reread(entry: Entry) -> Reread:
    return Reread(
        at=entry.at,
        turn=turn_of(entry),
        look=number_of(entry),
        verdict=entry.reason,
        evidence=EvidenceLevel.E0 if entry.evidence is None else entry.evidence,
        remaining=dict(sorted(entry.counts.items())),
    )


def _remains(history: History) -> tuple[str, ...]:
    planned = history.last(Event.PLANNED)
    return tuple(planned.detail.get("remains", [])) if planned else ()


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))
