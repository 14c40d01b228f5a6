"""A worker that is killed in the worst moment loses nothing and does nothing twice that counts."""

from __future__ import annotations

import asyncio
import json

import pytest

from demo.run import request_json
from engine import requests
from engine.client import connect
from erasure import request as request_file
from erasure.entry import Event
from erasure.outcome import OutcomeKind
from tests.real.conftest import NEIGHBOUR, Plant

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

# The call that destroys: done by the vendor, its answer on the way while the worker dies.
LATE = {
    "mailchimp": {"method": "POST", "path": "delete-permanent"},
    "zendesk": {"method": "DELETE", "path": "/api/v2/"},
    "surveymonkey": {"method": "DELETE", "path": "/v3/"},
}


async def test_killed_between_called_and_recorded(plant: Plant) -> None:
    """SIGKILL after the vendors erased and before the worker could note it: one final outcome each, rightly counted."""
    before = {name: plant.held(name, NEIGHBOUR) for name in plant.vendors}
    had = {name: len(plant.held(name)) for name in LATE}
    for system, call in LATE.items():
        plant.fault(system, kind="late", seconds=60, **call)
    plant.start_worker()
    request = request_file.parse(request_json())
    await requests.submit(await connect(), request)

    await plant.until(request, lambda s: all(r.state == "acting" for r in s.systems if r.system in LATE))
    for _ in range(300):
        if all(len(plant.held(name)) < had[name] or _binned(plant, name) for name in LATE):
            break
        await asyncio.sleep(0.1)
    plant.kill_worker()
    for system in LATE:
        plant.vendors[system].stage.faults.clear()
    plant.start_worker()

    seen = await plant.until(request, lambda s: s.state == "awaiting_sign_off", seconds=300)
    outcomes = {row.system: row.outcome for row in seen.systems}
    assert {outcome.kind for outcome in outcomes.values()} == {OutcomeKind.ERASED}
    assert not [name for name in outcomes["mailchimp"].counts if "already_gone" in name]
    entries = plant.entries(request)
    assert sorted(e.system for e in entries if e.event is Event.CONCLUDED) == sorted(plant.vendors)
    acted = {e.system: e.attempts for e in entries if e.event is Event.ACTED}
    assert all(acted[name] > 1 for name in LATE), "the kill came too late to mean anything"
    assert {name: plant.held(name, NEIGHBOUR) for name in plant.vendors} == before
    assert {kind.split(":")[0] for name in plant.vendors for kind in plant.held(name)} == {"contribution"}


def _binned(plant: Plant, system: str) -> bool:
    """Tell whether the vendor's first delete has been carried out, be it only into a bin."""
    return "deleted" in json.dumps(plant.held(system), default=str)


async def test_the_temporal_server_is_killed_too(plant: Plant, temporal) -> None:  # noqa: ANN001 -- the fixture
    """The server's database file holds everything: after kill -9 and a restart the request goes on."""
    plant.start_worker()
    request = request_file.parse(request_json())
    await requests.submit(await connect(), request)
    await plant.until(request, lambda s: any(r.state in {"acting", "first_look_due"} for r in s.systems))
    temporal.kill()
    await asyncio.sleep(2)
    await temporal.start()
    seen = await plant.until(request, lambda s: s.state == "awaiting_sign_off", seconds=300)
    assert {row.outcome.kind for row in seen.systems} == {OutcomeKind.ERASED}
