"""A real Temporal dev server, the pretend vendors over HTTP, and the worker as the process it is in production."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from demo.run import policy_toml, systems_toml
from engine import requests
from engine.client import connect
from engine.progress import try_now, trying
from engine.server import EmbeddedServer, Ports
from erasure.request import DataSubjectRequest
from ledger.stores import Database
from simulators.__main__ import names, vendor
from simulators._frame import Fault, Person, Running
from workflows.status import SEARCH_ATTRIBUTES, RequestStatus

ROOT = Path(__file__).resolve().parents[2]
PERSON = Person("Ada", "Quillfeather", ("ada.quillfeather@example.org", "ada@second.example"), "90210")
NEIGHBOUR = Person("Bo", "Tillerman", ("bo.tillerman@example.org",), "90211")


@pytest.fixture(scope="session")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """One server with a database file for the session."""
    database = tmp_path_factory.mktemp("temporal") / "temporal.db"
    server = EmbeddedServer(SEARCH_ATTRIBUTES, database, Ports.free())
    asyncio.run(server.start())
    yield server
    server.stop()


@pytest.fixture(scope="session")
def vendors() -> Iterator[Mapping[str, Running]]:
    """Every pretend vendor, in this process, so that a test can look inside."""
    running = {name: Running(vendor(name)) for name in names()}
    for one in running.values():
        one.__enter__()
    yield running
    for one in running.values():
        one.__exit__()


class Plant:
    """The whole thing at work: files, database, worker process, client."""

    def __init__(self, folder: Path, temporal: EmbeddedServer, vendors: Mapping[str, Running]) -> None:
        """Write the files; nothing runs yet."""
        self.folder = folder
        self.vendors = vendors
        told = {name: {"base_url": one.url, **one.stage.vendor.credentials} for name, one in vendors.items()}
        text, self.secrets = systems_toml(told)
        (folder / "systems.toml").write_text(text, encoding="utf-8")
        (folder / "policy.toml").write_text(policy_toml(), encoding="utf-8")
        self.database_url = f"sqlite:///{folder}/erasure.db"
        self.environ = {**os.environ, **self.secrets, "TEMPORAL_ADDRESS": temporal.address}
        self.places = ["--policy", f"{folder}/policy.toml", "--systems", f"{folder}/systems.toml"]
        self.places += ["--database", self.database_url]
        self.worker: subprocess.Popen[bytes] | None = None
        for one in vendors.values():
            one.stage.reset()
            one.stage.vendor.seed(PERSON)
            one.stage.vendor.seed(NEIGHBOUR)

    def start_worker(self) -> None:
        """Start the worker process and wait until it works."""
        log = self.folder / f"worker-{time.monotonic_ns()}.log"
        with log.open("wb") as opened:
            command = [sys.executable, str(ROOT / "cli.py"), *self.places, "worker", "--log-json"]
            self.worker = subprocess.Popen(command, env=self.environ, stdout=opened, stderr=opened)
        for _ in range(600):
            if "worker ready" in log.read_text():
                return
            assert self.worker.poll() is None, log.read_text()
            time.sleep(0.1)
        pytest.fail("the worker did not start")

    def kill_worker(self) -> None:
        """End it as a power cut would."""
        assert self.worker
        self.worker.send_signal(signal.SIGKILL)
        self.worker.wait()
        self.worker = None

    def stop(self) -> None:
        """End the worker in order."""
        if self.worker:
            self.worker.terminate()
            self.worker.wait(timeout=60)

    def run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the `erasure` command."""
        command = [sys.executable, str(ROOT / "cli.py"), *self.places, *arguments]
        return subprocess.run(
            command, env=self.environ, input=stdin, capture_output=True, text=True, timeout=120, check=False
        )

    def fault(self, system: str, **details: Any) -> None:
        """Let a vendor's next matching call go wrong."""
        self.vendors[system].stage.faults.append(Fault(**details))

    def held(self, system: str, person: Person = PERSON) -> dict[str, Any]:
        """Return what a vendor holds about a person."""
        return self.vendors[system].stage.vendor.holdings(person)

    def entries(self, request: DataSubjectRequest) -> list[Any]:
        """Return the ledger of a request."""
        database = Database.open(self.database_url)
        found = database.entries(request.id)
        database.close()
        return found

    async def until(self, request: DataSubjectRequest, true: Any, seconds: float = 150) -> RequestStatus:
        """Wait in real time until the request's status is as wanted; what takes vendors days is hurried along."""
        client = await connect()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            seen = await requests.status_of(client, request.id)
            if true(seen):
                return seen
            await self._hurry(client, seen)
            await asyncio.sleep(0.2)
        pytest.fail(f"it never came: {[(row.system, row.state, row.reason) for row in seen.systems]}")

    async def _hurry(self, client: Client, seen: RequestStatus) -> None:
        """Move the clock of a vendor that is waited for, and let a far-off attempt come now, as an operator would."""
        steps = await trying(client, seen.request_id)
        soon = datetime.now(UTC) + timedelta(seconds=40)
        for row in seen.systems:
            step = steps.get(row.system)
            far = step and step.next_attempt_at and step.next_attempt_at > soon
            if far or row.state in {"confirming", "first_look_due"}:
                self.vendors[row.system].stage.vendor.clock.advance(86_400 if far else 600)
            if far:
                await try_now(client, seen.request_id, row.system)


@pytest.fixture
async def plant(
    tmp_path: Path, temporal: EmbeddedServer, vendors: Mapping[str, Running], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Plant]:
    """A plant without a worker; it ends with the test."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.address)
    made = Plant(tmp_path, temporal, vendors)
    yield made
    made.stop()
    client = await connect()
    async for left in client.list_workflows("ExecutionStatus = 'Running'"):  # it would wake in the next test
        await client.get_workflow_handle(left.id).terminate()
