"""Start everything, hand in a request, watch it, show what was done, clean up."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.rule import Rule
from temporalio.client import Client

from activities.messages import Decision
from engine import requests
from engine.client import connect, quiet_runtime, workflow_id
from engine.progress import Trying
from engine.server import Ports, local_server
from erasure import request as request_file
from erasure.request import DataSubjectRequest
from erasure.sentence import BadInput
from ledger.stores import Database
from report import facts, render
from terminal import tables
from terminal.live import watching
from workflows.request import DataSubjectRequestWorkflow
from workflows.status import RequestStatus, SystemState

_HERE = Path(__file__).resolve().parent.parent
PERSON = {
    "first_name": "Ada",
    "last_name": "Quillfeather",
    "emails": ["ada.quillfeather@example.org", "ada@second.example"],
    "openstackid": "90210",
}
NEIGHBOUR = {
    "first_name": "Bo",
    "last_name": "Tillerman",
    "emails": ["bo.tillerman@example.org"],
    "openstackid": "90211",
}
# Zendesk answers "too fast" twice to the first delete, and names how long to wait.
FAULT = {"kind": "refusal", "status": 429, "headers": {"Retry-After": "3"}, "times": 2, "method": "DELETE"}
_FAILING = "zendesk"
_SHORT_TIMES = {"patience": "20 seconds", "first_look": "4 seconds", "second_look": "4 seconds"}
_TWO_DAYS = timedelta(days=2).total_seconds()
_TEN_MINUTES = timedelta(minutes=10).total_seconds()


class Vendors:
    """The pretend vendors' process and their control endpoints."""

    def __init__(self, process: subprocess.Popen[str], told: Mapping[str, dict[str, str]]) -> None:
        """Keep what they told when they were ready."""
        self._process = process
        self.told = told
        self._moved: set[str] = set()

    @classmethod
    def start(cls) -> Vendors:
        """Start them and wait until they listen."""
        process = subprocess.Popen(
            [sys.executable, "-m", "simulators"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_HERE
        )
        assert process.stdout is not None  # noqa: S101 -- it was asked for
        line = process.stdout.readline()
        if not line:
            raise BadInput("the pretend vendors did not start")
        return cls(process, json.loads(line))

    def control(self, system: str, what: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- JSON
        """Give a vendor a command."""
        url = f"{self.told[system]['base_url']}/__control__/{what}"
        return httpx.post(url, json=body, timeout=10).raise_for_status().json()

    def held(self, person: Mapping[str, Any]) -> dict[str, int]:
        """Return how much each vendor still holds about a person, bins and archives included."""
        return {name: len(self.control(name, "holdings", person)["holdings"]) for name in self.told}

    def let_time_pass(self, status: RequestStatus) -> None:
        """Move the vendors' own clocks, so that what takes them hours or days in truth takes seconds here."""
        for row in status.systems:
            if row.state is SystemState.CONFIRMING:
                self.control(row.system, "steer", {"advance_seconds": _TEN_MINUTES})
            if row.state is SystemState.FIRST_LOOK_DUE and row.system not in self._moved:
                self._moved.add(row.system)
                self.control(row.system, "steer", {"advance_seconds": _TWO_DAYS})

    def stop(self) -> None:
        """End them: they end with their standard input."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(timeout=15)


def systems_toml(told: Mapping[str, dict[str, str]]) -> tuple[str, dict[str, str]]:
    """Return a systems.toml for the pretend vendors, and the environment with their secrets."""
    lines, environ = [], {}
    for system, settings in told.items():
        lines += [f"[systems.{system}]", "poll_every = 1", f'base_url = "{settings["base_url"]}"']
        for key, value in settings.items():
            if key != "base_url":
                variable = f"DEMO_{system}_{key}".upper()
                lines.append(f'{key}_env = "{variable}"')
                environ[variable] = value
    return "\n".join(lines), environ


def policy_toml() -> str:
    """Return the project's policy.toml with waits of seconds instead of days."""
    text = (_HERE / "policy.toml").read_text(encoding="utf-8")
    for key, value in _SHORT_TIMES.items():
        text = re.sub(rf'^{key} = "[^"]*"', f'{key} = "{value}"', text, flags=re.MULTILINE)
    return text


def request_json() -> str:
    """Return a request that names only one of the person's two addresses."""
    body = {
        "regulation": "gdpr",
        "subject_request_id": str(uuid.uuid4()),
        "subject_request_type": "erasure",
        "submitted_time": (datetime.now(UTC) - timedelta(days=2)).isoformat(timespec="seconds"),
        "subject_identities": [{"identity_type": "email", "identity_value": PERSON["emails"][0]}],
        "extensions": {"openinfra.dev": {"erasure_ground": "17(1)(b)"}},
    }
    return json.dumps(body, indent=2)


async def show(out: Console, *, wait: bool) -> int:
    """Run the demo; returns the exit code."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="erasure-demo-")))
        out.print(Rule("1. Pretend vendors, a real Temporal server, a worker"))
        vendors = Vendors.start()
        stack.callback(vendors.stop)
        ports = Ports.free()
        async with local_server(folder / "temporal.db", wanted=True, ports=ports) as ui:
            os.environ["TEMPORAL_ADDRESS"] = f"127.0.0.1:{ports.grpc}"
            database = f"sqlite:///{folder}/erasure.db"
            worker = _start_worker(folder, vendors, database)
            stack.callback(_stop, worker)
            await _ready(worker, folder / "worker.log")
            out.print(f"Temporal Web UI: [bold]{ui}[/bold]   worker: process {worker.pid}")
            return await _story(out, vendors, database, ui, wait=wait)


def _start_worker(folder: Path, vendors: Vendors, database: str) -> subprocess.Popen[bytes]:
    text, secrets = systems_toml(vendors.told)
    (folder / "systems.toml").write_text(text, encoding="utf-8")
    (folder / "policy.toml").write_text(policy_toml(), encoding="utf-8")
    places = ["--policy", f"{folder}/policy.toml", "--systems", f"{folder}/systems.toml", "--database", database]
    with (folder / "worker.log").open("wb") as log:  # a pipe that nobody reads would freeze the worker one day
        return subprocess.Popen(  # noqa: S603 -- our own command
            [sys.executable, str(_HERE / "cli.py"), *places, "worker", "--log-json"],
            env={**os.environ, **secrets},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


async def _ready(worker: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the worker works.

    Raises:
        BadInput: it ended; the sentence is its own last one.
    """
    while "worker ready" not in (said := await asyncio.to_thread(log.read_text, encoding="utf-8")):
        if worker.poll() is not None:
            raise BadInput(f"the worker did not start: {said.strip().splitlines()[-1]}")
        await asyncio.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()


async def _story(out: Console, vendors: Vendors, database: str, ui: str, *, wait: bool) -> int:
    neighbour = _people(out, vendors)
    client = await connect(quiet_runtime())
    request = await _hand_in(out, client, ui)
    await _work(out, client, request.id, vendors)
    await _sign_off(out, client, request.id, database)
    clean = _what_is_left(out, vendors, neighbour)
    if wait:
        out.print(f"[bold]{ui}[/bold] stays open; press Enter to clean up")
        await asyncio.to_thread(sys.stdin.readline)
    return 0 if clean else 1


def _people(out: Console, vendors: Vendors) -> dict[str, int]:
    """Store two people with every vendor; returns what each vendor holds about the neighbour."""
    for name in vendors.told:
        for person in (PERSON, NEIGHBOUR):
            vendors.control(name, "seed", person)
    vendors.control(_FAILING, "faults", FAULT)
    out.print(f"{PERSON['first_name']} {PERSON['last_name']} is known in: {_numbers(vendors.held(PERSON))}")
    return vendors.held(NEIGHBOUR)


async def _hand_in(out: Console, client: Client, ui: str) -> DataSubjectRequest:
    out.print(Rule("2. The request"))
    parsed = request_file.parse(request_json())
    await requests.submit(client, parsed)
    out.print(f"handed in with one of two addresses; {_FAILING} will fail twice on the way")
    out.print(f"in the Temporal UI: {ui}/namespaces/{client.namespace}/workflows/{workflow_id(parsed.id)}")
    return parsed


async def _work(out: Console, client: Client, request_id: str, vendors: Vendors) -> None:
    out.print(Rule("3. Systems at work"))
    failures = Failures()
    with Live(console=out, auto_refresh=False) as live:
        async for status, steps in watching(client, request_id, 0.5):
            vendors.let_time_pass(status)
            failures.say(out, steps)
            live.update(tables.request_view(status, steps, tables.now()), refresh=True)


async def _sign_off(out: Console, client: Client, request_id: str, database: str) -> None:
    out.print(Rule("4. Compliance signs off"))
    await requests.command(client, request_id, DataSubjectRequestWorkflow.confirm, Decision(by="compliance.demo"))
    await requests.handle_of(client, request_id).result()
    ledger = Database.open(database)
    report = facts.completion_report(ledger.entries(request_id), tables.now())
    ledger.close()
    page = _write(render.as_html(report))
    out.print(Markdown(_beginning(render.as_markdown(report))))
    out.print(f"the whole report, with every system in detail: [bold]{page}[/bold]")


def _what_is_left(out: Console, vendors: Vendors, neighbour: Mapping[str, int]) -> bool:
    """Show what the vendors hold at the end; tells whether that is what the policy says."""
    out.print(Rule("5. What the vendors hold now"))
    left = vendors.held(PERSON)
    out.print(f"about {PERSON['first_name']}: {_numbers(left)} (her name on contributions, by the privacy policy)")
    same = vendors.held(NEIGHBOUR) == neighbour
    verdict = "everything, as before" if same else "SOMETHING IS MISSING"
    out.print(f"about {NEIGHBOUR['first_name']}, her neighbour: {verdict}")
    return same and {name for name, count in left.items() if count} <= {"member_database"}


def _write(text: str) -> Path:
    page = _HERE / "var" / "demo-report.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text(text, encoding="utf-8")
    return page.relative_to(Path.cwd()) if page.is_relative_to(Path.cwd()) else page


def _beginning(report: str) -> str:
    """Return a report without the details of each system."""
    return report.partition("\n### ")[0]


class Failures:
    """Says each failed attempt once, as it happens."""

    def __init__(self) -> None:
        """Nothing has been said."""
        self._said: set[tuple[str, str, int]] = set()

    def say(self, out: Console, steps: Mapping[str, Trying]) -> None:
        """Print what failed since the last look."""
        for step in steps.values():
            mark = (step.system, step.step, step.attempt)
            if step.failure and mark not in self._said:
                self._said.add(mark)
                out.print(f"[yellow]{step.failure}[/yellow]: Temporal makes attempt {step.attempt}", highlight=False)


def _numbers(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
