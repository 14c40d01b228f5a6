"""A cancellation that arrives while everything is in motion, on a real Temporal server."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import worker
from activities.messages import Decision
from engine import requests
from engine.client import connect
from engine.requests import Refused
from engine.server import EmbeddedServer
from erasure.systems import SystemEntry
from ledger.stores import Database
from tests.workflows.conftest import ADA, request_for
from tests.workflows.scripted import Scripted, policy_for
from workflows.request import DataSubjectRequestWorkflow as Flow


@pytest.mark.parametrize("after", [0.0, 0.05, 0.1, 0.2, 0.4])
async def test_nothing_is_touched_in_the_moment_of_a_cancellation(
    temporal: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: float
) -> None:
    """Eight systems are searched, planned and about to act: a cancel that is accepted has changed nothing."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.address)
    systems = [Scripted(f"s{number}").holds(ADA, str(number)) for number in range(8)]
    assembly = worker.Assembly(
        policy=policy_for(systems),
        entries={s.name: SystemEntry(name=s.name, connector=s.name) for s in systems},
        systems={s.name: s.treated() for s in systems},
    )
    client, database = await connect(), Database.open(f"sqlite:///{tmp_path}/erasure.db")
    async with AsyncExitStack() as stack:
        for one in worker.build_workers(client, assembly, database):
            await stack.enter_async_context(one)
        request = request_for()
        handle = (await requests.submit(client, request)).handle
        await asyncio.sleep(after)
        try:
            answer = await requests.command(client, request.id, Flow.cancel, Decision(by="intake"))
        except Refused:  # too late: the request goes on, and this test has seen enough of it
            await handle.terminate()
        else:
            assert (await handle.result()).state == "cancelled"
            assert not any(row.done for row in answer.systems)
            assert all(system.records for system in systems)
            assert not any("erase" in system.calls for system in systems)
    database.close()
