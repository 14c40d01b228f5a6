"""The worker process, and the only place that builds and joins things."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import logging
import os
import re
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
from pydantic import ValidationError
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

import connectors
from activities.case import CaseActivities
from activities.housekeeping import HousekeepingActivities
from activities.pulse import Pulse
from activities.stores import Stores
from activities.system import SystemActivities, TreatedSystem
from engine.client import REQUESTS_QUEUE
from engine.schedules import ensure_housekeeping
from erasure import policy as policy_file
from erasure import systems as systems_file
from erasure.policy import Policy
from erasure.sentence import BadInput, first_fault
from erasure.systems import SystemEntry
from workflows.housekeeping import HousekeepingWorkflow
from workflows.request import DataSubjectRequestWorkflow

_PULSE_SECONDS = 10.0
_GRACE = timedelta(seconds=45)  # longer than any one network operation, so that no call is cut in the middle
# Waiting requests cost no memory: whatever is not at work right now is replayed when it wakes.
CACHED_REQUESTS = 100
_CONCURRENT_WORKFLOW_TASKS = 20  # after a crash, many replays at once would time each other out
_CASE_THREADS = 8
# What a workflow module imports is loaded anew for each request unless it is passed through; these hold no state.
RESTRICTIONS = SandboxRestrictions.default.with_passthrough_modules("erasure", "activities", "structlog")
_ADDRESS = re.compile(r"[^\s\"'<>=&?/]+(@|%40)[^\s\"'<>&/]+", re.IGNORECASE)


@dataclass(frozen=True)
class Assembly:
    """Everything that policy.toml and systems.toml say, checked against each other and against the connectors."""

    policy: Policy
    entries: Mapping[str, SystemEntry]
    systems: Mapping[str, TreatedSystem]


def assemble(policy_path: Path, systems_path: Path, environ: Mapping[str, str]) -> Assembly:
    """Read both files and build what they describe.

    Raises:
        BadInput: one sentence about the first thing that is missing, undecided or unknown.
    """
    policy = policy_file.parse(_read(policy_path))
    entries = systems_file.parse(_read(systems_path), environ)
    systems = {name: _treated(entry) for name, entry in entries.items()}
    policy_file.refuse_gaps(policy, {name: system.card for name, system in systems.items()})
    return Assembly(policy=policy, entries=entries, systems=systems)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise BadInput(f"{path.name} cannot be read at {path}") from None


def _treated(entry: SystemEntry) -> TreatedSystem:
    try:
        connector = connectors.load(entry.connector)
        settings = connector.Settings(**entry.settings)
    except LookupError as error:
        raise BadInput(f"systems.toml: {entry.name}: {error.args[0]}") from None
    except ValidationError as error:
        raise BadInput(f"systems.toml: {entry.name}: {first_fault(error)}") from None
    source = inspect.getsource(sys.modules[connector.__module__])
    return TreatedSystem(
        card=connector.card,
        open=partial(connector.open, settings),
        version=hashlib.sha256(source.encode()).hexdigest()[:12],
        poll_every=timedelta(seconds=settings.poll_every),
    )


def build_workers(
    client: Client, assembly: Assembly, stores: Stores, cached_requests: int = CACHED_REQUESTS
) -> list[Worker]:
    """Return one worker for the requests, and one for each system with a queue and threads of its own.

    A queue per system lets ops see, slow down or pause one vendor without touching the others.
    """
    case = CaseActivities(assembly.policy, assembly.systems, stores)
    steps = SystemActivities(assembly.systems, stores, Pulse(_PULSE_SECONDS))
    requests = Worker(
        client,
        task_queue=REQUESTS_QUEUE,
        workflows=[DataSubjectRequestWorkflow, HousekeepingWorkflow],
        workflow_runner=SandboxedWorkflowRunner(restrictions=RESTRICTIONS),
        activities=[
            *(case.acknowledge, case.plan, case.bury, case.record, case.tally, case.conclude, case.close),
            HousekeepingActivities(stores).expire_tombstones,
        ],
        activity_executor=ThreadPoolExecutor(_CASE_THREADS, "case"),
        max_concurrent_activities=_CASE_THREADS,
        max_cached_workflows=cached_requests,
        max_concurrent_workflow_tasks=_CONCURRENT_WORKFLOW_TASKS,
        graceful_shutdown_timeout=_GRACE,
    )
    return [requests, *(_system_worker(client, entry, steps) for entry in assembly.entries.values())]


def _system_worker(client: Client, entry: SystemEntry, steps: SystemActivities) -> Worker:
    return Worker(
        client,
        task_queue=entry.name,
        activities=[steps.discover, steps.act, steps.confirm, steps.verify],
        activity_executor=ThreadPoolExecutor(entry.parallel, entry.name),
        max_concurrent_activities=entry.parallel,
        graceful_shutdown_timeout=_GRACE,
    )


async def run(client: Client, assembly: Assembly, stores: Stores, stop: asyncio.Event) -> None:
    """Work until `stop`; then let what is under way come to its end."""
    await ensure_housekeeping(client)
    async with AsyncExitStack() as stack:
        for worker in build_workers(client, assembly, stores):
            await stack.enter_async_context(worker)
        structlog.get_logger().info("worker ready", systems=sorted(assembly.systems), pid=os.getpid())
        await stop.wait()


def _without_addresses(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Take anything that looks like an address out of a log line: the last net below all others."""
    cleaned = {k: _ADDRESS.sub("[address]", v) if isinstance(v, str) else v for k, v in event.items()}
    event.update(cleaned)
    return event


def configure_logging(*, as_json: bool) -> None:
    """Send every log line of this process, also Temporal's, through one formatter to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_addresses,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if not as_json:
        renderer = structlog.dev.ConsoleRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_addresses, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    # The SDK logs whole tracebacks of workflow and activity failures; their texts are ours and hold no values,
    # but the lines of retries that Temporal shows anyway would drown everything else.
    logging.getLogger("temporalio.activity").setLevel(logging.ERROR)
