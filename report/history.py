"""One system's ledger entries in the order of its life.

Entries are written by several machines, whose clocks may differ; the turn that each key names does not depend on
any clock, so the order is taken from it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from erasure.entry import Entry, Event
from erasure.outcome import OutcomeKind

_TURN = re.compile(r":turn([0-9]+)(?::(?:round|look)([0-9]+))?$")
_LIFE = (
    Event.DISCOVERED,
    Event.PLANNED,
    Event.TOMBSTONE_WRITTEN,
    Event.ACTED,
    Event.CONFIRMED,
    Event.VERIFIED,
    Event.STOPPED,
    Event.RETRIED,
    Event.ATTESTED,
    Event.EXCUSED,
)
_CALLED_AGAIN = (Event.RETRIED, Event.ATTESTED)  # each begins a turn
_CLEAN = "clean"
_LOOKS = 2


def turn_of(entry: Entry) -> int:
    """Return the turn an entry's key names, or 0."""
    match = _TURN.search(entry.key)
    return int(match[1]) if match else 0


def number_of(entry: Entry) -> int:
    """Return the round or look an entry's key names, or 0."""
    match = _TURN.search(entry.key)
    return int(match[2] or 0) if match else 0


def _place(entry: Entry) -> tuple[int, int, int]:
    rank = _LIFE.index(entry.event) if entry.event in _LIFE else len(_LIFE)
    return (turn_of(entry), rank, number_of(entry))


@dataclass(frozen=True)
class History:
    """The entries of one system, first to last."""

    name: str
    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, name: str, entries: Iterable[Entry]) -> History:
        """Take one system's entries out of a request's."""
        own = (entry for entry in entries if entry.system == name)
        return cls(name, tuple(sorted(own, key=_place)))  # a stable sort: the ledger's order decides the rest

    def every(self, *events: Event) -> tuple[Entry, ...]:
        """Return the entries of these events."""
        return tuple(entry for entry in self.entries if entry.event in events)

    def last(self, *events: Event) -> Entry | None:
        """Return the last entry of these events."""
        found = self.every(*events)
        return found[-1] if found else None

    @property
    def concluded(self) -> Entry | None:
        """The last conclusion: an earlier one was made void by whatever came after it."""
        return self.last(Event.CONCLUDED)

    @property
    def outcome(self) -> OutcomeKind | None:
        """What the system ended with, if it ended."""
        outcome = self.concluded.outcome if self.concluded else None
        return outcome if outcome and outcome.final else None

    @property
    def attested(self) -> bool:
        """Tell whether the outcome rests on a person's word."""
        return bool(self.concluded and self.concluded.detail.get("attested"))

    @property
    def step(self) -> Entry | None:
        """The last thing that happened in it, short of its conclusion."""
        return self.last(*_LIFE)

    @property
    def turn(self) -> int:
        """The turn it is in; a person's retry or word begins the next one, even before anything else is written."""
        return max((turn_of(e) + (e.event in _CALLED_AGAIN) for e in self.every(*_LIFE)), default=0)

    @property
    def looks(self) -> tuple[Entry, ...]:
        """The re-reads of the present turn; those of earlier turns prove nothing about it."""
        return tuple(entry for entry in self.every(Event.VERIFIED) if turn_of(entry) == self.turn)

    @property
    def clean_looks(self) -> tuple[Entry, ...]:
        """The re-reads of the present turn that found nothing."""
        return tuple(look for look in self.looks if look.reason == _CLEAN)

    @property
    def looked_through(self) -> bool:
        """Tell whether every re-read of the present turn is over."""
        return len(self.looks) >= _LOOKS and all(look.reason != "still_there" for look in self.looks)

    @property
    def done(self) -> dict[str, int]:
        """What was done, per kind and effect; the numbers are cumulative, so the last ones count.

        In an attested conclusion `contact.found` stands beside `contact.erased`: what was found is not what was done.
        """
        last = self.concluded or self.last(Event.ACTED, Event.CONFIRMED)
        counts = last.counts if last else {}
        return {key: count for key, count in sorted(counts.items()) if count and not key.endswith(".found")}


def by_ending(counts: Mapping[str, int]) -> dict[str, int]:
    """Add up counts such as `contact.erased` by what stands after the dot."""
    added: Counter[str] = Counter()
    for key, count in counts.items():
        added[key.rpartition(".")[2]] += count
    return dict(sorted(added.items()))
