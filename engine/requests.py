"""Starting requests and speaking to them, for the command line and whatever else hands requests in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError, WorkflowUpdateFailedError
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from engine.client import REQUESTS_QUEUE, workflow_id
from erasure.deadline import due_by
from erasure.request import DataSubjectRequest
from erasure.sentence import BadInput
from workflows import status
from workflows.request import DataSubjectRequestWorkflow, RequestResult
from workflows.status import RequestState, RequestStatus

Handle = WorkflowHandle[DataSubjectRequestWorkflow, RequestResult]
_PATIENCE = timedelta(seconds=15)


@dataclass(frozen=True)
class Submitted:
    """A request that Temporal has; `is_new` is False when it had it before."""

    handle: Handle
    is_new: bool


class Refused(Exception):  # noqa: N818 -- the request said no
    """A command is not possible now; the text is one sentence for the operator."""


def handle_of(client: Client, request_id: str) -> Handle:
    """Return the handle of a request; nothing is asked yet."""
    return client.get_workflow_handle_for(DataSubjectRequestWorkflow.run, workflow_id(request_id))


async def submit(client: Client, request: DataSubjectRequest) -> Submitted:
    """Start a request, once: the same id with the same body is the same request.

    Raises:
        BadInput: the id is known with another body, or Temporal is not there; nothing was started.
    """
    attributes: list[SearchAttributePair[Any]] = [
        SearchAttributePair(status.RIGHT, request.right.value),
        SearchAttributePair(status.STATE, RequestState.RECEIVED.value),
        SearchAttributePair(status.DUE_BY, due_by(request.submitted_at)),
    ]
    try:
        handle = await client.start_workflow(
            DataSubjectRequestWorkflow.run,
            request,
            id=workflow_id(request.id),
            task_queue=REQUESTS_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            search_attributes=TypedSearchAttributes(attributes),
            static_summary=f"{request.right} request",
        )
    except WorkflowAlreadyStartedError:
        return Submitted(await _the_same(client, request), is_new=False)
    except RPCError as error:
        raise BadInput(_not_taken(error)) from None
    return Submitted(handle, is_new=True)


def _not_taken(error: RPCError) -> str:
    if "search attribute" in error.message.lower():
        return "Temporal does not know this program's search attributes (see docs/operations.md); nothing was started"
    return f"Temporal did not take the request ({error.status.name.lower()}); nothing was started"


async def _the_same(client: Client, request: DataSubjectRequest) -> Handle:
    handle = handle_of(client, request.id)
    if not await _ask(handle, DataSubjectRequestWorkflow.same_request, request.fingerprint):
        raise BadInput("a request with this id exists already and says something else; nothing was started")
    return handle


async def status_of(client: Client, request_id: str) -> RequestStatus:
    """Return where a request is.

    Raises:
        BadInput: there is no such request, or no worker is there to answer.
    """
    answer: RequestStatus = await _ask(handle_of(client, request_id), DataSubjectRequestWorkflow.status)
    return answer


async def _ask(handle: Handle, query: Any, *arguments: Any) -> Any:  # noqa: ANN401 -- the query's own types
    try:
        return await handle.query(query, *arguments, rpc_timeout=_PATIENCE)
    except WorkflowQueryFailedError:
        raise BadInput("the request cannot answer; is its worker of this version?") from None
    except RPCError as error:
        raise BadInput(_unreachable(error)) from None


def _unreachable(error: RPCError) -> str:
    if error.status is RPCStatusCode.NOT_FOUND:
        return "Temporal knows no open or recent request with this id"
    return "no worker answers for this request; start `erasure worker`"


async def command(client: Client, request_id: str, update: Any, word: Any) -> Any:  # noqa: ANN401 -- the update's own types
    """Send an operator's update and return its answer.

    Raises:
        Refused: the request says why it is not possible now.
        BadInput: there is no such open request, or no worker is there.
    """
    try:
        return await handle_of(client, request_id).execute_update(update, word)
    except WorkflowUpdateFailedError as error:
        sentence = error.cause.message if isinstance(error.cause, ApplicationError) else "the command failed"
        raise Refused(sentence) from None
    except RPCError as error:
        raise BadInput(_unreachable(error)) from None
