"""Ledger, case file and deleted members behind one door."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, date, datetime
from threading import Lock
from typing import Any, Self

from sqlalchemy import Connection, Engine, Row, RowMapping, Table, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from erasure.entry import HANDLE, Entry, Part, PartKind, ReadPurpose, Tombstone
from ledger import connection, overview
from ledger.failures import LedgerRefused, LedgerUnavailable, plain_words
from ledger.migrations import upgrade
from ledger.overview import RequestLine, RequestState
from ledger.tables import case_file, deleted_members, ledger, tombstone_reads

__all__ = ["Database", "LedgerRefused", "LedgerUnavailable", "RequestLine", "RequestState"]

# Both dialects spell "unless it is there" alike; SQLAlchemy keeps the word in each of them.
_INSERT: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


class Database:
    """One database, shared by all threads of a process; every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine whose schema is up to date; `open` sees to that."""
        self._engine = engine
        self._writing = connection.writing(engine)
        self._where = connection.shown(engine.url)
        self._turn: AbstractContextManager[object] = Lock() if engine.dialect.name == "sqlite" else nullcontext()
        new = _INSERT[engine.dialect.name]
        # `inline`: nobody asks for the row's number, so it need not be sent back.
        self._append = new(ledger).inline().on_conflict_do_nothing(index_elements=[ledger.c.key])
        self._bury = new(deleted_members).on_conflict_do_nothing(index_elements=[deleted_members.c.request_id])
        part = new(case_file)
        self._file = part.on_conflict_do_update(
            index_elements=list(case_file.primary_key), set_={"content": part.excluded.content}
        )

    @classmethod
    def open(cls, url: str) -> Self:
        """Connect, and bring the schema up to date; several processes may do this at once.

        Raises:
            LedgerUnavailable: the database cannot be reached, or is newer than this program.
        """
        where = connection.parsed(url)
        engine = connection.engine(where)
        try:
            with plain_words(connection.shown(where)), connection.alone(engine) as schema:
                upgrade(schema)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with plain_words(self._where), self._engine.connect() as reading:
            yield reading

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        # SQLite has one writer: threads that wait here cost nothing, threads that poll its lock do.
        with plain_words(self._where), self._turn, self._writing.begin() as writing:
            yield writing

    def write(self, entries: Sequence[Entry], parts: Sequence[Part] = ()) -> None:
        """Append entries and put papers into the case file, all or nothing; a key written before adds nothing.

        Raises:
            LedgerRefused: a key was written before for another request; the fact would be lost.
        """
        rows = [_entry_row(entry) for entry in entries]
        papers = [_part_row(part) for part in parts]
        with self._write() as writing:
            if rows and writing.execute(self._append, rows).rowcount < len(rows):
                _refuse_anothers_key(writing, entries)
            if papers:
                writing.execute(self._file, papers)

    def entries(self, request_id: str) -> list[Entry]:
        """Return the ledger of one request, oldest first."""
        query = select(ledger).where(ledger.c.request_id == request_id).order_by(ledger.c.number)
        with self._read() as reading:
            return [_entry(row) for row in reading.execute(query).mappings()]

    def requests(self) -> list[RequestLine]:
        """Return every request with its state, newest first."""
        with self._read() as reading:
            return [overview.line(row) for row in reading.execute(overview.lines())]

    def parts(self, request_id: str, kinds: Sequence[PartKind], system: str | None = None) -> list[Part]:
        """Return papers of an open case, of one system or of all."""
        query = select(case_file).where(case_file.c.request_id == request_id, case_file.c.kind.in_(kinds))
        if system is not None:
            query = query.where(case_file.c.system == system)
        with self._read() as reading:
            return [_part(row) for row in reading.execute(query.order_by(case_file.c.system, case_file.c.kind))]

    def destroy_case_file(self, request_id: str) -> int:
        """Destroy the papers of a case; returns how many there were."""
        with self._write() as writing:
            destroyed = writing.execute(delete(case_file).where(case_file.c.request_id == request_id)).rowcount
        self._forget()
        return destroyed

    def bury(self, tombstone: Tombstone) -> None:
        """Write a tombstone; a second one for the same request changes nothing."""
        with self._write() as writing:
            writing.execute(self._bury, tombstone.model_dump())

    def read_tombstone(self, request_id: str, purpose: ReadPurpose, by: str) -> Tombstone | None:
        """Return a tombstone that has not expired, and log who asked for it and why, also when there is none.

        Raises:
            ValueError: the purpose is not one that the policy allows, or `by` is not a staff handle.
        """
        if not re.fullmatch(HANDLE, by):
            raise ValueError("a tombstone is read under a staff handle")
        now = datetime.now(UTC)
        log = {"request_id": request_id, "purpose": ReadPurpose(purpose).value, "by": by, "at": now}
        query = select(deleted_members).where(
            deleted_members.c.request_id == request_id, deleted_members.c.expires_on > now.date()
        )
        with self._write() as writing:
            writing.execute(insert(tombstone_reads).inline(), log)
            found = writing.execute(query).mappings().one_or_none()
        return None if found is None else Tombstone(**found)

    def expire_tombstones(self, today: date) -> int:
        """Delete the tombstones whose day has come; returns how many there were."""
        with self._write() as writing:
            expired = writing.execute(delete(deleted_members).where(deleted_members.c.expires_on <= today)).rowcount
        self._forget()
        return expired

    def _forget(self) -> None:
        with plain_words(self._where):
            connection.forget(self._engine)


def _refuse_anothers_key(writing: Connection, entries: Sequence[Entry]) -> None:
    """Raise LedgerRefused when a key that was passed over stands for another request's fact."""
    owner = {entry.key: entry.request_id for entry in entries}
    query = select(ledger.c.key, ledger.c.request_id).where(ledger.c.key.in_(owner))
    if any(owner[key] != request_id for key, request_id in writing.execute(query)):
        raise LedgerRefused("An entry's key was already used for another request.")


def _entry_row(entry: Entry) -> dict[str, Any]:
    row = entry.model_dump(mode="json")
    return row | {"at": entry.at, "counts": _json(row["counts"]), "detail": _json(row["detail"])}


def _json(value: dict[str, Any]) -> str:
    """Return the one way to write a value down, so that equal entries are equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _entry(row: RowMapping) -> Entry:
    fields = {name: value for name, value in row.items() if name != "number"}
    return Entry(**fields | {"counts": json.loads(row["counts"]), "detail": json.loads(row["detail"])})


def _part_row(part: Part) -> dict[str, Any]:
    return part.model_dump(mode="json") | {"content": part.content.encode()}


def _part(row: Row[Any]) -> Part:
    return Part(**row._asdict() | {"content": row.content.decode()})
