"""How the database is reached: which driver, and how SQLite is set up for several threads and processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

from ledger.failures import LedgerUnavailable

# Seconds a writer waits for the others before it gives up and Temporal tries again.
_PATIENCE = 30.0
# Names the one advisory lock under which PostgreSQL's schema is changed; any number does.
_SCHEMA_LOCK = 7_246_117

# FULL and not NORMAL: with NORMAL a power cut takes the last commits, and Temporal never repeats a step that it
# has recorded as done. A tombstone is written before the member is erased; nobody could write it again.
# secure_delete overwrites what is deleted: a destroyed case file must not stay readable in free pages.
_PRAGMAS = ("PRAGMA synchronous=FULL", "PRAGMA secure_delete=ON")


def parsed(url: str) -> URL:
    """Return where the database is, with the driver we use.

    Raises:
        LedgerUnavailable: it names neither a SQLite file nor a PostgreSQL database.
    """
    try:
        where = make_url(url)
    except (ArgumentError, ValueError):
        raise LedgerUnavailable("The address of the ledger is not a database URL.") from None
    scheme = where.drivername.partition("+")[0]
    if scheme == "sqlite" and where.database not in {None, "", ":memory:"}:
        return where.set(drivername="sqlite+pysqlite")
    if scheme in {"postgresql", "postgres"}:
        return where.set(drivername="postgresql+psycopg", query={"connect_timeout": "10", **where.query})
    raise LedgerUnavailable("The ledger must be a SQLite file or a PostgreSQL database.")


def shown(url: URL) -> str:
    """Return where the database is, for people: no user, no password, no options."""
    if url.drivername.startswith("sqlite"):
        return str(url.database)
    return f"{url.host or 'the local socket'}/{url.database}"


def engine(url: URL) -> Engine:
    """Return an engine; errors never quote parameters, which hold personal data."""
    if not url.drivername.startswith("sqlite"):
        return create_engine(url, hide_parameters=True)
    made = create_engine(url, hide_parameters=True, connect_args={"timeout": _PATIENCE})
    event.listen(made, "connect", _set_up)
    event.listen(made, "begin", _begin)
    return made


def writing(reading: Engine) -> Engine:
    """Return the same engine for transactions that write.

    A SQLite transaction that reads first and writes later cannot wait for another writer, it fails; so it says
    at its beginning that it will write. Reading needs no transaction, being one statement each.
    """
    return reading.execution_options(writes=True)


def _set_up(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself; `_begin` does
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def alone(reading: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction in which this process alone may change the schema."""
    sqlite = reading.dialect.name == "sqlite"
    with _door(reading.url) if sqlite else nullcontext():
        if sqlite:
            _keep_a_write_ahead_log(reading)
        with writing(reading).begin() as connection:
            if not sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SCHEMA_LOCK})
            yield connection


@contextmanager
def _door(url: URL) -> Iterator[None]:
    """Let one process at a time through, by SQLite's own lock on an empty file beside the database.

    The database itself cannot serve: two processes that switch a fresh file to a write-ahead log at the same
    time do not wait for each other, one of them fails.
    """
    path = Path(str(url.database))
    _make(path)
    try:
        with closing(sqlite3.connect(f"{path}.lock", timeout=_PATIENCE, isolation_level=None)) as door:
            door.execute("BEGIN EXCLUSIVE")
            yield
    except sqlite3.Error:
        msg = f"The ledger at {path} is locked or cannot be written."
        raise LedgerUnavailable(msg) from None


def _make(path: Path) -> None:
    """Make the file and its folder, for nobody but the user who runs the worker."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)
    except OSError:
        msg = f"The ledger at {path} cannot be created."
        raise LedgerUnavailable(msg) from None


def _keep_a_write_ahead_log(reading: Engine) -> None:
    """Let readers read while somebody writes; the file remembers it."""
    with reading.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")


def forget(reading: Engine) -> None:
    """Empty SQLite's write-ahead log, which still holds what was just deleted from the file.

    PostgreSQL has no such command: its own log and dead rows go with its vacuum and its backups.
    """
    if reading.dialect.name == "sqlite":
        with reading.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
