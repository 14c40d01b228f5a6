"""What Alembic runs for each command; the connection is handed in, its transaction belongs to the caller."""

from __future__ import annotations

from alembic import context

from ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
