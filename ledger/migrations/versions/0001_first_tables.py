"""First tables: ledger, case file, deleted members, and the log of who read a tombstone.

There is no downgrade: it would delete what must never be deleted.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_LEDGER_TEXT = 'key || request_id || system || counts || reason || version || "by" || detail'
_READS_TEXT = 'request_id || "by"'
_APPEND_ONLY = {"ledger": "key", "tombstone_reads": "number"}


def upgrade() -> None:
    """Create the tables, then the triggers that keep two of them append-only."""
    _create_ledger()
    _create_case_file()
    _create_deleted_members()
    _create_tombstone_reads()
    if op.get_bind().dialect.name == "sqlite":
        for table, identity in _APPEND_ONLY.items():
            _guard_on_sqlite(table, identity)
    else:
        _guard_on_postgresql()


def _create_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("number", _NUMBER, sa.Identity(always=True), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("counts", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("evidence", sa.SmallInteger),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False, quote=True),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="ledger_pk"),
        sa.UniqueConstraint("key", name="ledger_key"),
        sa.CheckConstraint(f"replace({_LEDGER_TEXT}, '@', '') = {_LEDGER_TEXT}", name="ledger_holds_no_address"),
    )
    op.create_index("ledger_by_request", "ledger", ["request_id", "system"])


def _create_case_file() -> None:
    op.create_table(
        "case_file",
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("request_id", "system", "kind", name="case_file_pk"),
    )


def _create_deleted_members() -> None:
    op.create_table(
        "deleted_members",
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("openstackid", sa.Text, nullable=False),
        sa.Column("expires_on", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("request_id", name="deleted_members_pk"),
    )


def _create_tombstone_reads() -> None:
    op.create_table(
        "tombstone_reads",
        sa.Column("number", _NUMBER, sa.Identity(always=True), nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False, quote=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name="tombstone_reads_pk"),
        sa.CheckConstraint("purpose IN ('track_compliance', 'answer_communication')", name="only_two_purposes"),
        sa.CheckConstraint(f"replace({_READS_TEXT}, '@', '') = {_READS_TEXT}", name="tombstone_reads_hold_no_address"),
    )


def _guard_on_sqlite(table: str, identity: str) -> None:
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_refuses_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    # INSERT OR REPLACE deletes the old row without asking a DELETE trigger; so the new row is passed over instead.
    there = f"SELECT 1 FROM {table} WHERE {identity} = NEW.{identity} OR number = NEW.number"  # noqa: S608 -- our names
    op.execute(
        f"CREATE TRIGGER {table}_keeps_what_it_has BEFORE INSERT ON {table} "
        f"WHEN EXISTS ({there}) BEGIN SELECT RAISE(IGNORE); END"
    )


def _guard_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in _APPEND_ONLY:
        # Once per statement: TRUNCATE knows no other way, and a change of no rows is refused as well.
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
