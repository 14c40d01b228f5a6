"""The people of a run: each request is for somebody of their own, known to every account by one address."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from erasure.request import DataSubjectRequest, Right
from erasure.subject import Identifier, Subject


def person(number: int) -> dict[str, Any]:
    """Return what the vendors' control endpoint is told about a person."""
    return {
        "first_name": "Ada",
        "last_name": f"Quill{number:06d}",
        "emails": [f"ada.quill{number:06d}@example.org"],
        "openstackid": str(1_000_000 + number),
    }


def request(number: int) -> DataSubjectRequest:
    """Return a fresh erasure request that names all that is known of the person, so that one search is enough."""
    known = person(number)
    identifiers = (Identifier.email(known["emails"][0]), Identifier.openstackid(known["openstackid"]))
    return DataSubjectRequest(
        id=str(uuid.uuid4()),
        right=Right.ERASURE,
        submitted_at=datetime.now(UTC) - timedelta(days=1),
        subject=Subject(identifiers=identifiers),
        fingerprint="0" * 64,
    )


def waves(first: int, count: int, most: int) -> Iterator[list[int]]:
    """Split people into groups that are seeded together."""
    for start in range(first, first + count, most):
        yield list(range(start, min(start + most, first + count)))
