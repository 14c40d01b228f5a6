"""The load generator as a process: hands in requests, signs them off, waits for their end.

For each line of JSON it reads ({"people": [numbers], "in_flight": 10}) it answers with one: the requests' ids and
how long each took. With "leave" it hands in and waits for nothing. TEMPORAL_ADDRESS says where. Ends when standard
input closes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from temporalio.client import Client

from activities.messages import Decision
from bench import people
from engine import requests
from engine.client import connect, quiet_runtime
from workflows.request import DataSubjectRequestWorkflow
from workflows.status import STATE, RequestState

_LOOK_EVERY = 0.25
_READY = f"{STATE.name} = '{RequestState.AWAITING_SIGN_OFF}' AND ExecutionStatus = 'Running'"


class Desk:
    """Compliance at its desk: one question to Temporal tells which of all requests wait for a signature."""

    def __init__(self, client: Client) -> None:
        """Start with nothing to sign."""
        self._client = client
        self._ready: dict[str, asyncio.Event] = {}

    async def look(self) -> None:
        """Ask again and again, without end."""
        while True:
            if self._ready:
                async for row in self._client.list_workflows(_READY):
                    if row.id in self._ready:
                        self._ready[row.id].set()
            await asyncio.sleep(_LOOK_EVERY)

    async def carry(self, number: int) -> tuple[str, float]:
        """Hand in one request, sign it off when it is complete, and wait for its end."""
        request, start = people.request(number), time.monotonic()
        handle = (await requests.submit(self._client, request)).handle
        self._ready[handle.id] = asyncio.Event()
        await self._ready[handle.id].wait()
        del self._ready[handle.id]
        await requests.command(
            self._client, request.id, DataSubjectRequestWorkflow.confirm, Decision(by="compliance.bench")
        )
        await handle.result()
        return request.id, time.monotonic() - start


async def _through(desk: Desk, order: dict[str, Any]) -> dict[str, Any]:
    free = asyncio.Semaphore(order["in_flight"])

    async def one(number: int) -> tuple[str, float]:
        async with free:
            return await desk.carry(number)

    start = time.monotonic()
    async with asyncio.TaskGroup() as group:
        looking = asyncio.create_task(desk.look())
        tasks = [group.create_task(one(number)) for number in order["people"]]
        await asyncio.gather(*tasks)
        looking.cancel()
    done = [task.result() for task in tasks]
    took = time.monotonic() - start
    return {"ids": [request for request, _ in done], "latencies": [seconds for _, seconds in done], "seconds": took}


async def _leave(client: Client, order: dict[str, Any]) -> dict[str, Any]:
    free = asyncio.Semaphore(order["in_flight"])

    async def one(number: int) -> str:
        async with free:
            request = people.request(number)
            await requests.submit(client, request)
            return request.id

    return {"ids": await asyncio.gather(*(one(number) for number in order["people"]))}


async def main() -> None:
    """Carry out orders until there are no more."""
    client = await connect(quiet_runtime())
    desk = Desk(client)
    print(json.dumps({"ready": True}), flush=True)  # noqa: T201 -- this is what the program says
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        answer = await (_leave(client, order) if order.get("leave") else _through(desk, order))
        print(json.dumps(answer), flush=True)  # noqa: T201 -- likewise


if __name__ == "__main__":
    asyncio.run(main())
