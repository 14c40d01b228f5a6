"""The daily round, started by a Temporal schedule."""

from __future__ import annotations

from temporalio import workflow

from workflows.times import NOTE, OWN

with workflow.unsafe.imports_passed_through():
    from activities.housekeeping import HousekeepingActivities


@workflow.defn(name="Housekeeping")
class HousekeepingWorkflow:
    """Keeps the promise that a deleted-members record does not outlive its retention time."""

    @workflow.run
    async def run(self) -> int:
        """Return how many records were removed."""
        return await workflow.execute_activity_method(
            HousekeepingActivities.expire_tombstones,
            start_to_close_timeout=NOTE,
            retry_policy=OWN,
            summary="deleted members: remove what has expired",
        )
