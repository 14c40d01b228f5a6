"""What Temporal starts by the clock."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleSpec,
)

from engine.client import REQUESTS_QUEUE
from workflows.housekeeping import HousekeepingWorkflow

HOUSEKEEPING = "housekeeping"


async def ensure_housekeeping(client: Client) -> None:
    """Create the daily round if this namespace does not have it yet; an existing one stays as ops have set it."""
    action = ScheduleActionStartWorkflow(HousekeepingWorkflow.run, id=HOUSEKEEPING, task_queue=REQUESTS_QUEUE)
    spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=1))])
    with contextlib.suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(HOUSEKEEPING, Schedule(action=action, spec=spec))
