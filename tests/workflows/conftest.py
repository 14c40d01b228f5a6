"""Temporal's own time-skipping server, the real activities, a real ledger; only the vendors are scripted."""

from __future__ import annotations

import asyncio
import contextlib
import sysconfig
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

import worker
from engine import requests
from engine.client import data_converter
from erasure.entry import Entry, Event
from erasure.request import DataSubjectRequest, Right
from erasure.sentence import BadInput
from erasure.subject import Identifier, Subject
from erasure.systems import SystemEntry
from ledger.stores import Database
from tests.workflows.scripted import Scripted, policy_for
from workflows.request import DataSubjectRequestWorkflow
from workflows.status import SEARCH_ATTRIBUTES, RequestStatus

ADA = "ada@example.org"


def binary(name: str) -> str:
    """Return a server that a package put beside the interpreter."""
    return str(Path(sysconfig.get_path("scripts")) / name)


def request_for(*emails: str) -> DataSubjectRequest:
    """Return a fresh erasure request."""
    return DataSubjectRequest(
        id=str(uuid.uuid4()),
        right=Right.ERASURE,
        submitted_at=datetime(2026, 11, 1, tzinfo=UTC),
        subject=Subject(identifiers=tuple(Identifier.email(email) for email in emails or (ADA,))),
        fingerprint="0" * 64,
    )


class Desk:
    """Scripted systems, a worker, and a request under way."""

    def __init__(self, env: WorkflowEnvironment, client: Client, database: Database) -> None:
        """Start with no request."""
        self.env = env
        self.client = client
        self.database = database
        self.request = request_for()
        self._stack = contextlib.AsyncExitStack()

    async def open(
        self, *systems: Scripted, policy: Any = None, cached: int = worker.CACHED_REQUESTS, **rules: str
    ) -> None:
        """Start workers for these systems."""
        assembly = worker.Assembly(
            policy=policy or policy_for(systems, **rules),
            entries={s.name: SystemEntry(name=s.name, connector=s.name) for s in systems},
            systems={s.name: s.treated() for s in systems},
        )
        for one in worker.build_workers(self.client, assembly, self.database, cached):
            await self._stack.enter_async_context(one)

    async def submit(self, *systems: Scripted, **rules: str) -> requests.Handle:
        """Start workers and a request."""
        await self.open(*systems, **rules)
        return (await requests.submit(self.client, self.request)).handle

    async def close(self) -> None:
        """Stop the workers."""
        await self._stack.aclose()

    async def status(self) -> RequestStatus:
        """Ask the request."""
        return await requests.status_of(self.client, self.request.id)

    async def until(
        self, true: Callable[[RequestStatus], bool], *, step: timedelta = timedelta(minutes=10)
    ) -> RequestStatus:
        """Let time pass until the status is as wanted."""
        for _ in range(2000):
            with contextlib.suppress(BadInput):  # right after a worker's restart nobody answers yet
                seen = await self.status()
                if seen.systems and true(seen):
                    return seen
            await self.env.sleep(step)
            await asyncio.sleep(0.005)
        pytest.fail(f"it never came: {seen}")

    async def tell(self, update: Any, word: Any) -> Any:
        """Send an operator's update."""
        return await requests.command(self.client, self.request.id, update, word)

    async def sign_off(self) -> requests.RequestResult:
        """Wait for completion, sign it off, and return the result."""
        from activities.messages import Decision

        await self.until(lambda seen: seen.state == "awaiting_sign_off", step=timedelta(hours=6))
        await self.tell(DataSubjectRequestWorkflow.confirm, Decision(by="compliance"))
        return await requests.handle_of(self.client, self.request.id).result()

    def entries(self, *events: Event, system: str | None = None) -> list[Entry]:
        """Return ledger entries."""
        all_entries = self.database.entries(self.request.id)
        return [e for e in all_entries if e.event in events and system in {None, e.system}]


@pytest.fixture
def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A ledger on a file."""
    opened = Database.open(f"sqlite:///{tmp_path}/erasure.db")
    yield opened
    opened.close()


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    """A fresh time-skipping server for each test: its clock is one for all workflows."""
    env = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=binary("temporal-test-server"), data_converter=data_converter()
    )
    async with env:
        await register(env.client, SEARCH_ATTRIBUTES)
        made = Desk(env, env.client, database)
        yield made
        await made.close()


async def register(client: Client, keys: Sequence[Any]) -> None:
    """Make the typed search attributes known to a server."""
    types = {key.name: IndexedValueType.ValueType(key.indexed_value_type.value) for key in keys}
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=types)
    )
