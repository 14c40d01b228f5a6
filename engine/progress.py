"""What Temporal knows about steps that are being tried again: which system, how often, why, when next."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflowservice.v1 import ResetActivityRequest
from temporalio.client import Client
from temporalio.service import RPCError

from engine.client import workflow_id


class Trying(BaseModel):
    """A step that is under way or waits for its next attempt; `failure` is the last attempt's, without any value."""

    model_config = ConfigDict(frozen=True)

    system: str
    step: str
    activity_id: str
    attempt: int
    failure: str = ""
    next_attempt_at: datetime | None = None
    running: bool = False


async def trying(client: Client, request_id: str) -> dict[str, Trying]:
    """Return the steps under way in each system; empty when Temporal has nothing to say."""
    try:
        described = await client.get_workflow_handle(workflow_id(request_id)).describe()
    except RPCError:
        return {}
    found: dict[str, Trying] = {}
    for pending in described.raw_description.pending_activities:
        system = pending.activity_options.task_queue.name
        waits = pending.HasField("next_attempt_schedule_time")
        found[system] = Trying(
            system=system,
            step=pending.activity_type.name,
            activity_id=pending.activity_id,
            attempt=pending.attempt,
            failure=pending.last_failure.message,
            next_attempt_at=pending.next_attempt_schedule_time.ToDatetime(UTC) if waits else None,
            running=pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
        )
    return found


async def try_now(client: Client, request_id: str, system: str) -> bool:
    """Let a step that waits for its next attempt be tried at once; False when none of that system waits."""
    step = (await trying(client, request_id)).get(system)
    if step is None or step.running:
        return False
    await client.workflow_service.reset_activity(
        ResetActivityRequest(
            namespace=client.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id(request_id)),
            id=step.activity_id,
        )
    )
    return True
