"""Failures of a connector, named by what happens next.

The message of each holds the system, the operation, the HTTP status and the vendor's error code, and nothing
else: vendors' texts, URLs and bodies carry the person's address. Raise them `from None`.
"""

from __future__ import annotations

import re
from datetime import timedelta

# What may stand in a message: the shape of a vendor's error code. No "@", no "%", no "/", no quotes.
_CODE = re.compile(r"[A-Za-z0-9_. -]{1,60}")


class ConnectorFailure(Exception):  # noqa: N818 -- the subclasses are named by consequence, not by "Error"
    """A call to a vendor did not do what it should."""

    def __init__(self, system: str, operation: str, status: int | None = None, code: str = "") -> None:
        """Keep what may be shown to anyone; a code of another shape than a code is dropped."""
        self.system = system
        self.operation = operation
        self.status = status
        self.code = code if _CODE.fullmatch(code) else ""
        said = [f"HTTP {status}"] if status else []
        said += [self.code] if self.code else []
        super().__init__(f"{system} {operation}: {' '.join(said) or 'no answer'}")


class TryLater(ConnectorFailure):
    """The vendor is busy, down or not finished: Temporal retries, after the vendor's own wait if it named one."""

    def __init__(
        self,
        system: str,
        operation: str,
        status: int | None = None,
        code: str = "",
        retry_after: timedelta | None = None,
    ) -> None:
        """Keep the vendor's wait beside the rest."""
        super().__init__(system, operation, status, code)
        self.retry_after = retry_after


class AccessRefused(ConnectorFailure):
    """Our credential, scope or right is not enough: this system stops and ops are asked."""


class Rejected(ConnectorFailure):
    """The vendor will never do this as asked: this system stops and a person is asked."""


class Ambiguous(ConnectorFailure):
    """It is not certain that the records are this person's: this system stops and compliance is asked."""


class StoreUnavailable(Exception):  # noqa: N818 -- likewise
    """Our own database does not answer: the step is tried again without end, no person needs to be asked."""
