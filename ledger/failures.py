"""What can go wrong with the database, said without a password and without a row's contents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from erasure.failures import StoreUnavailable


class LedgerUnavailable(StoreUnavailable):
    """The database does not answer now; the same step may succeed later."""


class LedgerRefused(Exception):  # noqa: N818 -- likewise
    """The database answered and refused what it was given; the same step will be refused again."""


@contextmanager
def plain_words(where: str) -> Iterator[None]:
    """Turn the driver's errors into one sentence each.

    Drivers quote the failing row, and PostgreSQL the connection: both would end up in Temporal's history.
    """
    try:
        yield
    except exc.TimeoutError:
        msg = f"The ledger at {where} has no free connection."
        raise LedgerUnavailable(msg) from None
    except (exc.OperationalError, exc.InterfaceError) as error:
        msg = f"The ledger at {where} cannot be reached ({type(error.orig).__name__})."
        raise LedgerUnavailable(msg) from None
    except exc.DBAPIError as error:
        msg = f"The ledger at {where} refused a statement ({type(error.orig).__name__})."
        raise LedgerRefused(msg) from None
