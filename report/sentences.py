"""One sentence for each system that says what is known about it, and never more."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from erasure.entry import Event
from erasure.outcome import Effect, EvidenceLevel, NothingHeld, OutcomeKind
from report import words
from report.history import History, by_ending
from report.under_way import last_step

_BOTH = 2  # there are two re-reads to a turn

# What a re-read finds nothing of; a masked or restricted record is still there to be found.
_GONE = frozenset({OutcomeKind.ERASED, OutcomeKind.NOTHING_HELD, OutcomeKind.KEPT})


def sentence(history: History, *, kept_there: bool, cancelled: bool) -> str:
    """Say how it stands in one system; `kept_there` tells whether a re-read still meets what is kept."""
    doubts = "; ".join(words.spaced(doubt) for doubt in doubts_of(history))
    said = _said(history, kept_there=kept_there, cancelled=cancelled)
    return f"{said} The search left doubts: {doubts}." if doubts else said


def _said(history: History, *, kept_there: bool, cancelled: bool) -> str:
    if history.outcome:
        say = _attested if history.attested else _FINAL[history.outcome]
        return say(history, f"{_looks(history, kept_there=kept_there)} ({_level(history).name})")
    if cancelled:
        return f"Not treated to the end, because the request was cancelled. Last step before that: {last_step(history)}"
    return f"Not complete. {last_step(history)}"


def doubts_of(history: History) -> tuple[str, ...]:
    """Return the doubts of every search, for a later one does not settle an earlier one's."""
    told = (doubt for entry in history.every(Event.DISCOVERED) for doubt in entry.detail.get("doubts", []))
    return tuple(dict.fromkeys(told))


def more_than_shown(history: History) -> str:
    """Return what is wrong when the ledger claims a level that its own re-reads do not show, or ""."""
    clean = history.clean_looks
    if history.outcome is None:
        return ""
    if _level(history) is EvidenceLevel.E4 and (len(clean) < _BOTH or not (clean[-1].at - clean[0].at).days):
        return "The ledger says E4, but shows no two clean re-reads at least a day apart."
    if _level(history) is EvidenceLevel.E3 and not clean:
        return "The ledger says E3, but shows no clean re-read since the system was last gone through."
    return ""


def _level(history: History) -> EvidenceLevel:
    level = history.concluded.evidence if history.concluded else None
    return EvidenceLevel.E0 if level is None else level


def _looks(history: History, *, kept_there: bool) -> str:
    """Say what the re-reads of the last turn showed; how far they lie apart is read from their own times."""
    looks, clean = history.looks, history.clean_looks
    if not looks:
        return "it could not be re-read" if history.attested else "it was not re-read"
    if not clean:
        return _unclean(history)
    nothing = _nothing(history, kept_there=kept_there)
    if len(clean) >= _BOTH:
        return f"two re-reads {words.apart(clean[-1].at - clean[0].at)} {nothing}"
    return f"a re-read {nothing}" + (", another proved nothing" if len(looks) > 1 else "")


def _nothing(history: History, *, kept_there: bool) -> str:
    if history.outcome not in _GONE:
        return "found nothing that should not be there"
    return "found nothing but what is kept" if kept_there else "found nothing"


def _unclean(history: History) -> str:
    last = history.looks[-1]
    if last.reason == "still_there":
        return f"a re-read still found {words.records(sum(last.counts.values()))}"
    return "it was re-read, but the vendor shows nothing that would prove it"


def _treated(history: History, proof: str) -> str:
    done = words.effects(by_ending(history.done))
    return f"{done or _numberless(history)}; {proof}."


def _numberless(history: History) -> str:
    return f"Recorded as {words.spaced(history.outcome or '')}, without numbers"


def _nothing_held(history: History, proof: str) -> str:
    reason = _reason(history)
    if reason == NothingHeld.TOO_FEW_IDENTIFIERS:
        return _not_identifiable(history, proof)
    if reason == NothingHeld.ALREADY_GONE:
        gone = by_ending(history.done).get(Effect.ALREADY_GONE, 0)
        return f"What the search found ({words.records(gone)}) was gone before we could erase it; {proof}."
    return f"The search found nothing to erase; {proof}."


def _not_identifiable(history: History, proof: str) -> str:
    del history, proof
    return (
        "Not searched: what is known of the person cannot be searched for in this system, so it is not known "
        "whether it holds anything about them (GDPR Art. 11(2))."
    )


def _kept(history: History, proof: str) -> str:
    del history
    return f"Nothing was erased: all that was found is kept, for the reasons given; {proof}."


def _informed(history: History, proof: str) -> str:
    del history, proof
    return "Nothing was done here: another controller answers for this system, and the person is told to turn to it."


def _excused(history: History, proof: str) -> str:
    del proof
    told = history.last(Event.EXCUSED)
    reason = words.reason_of(Event.EXCUSED, told.reason if told else _reason(history))
    said = f"Left untreated by decision of {words.who(told.by if told else '')}: {reason}."
    before = words.effects(by_ending(history.done))
    return f"{said} Before that, the erasing step had reported: {before}; that is not proven." if before else said


def _attested(history: History, proof: str) -> str:
    told = history.last(Event.ATTESTED)
    by, on = (words.who(told.by), f" on {words.day(told.at)}") if told else (words.who(""), "")
    said = f"{by} attested{on} that {words.reason_of(Event.ATTESTED, _reason(history))}; {proof}."
    before = words.effects(by_ending(history.done))
    return f"{said} Besides, the erasing step had reported: {before}." if before else said


def _reason(history: History) -> str:
    return history.concluded.reason if history.concluded else ""


_FINAL: Mapping[OutcomeKind, Callable[[History, str], str]] = {
    OutcomeKind.ERASED: _treated,
    OutcomeKind.REDACTED: _treated,
    OutcomeKind.PSEUDONYMISED: _treated,
    OutcomeKind.RESTRICTED: _treated,
    OutcomeKind.LIFTED: _treated,
    OutcomeKind.SUPPRESSED: _treated,
    OutcomeKind.NOTHING_HELD: _nothing_held,
    OutcomeKind.NOT_IDENTIFIABLE: _not_identifiable,
    OutcomeKind.KEPT: _kept,
    OutcomeKind.INFORMED: _informed,
    OutcomeKind.EXCUSED: _excused,
}
