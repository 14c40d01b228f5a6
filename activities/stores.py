"""What activities need of the database; `ledger` fills it, a test may fill it with something simpler."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from erasure.entry import Entry, Part, PartKind, Tombstone


class Stores(Protocol):
    """Ledger, case file and deleted members behind one door, so that one step is one transaction."""

    def write(self, entries: Sequence[Entry], parts: Sequence[Part] = ()) -> None:
        """Append entries and put papers into the case file, all or nothing; a key written before adds nothing."""
        ...

    def entries(self, request_id: str) -> list[Entry]:
        """Return the ledger of one request, oldest first."""
        ...

    def parts(self, request_id: str, kinds: Sequence[PartKind], system: str | None = None) -> list[Part]:
        """Return papers of an open case, of one system or of all."""
        ...

    def destroy_case_file(self, request_id: str) -> int:
        """Destroy the papers of a case; returns how many there were."""
        ...

    def bury(self, tombstone: Tombstone) -> None:
        """Write a tombstone; a second one for the same request changes nothing."""
        ...

    def expire_tombstones(self, today: date) -> int:
        """Remove the tombstones whose time is over; returns how many there were."""
        ...
