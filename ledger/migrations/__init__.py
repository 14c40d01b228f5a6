"""Changes of the schema, in order.

A new one is written by `alembic.command.revision(settings(), "what changes")` and then filled by hand.
"""

from __future__ import annotations

import threading

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from ledger.failures import LedgerUnavailable

# Alembic keeps the running migration in module variables, so one process runs one at a time.
_ONE_AT_A_TIME = threading.Lock()


def settings() -> Config:
    """Return what Alembic would otherwise read from a file."""
    config = Config()
    config.set_main_option("script_location", "ledger:migrations")
    return config


def upgrade(connection: Connection) -> None:
    """Bring the schema to the newest revision, inside the caller's transaction.

    Raises:
        LedgerUnavailable: the schema is of a revision that this program does not know.
    """
    config = settings()
    config.attributes["connection"] = connection
    with _ONE_AT_A_TIME:
        try:
            command.upgrade(config, "head")
        except CommandError:
            raise LedgerUnavailable("The ledger was made by a newer version of this program.") from None
