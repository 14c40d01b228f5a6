"""Temporal's own floor: the real worker, queues, options and workflow, with activities that do nothing.

Each returns at once what the real activity returned in a real request, so that the workflow takes the same way and
the payloads have the same size. No database, no HTTP. Takes the same options as the real worker, and --answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast
from unittest import mock

from temporalio import activity

import worker
from activities.messages import (
    Acted,
    Case,
    Concluded,
    Conclusion,
    Found,
    Look,
    Planned,
    PlanWanted,
    Search,
    Seen,
    SystemStep,
)
from activities.stores import Stores
from engine.client import connect, quiet_runtime
from erasure.entry import Entry
from erasure.request import DataSubjectRequest

Answers = Mapping[str, Mapping[str, Any]]


class EmptyCase:
    """The steps of a request as a whole, doing nothing."""

    def __init__(self, answers: Answers, *_: object) -> None:
        """Keep the answers; what the real steps are handed is not needed."""
        self._case = Case.model_validate(answers["acknowledge"][""])
        self._plans = {name: Planned.model_validate(plan) for name, plan in answers["plan"].items()}

    @activity.defn
    def acknowledge(self, request: DataSubjectRequest) -> Case:
        """Answer."""
        del request
        return self._case

    @activity.defn
    def plan(self, wanted: PlanWanted) -> list[Planned]:
        """Answer for the systems that are asked about."""
        return [self._plans[name] for name in wanted.turns]

    @activity.defn
    def bury(self, step: SystemStep) -> None:
        """Answer."""

    @activity.defn
    def record(self, entries: list[Entry]) -> None:
        """Answer."""

    @activity.defn
    def tally(self, step: SystemStep) -> Acted:
        """Answer."""
        del step
        return Acted()

    @activity.defn
    def conclude(self, conclusion: Conclusion) -> Concluded:
        """Answer."""
        del conclusion
        return Concluded()

    @activity.defn
    def close(self, request_id: str) -> None:
        """Answer."""


class EmptySystem:
    """The steps in one system, doing nothing."""

    def __init__(self, answers: Answers, *_: object) -> None:
        """Keep the answers; what the real steps are handed is not needed."""
        self._found = {name: Found.model_validate(found) for name, found in answers["discover"].items()}
        self._acted = {name: Acted.model_validate(acted) for name, acted in answers["act"].items()}
        self._confirmed = {name: Acted.model_validate(acted) for name, acted in answers.get("confirm", {}).items()}
        self._seen = {name: Seen.model_validate(seen) for name, seen in answers["verify"].items()}

    @activity.defn(no_thread_cancel_exception=True)
    def discover(self, step: Search) -> Found:
        """Answer."""
        return self._found[step.system]

    @activity.defn(no_thread_cancel_exception=True)
    def act(self, step: SystemStep) -> Acted:
        """Answer."""
        return self._acted[step.system]

    @activity.defn(no_thread_cancel_exception=True)
    def confirm(self, step: SystemStep) -> Acted:
        """Answer."""
        return self._confirmed[step.system]

    @activity.defn(no_thread_cancel_exception=True)
    def verify(self, step: Look) -> Seen:
        """Answer."""
        return self._seen[step.system]


async def _work(assembly: worker.Assembly, answers: Answers) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    client = await connect(quiet_runtime())
    case, system = partial(EmptyCase, answers), partial(EmptySystem, answers)
    with mock.patch.object(worker, "CaseActivities", case), mock.patch.object(worker, "SystemActivities", system):
        await worker.run(client, assembly, cast("Stores", None), stop)


def main() -> None:
    """Work until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m bench.empty")
    for name in ("policy", "systems", "answers"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    places = parser.parse_args()
    worker.configure_logging(as_json=True)
    assembly = worker.assemble(places.policy, places.systems, os.environ)
    asyncio.run(_work(assembly, json.loads(places.answers.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
