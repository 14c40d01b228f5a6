"""The tables, as SQLAlchemy Core sees them; `migrations` builds them and adds the triggers.

Text columns carry no length: the models of `erasure.entry` decide about shape. What a mistake elsewhere must never
get past stands here as a CHECK: no address in the ledger or in the read log, no third purpose for a tombstone.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
)

metadata = MetaData(
    naming_convention={"pk": "%(table_name)s_pk", "uq": "%(table_name)s_%(column_0_name)s", "ck": "%(constraint_name)s"}
)


class Instant(TypeDecorator[datetime]):
    """A moment in UTC. SQLite forgets the zone and PostgreSQL answers in the session's: both come back as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse a time whose zone nobody knows."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be written down")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Put the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite numbers rows by itself only in a column that is exactly INTEGER.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

ledger = Table(
    "ledger",
    metadata,
    Column("number", _NUMBER, Identity(always=True), primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("request_id", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("event", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("counts", Text, nullable=False),  # JSON
    Column("outcome", Text),
    Column("evidence", SmallInteger),
    Column("reason", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("by", Text, nullable=False, quote=True),
    Column("detail", Text, nullable=False),  # JSON
    # `replace` and not `LIKE`: the percent sign means something else to each driver.
    CheckConstraint(
        "replace(key || request_id || system || counts || reason || version || \"by\" || detail, '@', '')"
        ' = key || request_id || system || counts || reason || version || "by" || detail',
        name="ledger_holds_no_address",
    ),
    Index("ledger_by_request", "request_id", "system"),
)

case_file = Table(
    "case_file",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("system", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),  # bytes, so that sealed content fits without a change
)

# Exactly what the privacy policy allows (Part X), the request, and when it ends. Nothing may be added.
deleted_members = Table(
    "deleted_members",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("openstackid", Text, nullable=False),
    Column("expires_on", Date, nullable=False),
)

tombstone_reads = Table(
    "tombstone_reads",
    metadata,
    Column("number", _NUMBER, Identity(always=True), primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("by", Text, nullable=False, quote=True),
    Column("at", Instant, nullable=False),
    CheckConstraint("purpose IN ('track_compliance', 'answer_communication')", name="only_two_purposes"),
    CheckConstraint(
        "replace(request_id || \"by\", '@', '') = request_id || \"by\"", name="tombstone_reads_hold_no_address"
    ),
)
