"""The daily round, by a real Temporal schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.client import connect
from engine.schedules import HOUSEKEEPING, ensure_housekeeping
from erasure.entry import ReadPurpose, Tombstone
from ledger.stores import Database
from tests.real.conftest import Plant

pytestmark = pytest.mark.slow


async def test_expired_tombstones_are_removed_by_the_schedule(plant: Plant) -> None:
    """A worker creates the schedule once; its run removes what has expired and leaves the rest."""
    plant.start_worker()
    client = await connect()
    await ensure_housekeeping(client)  # a second time changes nothing
    database = Database.open(plant.database_url)
    today = datetime.now(UTC).date()
    for request, expires_on in (("old", today - timedelta(days=1)), ("new", today + timedelta(days=1))):
        database.bury(
            Tombstone(request_id=request, name="N", email="n@example.org", openstackid="1", expires_on=expires_on)
        )
    await client.get_schedule_handle(HOUSEKEEPING).trigger()
    async for run in _runs(client):
        assert await client.get_workflow_handle(run).result() in {0, 1}
    assert database.read_tombstone("old", ReadPurpose.TRACK_COMPLIANCE, "tester") is None
    assert database.read_tombstone("new", ReadPurpose.TRACK_COMPLIANCE, "tester") is not None
    database.close()


async def _runs(client):  # noqa: ANN001, ANN202 -- ids of the rounds that the schedule has started
    import asyncio

    for _ in range(100):
        described = await client.get_schedule_handle(HOUSEKEEPING).describe()
        if described.info.recent_actions:
            break
        await asyncio.sleep(0.1)
    for action in described.info.recent_actions:
        yield action.action.workflow_id
