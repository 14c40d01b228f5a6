"""The "deleted members" record: what it may hold, who may read it, when it ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import inspect, text

from erasure.entry import ReadPurpose, Tombstone
from ledger.stores import Database
from ledger.tables import tombstone_reads
from tests.ledger.samples import tombstone


def log(database: Database) -> list[tuple[str, str, str]]:
    """Return who read what and why."""
    with database._engine.connect() as raw:
        rows = raw.execute(tombstone_reads.select().order_by("number"))
        return [(row.request_id, row.purpose, row.by) for row in rows]


def read(database: Database, request_id: str = "r-1") -> Tombstone | None:
    """Read a tombstone as somebody of compliance does."""
    return database.read_tombstone(request_id, ReadPurpose.ANSWER_COMMUNICATION, "mia.k")


def test_it_holds_three_facts_about_the_person_and_no_more(database: Database) -> None:
    """The privacy policy names name, e-mail and OpenStackID; a further column breaks a promise."""
    columns = {column["name"] for column in inspect(database._engine).get_columns("deleted_members")}
    assert columns - {"request_id", "expires_on"} == {"name", "email", "openstackid"}
    assert columns == set(Tombstone.model_fields)


def test_burying_twice_changes_nothing(database: Database) -> None:
    """The first tombstone stays, also when the member record is already empty."""
    database.bury(tombstone())
    database.bury(tombstone(expires_on=date(2998, 1, 1)))
    assert read(database) == tombstone()


def test_every_read_is_logged(database: Database) -> None:
    """Also one that finds nothing: somebody looked."""
    database.bury(tombstone())
    assert read(database, "r-2") is None
    database.read_tombstone("r-1", ReadPurpose.TRACK_COMPLIANCE, "bo")
    assert log(database) == [("r-2", "answer_communication", "mia.k"), ("r-1", "track_compliance", "bo")]


def test_the_read_log_knows_when(database: Database) -> None:
    """In UTC, at the time of reading."""
    before = datetime.now(UTC)
    read(database)
    with database._engine.connect() as raw:
        at = raw.execute(tombstone_reads.select()).one().at
    assert before <= at <= datetime.now(UTC)


def test_nothing_is_read_when_it_cannot_be_logged(database: Database) -> None:
    """Log and read are one transaction: without the one there is not the other."""
    database.bury(tombstone())
    with database._writing.begin() as raw:
        raw.execute(text("DROP TABLE tombstone_reads"))
    with pytest.raises(Exception, match="ledger"):
        read(database)


@pytest.mark.parametrize(
    ("purpose", "by"),
    [
        ("curiosity", "mia.k"),
        (ReadPurpose.TRACK_COMPLIANCE, "ada.quillfeather@example.org"),
        (ReadPurpose.TRACK_COMPLIANCE, ""),
        (ReadPurpose.TRACK_COMPLIANCE, "mia.k\n"),
    ],
)
def test_other_purposes_and_unknown_readers_are_turned_away(database: Database, purpose: ReadPurpose, by: str) -> None:
    """There are two purposes, and the log names staff handles only."""
    database.bury(tombstone())
    with pytest.raises(ValueError, match=r"purpose|Purpose|handle"):
        database.read_tombstone("r-1", purpose, by)
    assert log(database) == []


def test_tombstones_end_on_their_day(database: Database) -> None:
    """Those whose day has come are deleted and counted; the others stay."""
    database.bury(tombstone(expires_on=date(2999, 1, 1)))
    database.bury(tombstone(request_id="r-2", expires_on=date(2999, 1, 2)))
    assert database.expire_tombstones(date(2998, 12, 31)) == 0
    assert database.expire_tombstones(date(2999, 1, 1)) == 1
    assert read(database, "r-1") is None
    assert read(database, "r-2") is not None


def test_a_late_sweep_does_not_lengthen_a_tombstone(database: Database) -> None:
    """What has expired cannot be read any more, even while it still waits to be deleted."""
    database.bury(tombstone(expires_on=datetime.now(UTC).date() - timedelta(days=1)))
    assert read(database) is None
    assert log(database) == [("r-1", "answer_communication", "mia.k")]
