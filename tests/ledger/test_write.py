"""Entries are written once, all or nothing, and hold nothing personal."""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, date, timedelta, timezone

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from activities.stores import Stores
from erasure.entry import Entry, Event, ReadPurpose
from erasure.outcome import EvidenceLevel, OutcomeKind
from ledger.stores import Database, LedgerRefused
from ledger.tables import ledger, tombstone_reads
from tests.ledger.samples import NOON, PERSONAL, entry, part, tombstone


@pytest.mark.parametrize("method", [name for name in vars(Stores) if not name.startswith("_")])
def test_the_database_is_what_activities_ask_for(method: str) -> None:
    """Each method of the protocol is there with the same signature."""
    assert inspect.signature(getattr(Database, method)) == inspect.signature(getattr(Stores, method))


def test_an_entry_comes_back_as_it_was_written(database: Database) -> None:
    """Every field survives, structured ones and accents too."""
    written = entry(
        attempts=3,
        counts={"ticket": 2},
        outcome=OutcomeKind.REDACTED,
        evidence=EvidenceLevel.E3,
        reason="too_few",
        version="1.2",
        by="mia.k",
        detail={"article": "17(3)(b)", "scope": ["zendesk", "élan"], "until": {"days": 3}},
    )
    database.write([written])
    assert database.entries("r-1") == [written]


def test_dates_in_the_detail_become_text(database: Database) -> None:
    """A date that nobody turned into text beforehand does not stop the step."""
    database.write([entry(detail={"until": date(2029, 3, 1)})])
    assert database.entries("r-1")[0].detail == {"until": "2029-03-01"}


def test_times_come_back_in_utc(database: Database) -> None:
    """A time from another zone is the same moment, told in UTC."""
    database.write([entry(at=NOON.astimezone(timezone(timedelta(hours=2))))])
    (read,) = database.entries("r-1")
    assert (read.at, read.at.tzinfo) == (NOON, UTC)


def test_a_time_without_zone_is_refused() -> None:
    """A moment is only a moment with its zone."""
    with pytest.raises(ValidationError):
        entry(at=NOON.replace(tzinfo=None))


def test_the_same_key_twice_adds_nothing(database: Database) -> None:
    """A step that is repeated after a crash leaves the first entry as it was; others in the same call are written."""
    database.write([entry("one", attempts=1)])
    database.write([entry("one", attempts=2), entry("two")])
    assert [(read.key, read.attempts) for read in database.entries("r-1")] == [("one", 1), ("two", 1)]


def test_the_same_key_from_eight_threads_adds_one(database: Database) -> None:
    """Nobody fails and nobody writes a second line; each key is fought for by all threads."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: database.write([entry(f"key-{n // 8}")], [part(str(n))]), range(160)))
    assert sorted(read.key for read in database.entries("r-1")) == sorted(f"key-{n}" for n in range(20))


def test_a_transaction_that_reads_first_can_still_write(database: Database) -> None:
    """SQLite would throw it out once somebody else has written in between."""
    with ThreadPoolExecutor(1) as other:
        with database._writing.begin() as raw:
            raw.execute(ledger.select()).all()
            waiting = other.submit(database.write, [entry("other")])
            wait([waiting], timeout=0.3)
            raw.execute(text("DELETE FROM case_file"))
        waiting.result(timeout=30)
    assert [read.key for read in database.entries("r-1")] == ["other"]


def test_a_key_of_another_request_is_refused(database: Database) -> None:
    """Otherwise the second request's fact would be lost without a word."""
    database.write([entry("one", request_id="r-1")])
    with pytest.raises(LedgerRefused):
        database.write([entry("two", request_id="r-2"), entry("one", request_id="r-2")])
    assert database.entries("r-2") == []


def test_a_part_that_fails_takes_its_entry_along(database: Database) -> None:
    """Entry and paper are one transaction."""
    broken = part().model_copy(update={"system": None})
    with pytest.raises(LedgerRefused):
        database.write([entry()], [broken])
    assert database.entries("r-1") == []


def test_a_refusal_repeats_nothing_of_what_was_refused(database: Database) -> None:
    """Drivers quote the failing row; its text would travel into Temporal's history."""
    broken = tombstone().model_copy(update={"openstackid": None})
    with pytest.raises(LedgerRefused) as caught:
        database.bury(broken)
    assert "Ada" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None


def test_entries_are_read_in_the_order_of_writing(database: Database) -> None:
    """Clocks of two machines differ, the order of writing does not; other requests stay out."""
    database.write([entry("late", at=NOON + timedelta(hours=1)), entry("b"), entry("a")])
    database.write([entry("early", at=NOON - timedelta(hours=1)), entry("other", request_id="r-2")])
    assert [read.key for read in database.entries("r-1")] == ["late", "b", "a", "early"]


def test_nothing_to_write_is_fine(database: Database) -> None:
    """A step without a result writes nothing."""
    database.write([])
    assert database.entries("r-1") == []


def test_an_entry_with_an_address_is_refused() -> None:
    """However deep it is hidden."""
    with pytest.raises(ValidationError):
        entry(detail={"scope": [{"deep": "ada@example.org"}]})


@pytest.mark.parametrize("field", ["key", "request_id", "system", "counts", "reason", "version", "by", "detail"])
def test_the_ledger_refuses_an_address_by_itself(database: Database, field: str) -> None:
    """Also in a field that the model does not look at, and from a writer that goes past the model."""
    spoiled = {"a@b.example": 1} if field in {"counts", "detail"} else "a@b.example"
    with pytest.raises(LedgerRefused):
        database.write([Entry.model_construct(**entry().model_dump() | {field: spoiled})])


def test_nothing_personal_reaches_the_ledger(database: Database) -> None:
    """After a whole request, neither the ledger nor the read log holds what the tombstone holds."""
    database.write([entry("found", event=Event.DISCOVERED)], [part(" ".join(PERSONAL))])
    database.bury(tombstone())
    database.write([entry("buried", event=Event.TOMBSTONE_WRITTEN, system="")])
    database.read_tombstone("r-1", ReadPurpose.TRACK_COMPLIANCE, "mia.k")
    with database._engine.connect() as raw:
        rows = [str(row) for table in (ledger, tombstone_reads) for row in raw.execute(table.select())]
        assert raw.execute(text("SELECT count(*) FROM deleted_members")).scalar_one() == 1
    assert len(rows) == 3
    assert not [row for row in rows for word in PERSONAL if word in row]
