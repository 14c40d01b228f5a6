"""What is said of a system whose outcome is not written down yet: its last step, and nothing beyond it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from erasure.entry import Entry, Event
from report import words
from report.history import History, by_ending, turn_of
from report.shape import Standing

_TOO_FEW = "too_few_identifiers"
_AFTER_ERASING = frozenset({Event.ACTED, Event.CONFIRMED, Event.VERIFIED})


def standing(history: History) -> Standing:
    """Return how far a system is, by its ledger."""
    step = history.step
    if history.outcome:
        return Standing.FINAL
    if step is None:
        return Standing.NOT_STARTED
    if step.event is Event.STOPPED:
        return Standing.STOPPED
    if step.event is Event.EXCUSED or step.reason == _TOO_FEW or _looked_through(history, step):
        return Standing.READY
    return Standing.UNDER_WAY


def _looked_through(history: History, step: Entry) -> bool:
    return step.event is Event.VERIFIED and history.looked_through


def last_step(history: History) -> str:
    """Say what the last step was; an erasing step that ended is not called erasure before it was re-read."""
    step = history.step
    said = _SAID[step.event](history, step) if step else "The ledger shows no step in this system yet."
    return f"{said} {_unfinished(history)}".rstrip()


def _unfinished(history: History) -> str:
    """Warn where erasing was planned and no end of it is written down: part of it may have happened."""
    step, planned = history.step, history.last(Event.PLANNED)
    tried = planned is not None and by_ending(planned.counts).get("erase", 0) > 0
    if not tried or planned is None or step is None or step.event in _AFTER_ERASING:
        return ""
    acted = history.last(Event.ACTED)
    if acted is not None and turn_of(acted) >= turn_of(planned):
        return ""
    return "Whether some of the records planned for erasure are gone already is not written down."


def _discovered(history: History, step: Entry) -> str:
    del history
    if step.reason == _TOO_FEW:
        return "What is known of the person so far cannot be searched for in this system."
    found = sum(step.counts.values())
    return f"The search found {words.records(found)}; nothing is planned yet." if found else "The search found nothing."


def _planned(history: History, step: Entry) -> str:
    del history
    erase = by_ending(step.counts).get("erase", 0)
    return (
        f"The erasure of {words.records(erase)} is planned." if erase else "There is nothing to erase; not re-read yet."
    )


def _acted(history: History, step: Entry) -> str:
    del step
    return (
        f"The erasing step reported: {_reported(history)}. The vendor may still be at work, and nobody has re-read it."
    )


def _confirmed(history: History, step: Entry) -> str:
    del step
    return f"The vendor says it is done: {_reported(history)}. It is not re-read yet."


def _verified(history: History, step: Entry) -> str:
    if step.reason == "still_there":
        return f"A re-read still found {words.records(sum(step.counts.values()))}; the system is gone through again."
    saw = "found nothing that should be gone" if step.reason == "clean" else "could not prove anything"
    if history.looked_through:
        return f"The last re-read {saw}; the outcome is written down when all systems are done."
    return f"The first re-read {saw}; the second is still to come."


def _stopped(history: History, step: Entry) -> str:
    del history
    return f"It stopped and waits for a person: {words.stop(step.reason)}."


def _retried(history: History, step: Entry) -> str:
    del history
    return f"{words.who(step.by)} had it gone through again on {words.day(step.at)}; no step since then has ended."


def _attested(history: History, step: Entry) -> str:
    del history
    word = words.reason_of(Event.ATTESTED, step.reason)
    return f"{words.who(step.by)} attested on {words.day(step.at)} that {word}; it is not re-read yet."


def _excused(history: History, step: Entry) -> str:
    before = f" Before that, the erasing step had reported: {_reported(history)}." if history.done else ""
    return f"Left untreated by decision of {words.who(step.by)}: {words.reason_of(Event.EXCUSED, step.reason)}.{before}"


def _tombstone(history: History, step: Entry) -> str:
    del history, step
    return "The deleted-members entry is written; no erasing step has ended."


def _reported(history: History) -> str:
    return words.effects(by_ending(history.done)) or "nothing was left to erase"


_SAID: Mapping[Event, Callable[[History, Entry], str]] = {
    Event.DISCOVERED: _discovered,
    Event.PLANNED: _planned,
    Event.TOMBSTONE_WRITTEN: _tombstone,
    Event.ACTED: _acted,
    Event.CONFIRMED: _confirmed,
    Event.VERIFIED: _verified,
    Event.STOPPED: _stopped,
    Event.RETRIED: _retried,
    Event.ATTESTED: _attested,
    Event.EXCUSED: _excused,
}
