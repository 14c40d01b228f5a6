"""What Temporal keeps of a request: events and bytes, and what each activity returned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from engine.client import REQUESTS_QUEUE, data_converter, workflow_id


@dataclass(frozen=True)
class History:
    """One request's history in numbers.

    `system_steps` are the activities on the systems' own queues; `retried` counts attempts beyond the first.
    """

    events: int
    bytes: int
    activities: int
    system_steps: int
    workflow_tasks: int
    timers: int
    retried: int


async def _events(address: str, request_id: str) -> list[HistoryEvent]:
    client = await Client.connect(address, data_converter=data_converter())
    return list((await client.get_workflow_handle(workflow_id(request_id)).fetch_history()).events)


async def measured(address: str, request_ids: Iterable[str]) -> list[History]:
    """Return the histories of these requests."""
    return [_measured(await _events(address, request_id)) for request_id in request_ids]


def _measured(events: list[HistoryEvent]) -> History:
    kinds = [event.event_type for event in events]
    asked = [e.activity_task_scheduled_event_attributes for e in events if e.event_type == _SCHEDULED]
    started = [e.activity_task_started_event_attributes for e in events if e.event_type == _STARTED]
    return History(
        events=len(events),
        bytes=sum(event.ByteSize() for event in events),
        activities=len(asked),
        system_steps=sum(one.task_queue.name != REQUESTS_QUEUE for one in asked),
        workflow_tasks=kinds.count(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED),
        timers=kinds.count(EventType.EVENT_TYPE_TIMER_STARTED),
        retried=sum(one.attempt - 1 for one in started),
    )


_SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
_STARTED = EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
_COMPLETED = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED


async def answers(address: str, request_id: str) -> dict[str, dict[str, Any]]:
    """Return what each activity of a request returned, by its name and its system ("" for the request's own)."""
    events = await _events(address, request_id)
    asked = {e.event_id: e.activity_task_scheduled_event_attributes for e in events if e.event_type == _SCHEDULED}
    found: dict[str, dict[str, Any]] = {}
    for event in (e for e in events if e.event_type == _COMPLETED):
        done = event.activity_task_completed_event_attributes
        step = asked[done.scheduled_event_id]
        result, argument = await _read(done.result.payloads), await _read(step.input.payloads)
        of_step = found.setdefault(step.activity_type.name, {})
        if step.activity_type.name == "plan":
            of_step |= {plan["system"]: plan for plan in result}
        else:
            of_step[argument.get("system", "") if isinstance(argument, dict) else ""] = result
    return found


async def _read(payloads: Iterable[Payload]) -> Any:  # noqa: ANN401 -- JSON
    values = await data_converter().decode(list(payloads), [Any])
    return values[0] if values else None
