"""Looking at a request again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from temporalio.client import Client

from engine import requests
from engine.progress import Trying, trying
from workflows.status import RequestState, RequestStatus

_COMPLETE = {RequestState.AWAITING_SIGN_OFF, RequestState.CLOSED, RequestState.CANCELLED}


async def watching(
    client: Client, request_id: str, seconds: float
) -> AsyncIterator[tuple[RequestStatus, dict[str, Trying]]]:
    """Yield the request's status and the steps under way, every so many seconds, until it is complete."""
    while True:
        status = await requests.status_of(client, request_id)
        yield status, await trying(client, request_id)
        if status.state in _COMPLETE:
            return
        await asyncio.sleep(seconds)
