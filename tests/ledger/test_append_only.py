"""The database itself refuses to change what was written."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from erasure.entry import ReadPurpose
from ledger.stores import Database
from tests.ledger.samples import entry


def contents(database: Database, table: str) -> list[tuple[object, ...]]:
    """Return all rows of a table."""
    with database._engine.connect() as raw:
        return [tuple(row) for row in raw.execute(text(f"SELECT * FROM {table}"))]  # noqa: S608


@pytest.fixture
def filled(database: Database) -> Database:
    """Return a database with one row in each of the two tables."""
    database.write([entry()])
    database.read_tombstone("r-1", ReadPurpose.TRACK_COMPLIANCE, "mia.k")
    return database


@pytest.mark.parametrize("table", ["ledger", "tombstone_reads"])
@pytest.mark.parametrize(
    "change",
    ["UPDATE {} SET request_id = 'r-9'", "DELETE FROM {}", "DELETE FROM {} WHERE number = 1"],
)
def test_changes_are_refused(filled: Database, table: str, change: str) -> None:
    """Neither UPDATE nor DELETE gets through, and the row is what it was."""
    before = contents(filled, table)
    with pytest.raises(DBAPIError, match=f"{table} is append-only"), filled._writing.begin() as raw:
        raw.execute(text(change.format(table)))
    assert contents(filled, table) == before != []


@pytest.mark.parametrize("table", ["ledger", "tombstone_reads"])
def test_no_other_way_round(filled: Database, table: str) -> None:
    """TRUNCATE on PostgreSQL, REPLACE and UPDATE OR IGNORE on SQLite delete or change without a plain DELETE."""
    before = contents(filled, table)
    if filled._engine.dialect.name == "postgresql":
        with pytest.raises(DBAPIError, match="append-only"), filled._writing.begin() as raw:
            raw.execute(text(f"TRUNCATE {table}"))
    else:
        with pytest.raises(DBAPIError, match="append-only"), filled._writing.begin() as raw:
            raw.execute(text(f"UPDATE OR IGNORE {table} SET request_id = 'r-9'"))  # noqa: S608
        with filled._writing.begin() as raw:
            raw.execute(text(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"))  # noqa: S608
    assert contents(filled, table) == before != []


def test_replacing_an_entry_by_its_key_changes_nothing(filled: Database) -> None:
    """The same for a new row that only shares the key; PostgreSQL has no such statement."""
    if filled._engine.dialect.name == "postgresql":
        return
    before = contents(filled, "ledger")
    with filled._writing.begin() as raw:
        columns = 'key, request_id, system, at, event, attempts, counts, reason, version, "by", detail'
        changed = columns.replace("request_id", "'r-9'").replace("attempts", "9")
        raw.execute(text(f"INSERT OR REPLACE INTO ledger ({columns}) SELECT {changed} FROM ledger"))  # noqa: S608
    assert contents(filled, "ledger") == before
