"""Turns whatever went wrong into what Temporal should do, with nothing personal in what it stores."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import PurePath

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from erasure.failures import ConnectorFailure, StoreUnavailable, TryLater

_LONGEST_WAIT = timedelta(days=1)  # a vendor's Retry-After is honoured up to here
_TRIES_AT_A_FAULT = 5  # a fault of our own is tried this often, then a person is asked


@contextmanager
def told_to_temporal(system: str, step: str) -> Iterator[None]:
    """Let only `ApplicationError`s out, each with a type from a closed list and a message without values.

    `from None` matters: a chained exception is stored with its text, and vendors' texts hold addresses.
    """
    try:
        yield
    except ApplicationError:
        raise
    except TryLater as failure:
        raise not_yet(str(failure), failure.retry_after, kind="TryLater") from None
    except StoreUnavailable:
        raise not_yet(f"{system} {step}: our own database does not answer", None, kind="TryLater") from None
    except ConnectorFailure as failure:
        raise ApplicationError(str(failure), failure.code, type=type(failure).__name__, non_retryable=True) from None
    except Exception as fault:  # noqa: BLE001 -- a fault's own text may hold anything, so none gets past here
        final = activity.info().attempt >= _TRIES_AT_A_FAULT
        said = f"{system} {step}: {type(fault).__name__} at {_place(fault)}"
        raise ApplicationError(said, type="Fault", non_retryable=final) from None


def not_yet(message: str, wait: timedelta | None, kind: str = "NotYet") -> ApplicationError:
    """Return the failure that makes Temporal ask again, after the vendor's wait if it named one."""
    return ApplicationError(
        message,
        type=kind,
        next_retry_delay=min(wait, _LONGEST_WAIT) if wait is not None else None,
        category=ApplicationErrorCategory.BENIGN,
    )


def _place(fault: BaseException) -> str:
    """Return where a fault arose, without its text: the innermost line of this project, then the innermost of all."""
    frames = traceback.extract_tb(fault.__traceback__)
    return ", ".join(f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in frames[-3:])
