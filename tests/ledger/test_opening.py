"""Opening: the schema, several processes at once, a killed writer, and what is said when there is no database."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect, text

from erasure.entry import PartKind
from ledger.connection import _door, alone, engine, parsed
from ledger.migrations import upgrade
from ledger.stores import Database, LedgerUnavailable
from ledger.tables import metadata
from tests.ledger.samples import entry

ROOT = Path(__file__).parents[2]


@contextmanager
def another_process(how: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that is ready to open the database as soon as it gets a line."""
    command = [sys.executable, "-m", "tests.ledger.process", how, url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def go(process: subprocess.Popen[str]) -> None:
    """Let a process that waits open the database."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_migrations_and_tables_agree(database: Database) -> None:
    """Nothing is left that Alembic would change."""
    with database._engine.connect() as raw:
        assert compare_metadata(MigrationContext.configure(raw), metadata) == []


def test_migrations_and_tables_agree_about_checks(database: Database) -> None:
    """Alembic does not compare these."""
    found = inspect(database._engine)
    for table in metadata.sorted_tables:
        declared = {check.name for check in table.constraints if isinstance(check, CheckConstraint)}
        assert {check["name"] for check in found.get_check_constraints(table.name)} == declared


def test_opening_again_keeps_what_is_there(database: Database, url: str) -> None:
    """A worker that starts anew finds its ledger."""
    database.write([entry()])
    again = Database.open(url)
    assert again.entries("r-1") == [entry()]
    again.close()


def test_processes_that_start_together_all_open(url: str) -> None:
    """Four processes meet an empty database; each one writes its entry."""
    with ExitStack() as stack:
        processes = [stack.enter_context(another_process("once", url)) for _ in range(4)]
        for process in processes:
            go(process)
        errors = [process.communicate(timeout=60)[1] for process in processes]
    assert errors == [""] * 4
    database = Database.open(url)
    written = database.entries("r-1")
    database.close()
    assert len(written) == 4


def test_a_fresh_sqlite_file_is_set_up_by_one_process_at_a_time(tmp_path: Path) -> None:
    """Two at once fail about once in five hundred times, so the door before them is tested and not their luck."""
    url = f"sqlite:///{tmp_path}/erasure.db"
    with another_process("once", url) as process:
        with _door(parsed(url)):
            go(process)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
        assert process.wait(30) == 0


def test_who_opens_waits_for_who_changes_the_schema(url: str) -> None:
    """While one process migrates, the next stands before the door, and then finds the work done."""
    made = engine(parsed(url))
    with another_process("once", url) as process:
        with alone(made) as schema:
            go(process)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
            upgrade(schema)
        assert process.wait(30) == 0
    made.dispose()


def test_a_killed_writer_loses_nothing_it_has_written(url: str) -> None:
    """After kill -9 in the middle, every entry whose write had returned is there, and the next worker can write."""
    with another_process("forever", url) as process:
        assert process.stdout is not None
        go(process)
        told = [process.stdout.readline().strip() for _ in range(50)]
        process.kill()
        told += process.stdout.read().split()
    database = Database.open(url)
    keys = {read.key for read in database.entries("r-1")}
    (paper,) = database.parts("r-1", [PartKind.FINDINGS])
    database.write([entry("after")])
    database.close()
    assert {f"key-{number}" for number in told if number} <= keys
    assert paper.content == f"content {len(keys) - 1}"


@pytest.mark.parametrize("query", ["", "?password=s3cret&connect_timeout=3"])
def test_an_unreachable_postgresql_is_one_sentence(query: str) -> None:
    """It says where, and neither as whom nor with which password."""
    with pytest.raises(LedgerUnavailable) as caught:
        Database.open(f"postgresql://clerk:s3cret@127.0.0.1:1/erasure{query}")
    assert str(caught.value) == "The ledger at 127.0.0.1/erasure cannot be reached (OperationalError)."
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "url", ["no url s3cret", "mysql://clerk:s3cret@host/db", "sqlite://", "postgresql://clerk:s3cret@host:port/db"]
)
def test_other_databases_are_refused(url: str) -> None:
    """A ledger in memory would forget, and an address that cannot be read is not repeated."""
    with pytest.raises(LedgerUnavailable) as caught:
        Database.open(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_postgresql_is_reached_by_our_driver(scheme: str) -> None:
    """Whatever name operations are used to."""
    assert parsed(f"{scheme}://host/db").drivername == "postgresql+psycopg"


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "taken").touch()
    with pytest.raises(LedgerUnavailable, match=r"cannot be created\.$"):
        Database.open(f"sqlite:///{tmp_path}/taken/erasure.db")


def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """It holds what we know of people while their requests are open."""
    Database.open(f"sqlite:///{tmp_path}/var/erasure.db").close()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "var", tmp_path / "var" / "erasure.db")]
    assert modes == [0o700, 0o600]


def test_sqlite_is_set_up_for_several_writers_and_power_cuts(tmp_path: Path) -> None:
    """Write-ahead log, every commit on disk (2 is FULL), deleted rows overwritten."""
    database = Database.open(f"sqlite:///{tmp_path}/erasure.db")
    with database._engine.connect() as raw:
        settings = [
            raw.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "secure_delete", "busy_timeout")
        ]
    database.close()
    assert settings == ["wal", 2, 1, 30_000]


def test_a_newer_schema_is_left_alone(database: Database, url: str) -> None:
    """A worker that was rolled back says so instead of guessing."""
    with database._writing.begin() as raw:
        raw.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerUnavailable, match="newer version"):
        Database.open(url)
