"""The papers of an open case are replaced, found again, and destroyed for good."""

from __future__ import annotations

from pathlib import Path

from erasure.entry import PartKind
from ledger.stores import Database
from tests.ledger.samples import part


def test_writing_a_paper_again_replaces_it(database: Database) -> None:
    """The last one counts, also within one call."""
    database.write([], [part("first"), part("second")])
    database.write([], [part("thïrd")])
    assert database.parts("r-1", [PartKind.FINDINGS]) == [part("thïrd")]


def test_papers_are_found_by_kind_and_system(database: Database) -> None:
    """Of one system or of all, and never those of another case."""
    plan, emma = part("plan", kind=PartKind.PLAN), part("emma", system="emma")
    database.write([], [part(), plan, emma, part(request_id="r-2")])
    assert database.parts("r-1", [PartKind.FINDINGS]) == [emma, part()]
    assert database.parts("r-1", [PartKind.FINDINGS, PartKind.PLAN], "zendesk") == [part(), plan]
    assert database.parts("r-1", [PartKind.RECEIPTS]) == []


def test_destroying_a_case_file_leaves_other_cases(database: Database) -> None:
    """It tells how many papers there were; again finds none."""
    database.write([], [part(), part(system="emma"), part(request_id="r-2")])
    assert [database.destroy_case_file("r-1"), database.destroy_case_file("r-1")] == [2, 0]
    assert database.parts("r-1", list(PartKind)) == []
    assert database.parts("r-2", list(PartKind)) == [part(request_id="r-2")]


def test_a_destroyed_paper_is_not_left_in_the_files(tmp_path: Path) -> None:
    """SQLite would leave deleted bytes in free pages and in its write-ahead log."""
    database = Database.open(f"sqlite:///{tmp_path}/erasure.db")
    database.write([], [part("ada.quillfeather@example.org" * 400)])
    files = list(tmp_path.iterdir())
    held = [path.name for path in files if b"quillfeather" in path.read_bytes()]
    database.destroy_case_file("r-1")
    left = [path.name for path in files if b"quillfeather" in path.read_bytes()]
    database.close()
    assert held
    assert left == []
