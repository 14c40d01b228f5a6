"""Entries, papers and a tombstone to write down."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from erasure.entry import Entry, Event, Part, PartKind, Tombstone

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PERSONAL = ("Ada Quillfeather", "ada.quillfeather@example.org", "90210")


def entry(key: str = "one", **changed: Any) -> Entry:
    """Return an entry; its key stands for the fact."""
    given: dict[str, Any] = {"request_id": "r-1", "system": "zendesk", "at": NOON, "event": Event.ACTED, **changed}
    return Entry(key=key, **given)


def part(content: str = "{}", **changed: Any) -> Part:
    """Return a paper of a case file."""
    given: dict[str, Any] = {"request_id": "r-1", "system": "zendesk", "kind": PartKind.FINDINGS, **changed}
    return Part(content=content, **given)


def tombstone(**changed: Any) -> Tombstone:
    """Return a tombstone that will not expire while the tests are of use."""
    name, email, openstackid = PERSONAL
    given: dict[str, Any] = {"request_id": "r-1", "expires_on": date(2999, 1, 1), **changed}
    return Tombstone(name=name, email=email, openstackid=openstackid, **given)
