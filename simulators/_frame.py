"""What every pretend vendor shares: serving, faults on command, stale reads, a clock that can be moved.

A vendor is a class with a `name`, the `credentials` its connector needs, and a `state` that holds all its data.
The frame adds a control endpoint under `/__control__/` for the demo; tests reach the vendor object directly.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READS = {"GET", "HEAD"}
_CONTROL = "/__control__"


@dataclass(frozen=True)
class Person:
    """Somebody whom a vendor knows. The first address is the main one."""

    first_name: str
    last_name: str
    emails: tuple[str, ...]
    openstackid: str = ""
    member: bool = True
    contributor: bool = True

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"

    @property
    def email(self) -> str:
        """The main address."""
        return self.emails[0]


class Clock:
    """The vendor's own time, which a test or the demo can move forward."""

    def __init__(self) -> None:
        """Start at the real time."""
        self._ahead = 0.0

    def now(self) -> float:
        """Seconds since 1970, in the vendor's time."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move forward."""
        self._ahead += seconds


class Vendor(Protocol):
    """What the frame needs of a pretend vendor.

    `jobs` steers asynchronous work: "" as usual, "never" stays unfinished, "fail" fails, "item_errors" completes
    with an error for each item. `state` holds all data and can be copied deeply.
    """

    name: str
    credentials: dict[str, str]
    state: Any
    jobs: str
    clock: Clock

    def routes(self) -> list[BaseRoute]:
        """Return the vendor's own routes."""
        ...

    def reset(self) -> None:
        """Forget everything: data, jobs, counters, clock."""
        ...

    def seed(self, person: Person) -> None:
        """Store this person with every kind of record the vendor can hold; again adds fresh records."""
        ...

    def holdings(self, person: Person) -> dict[str, Any]:
        """Return everything that is still held about the person, in any state, bins and archives included.

        Keys are `kind:id`; values are the contents without times of change, so that two looks can be compared.
        """
        ...

    def refusal(self, status: int, headers: dict[str, str]) -> Response:
        """Return the vendor's own error answer for a status."""
        ...


@dataclass
class Fault:
    """What the next `times` calls that match get instead of, or before, their answer.

    Kinds: refusal (vendor's own error with `status` and `headers`), empty (`status`, no body), html (`status`,
    a page), truncated (200, JSON cut off), slow (`seconds`, then as usual), late (done at once, but the answer
    comes `seconds` later), reset (connection dropped).
    `after` lets that many matching calls through first.
    """

    kind: str
    times: int = 1
    after: int = 0
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    method: str = ""
    path: str = ""

    def takes(self, method: str, path: str) -> bool:
        """Tell whether this call is hit, and count it."""
        if self.times <= 0 or self.method not in {"", method} or self.path not in path:
            return False
        self.after -= 1
        if self.after >= 0:
            return False
        self.times -= 1
        return True


@dataclass(frozen=True)
class Call:
    """One call a vendor got, for tests."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    status: int
    answer: bytes
    answer_type: str


class Stage:
    """The application around one vendor: records calls, plays faults, serves stale reads, takes commands."""

    def __init__(self, vendor: Vendor) -> None:
        """Wrap a vendor."""
        self.vendor = vendor
        self.faults: list[Fault] = []
        self.calls: list[Call] = []
        self.stale_reads = 0
        self._old: Any = None
        self._record = False
        self._resets = 0
        control = Mount(_CONTROL, routes=self._control_routes())
        self._app: ASGIApp = Starlette(routes=[control, *vendor.routes()])

    def record(self) -> None:
        """Keep every call from now on; off by default, so that a long run does not grow."""
        self._record = True

    def reset(self) -> None:
        """Forget data, faults and recorded calls; a call that a fault still holds up is dropped."""
        self._resets += 1
        self.vendor.reset()
        self.faults.clear()
        self.calls.clear()
        self.stale_reads, self._old, self._record = 0, None, False

    def lag(self, reads: int) -> None:
        """After the next change, let this many reads still see the state before it."""
        self.stale_reads, self._old = reads, None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] != "http" or scope["path"].startswith(_CONTROL):
            await self._app(scope, receive, send)
            return
        fault = next((f for f in self.faults if f.takes(scope["method"], scope["path"])), None)
        if fault and await self._play(fault, scope, receive, send):
            return
        await self._serve(scope, receive, send)

    async def _play(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> bool:
        """Play a fault; False means the call goes on as usual."""
        if fault.kind in {"slow", "late"}:
            return await self._held_up(fault, scope, receive, send)
        if fault.kind == "reset":
            connection: Any = send
            connection.__self__.transport.abort()  # uvicorn's own; Starlette offers no way to drop a connection
            return True
        answers: dict[str, Callable[[], Response]] = {
            "refusal": lambda: self.vendor.refusal(fault.status, fault.headers),
            "empty": lambda: Response(status_code=fault.status, headers=fault.headers),
            "html": lambda: HTMLResponse("<html><body>edge</body></html>", fault.status, fault.headers),
            "truncated": lambda: Response('{"data": [{"id": 1, "na', media_type="application/json"),
        }
        await answers[fault.kind]()(scope, receive, send)
        return True

    async def _held_up(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> bool:
        """Let the caller wait before the call ("slow"), or for its answer ("late"); False means it is still to be done.

        Whoever asked before a reset must not reach the data of whoever comes after it.
        """
        resets, messages = self._resets, list[Message]()

        async def keep(message: Message) -> None:
            messages.append(message)

        if fault.kind == "late":
            await self._serve(scope, receive, keep)
        await asyncio.sleep(fault.seconds)
        if self._resets != resets:
            await Response(status_code=503)(scope, receive, send)
            return True
        for message in messages:
            await send(message)
        return fault.kind == "late"

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["method"] in _READS
        if reads and self._old is not None and self.stale_reads > 0:
            self.stale_reads -= 1
            with self._stale():
                await self._recorded(scope, receive, send)
            return
        if not reads and self.stale_reads and self._old is None:
            self._old = copy.deepcopy(self.vendor.state)
        await self._recorded(scope, receive, send)

    @contextlib.contextmanager
    def _stale(self) -> Iterator[None]:
        fresh, self.vendor.state = self.vendor.state, self._old
        try:
            yield
        finally:
            self.vendor.state = fresh

    async def _recorded(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._record:
            await self._app(scope, receive, send)
            return
        sent, got = bytearray(), bytearray()
        start: dict[str, Any] = {}

        async def listen() -> Message:
            message = await receive()
            sent.extend(message.get("body", b""))
            return message

        async def speak(message: Message) -> None:
            start.update(message if message["type"] == "http.response.start" else {})
            got.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                # Before the caller has the answer, so that whoever has it finds the call.
                self.calls.append(_call(scope, bytes(sent), start, bytes(got)))
            await send(message)

        await self._app(scope, listen, speak)

    def _control_routes(self) -> list[BaseRoute]:
        async def faults(request: Request) -> Response:
            self.faults.append(Fault(**await request.json()))
            return JSONResponse({"faults": len(self.faults)})

        async def seed(request: Request) -> Response:
            body = await request.json()
            self.vendor.seed(Person(**{**body, "emails": tuple(body["emails"])}))
            return JSONResponse({})

        async def holdings(request: Request) -> Response:
            body = await request.json()
            held = self.vendor.holdings(Person(**{**body, "emails": tuple(body["emails"])}))
            return JSONResponse({"holdings": sorted(held)})

        async def steer(request: Request) -> Response:
            body = await request.json()
            self.vendor.jobs = body.get("jobs", self.vendor.jobs)
            self.vendor.clock.advance(body.get("advance_seconds", 0))
            self.lag(body.get("stale_reads", self.stale_reads))
            return JSONResponse({})

        async def reset(_: Request) -> Response:
            self.reset()
            return JSONResponse({})

        endpoints = {"faults": faults, "seed": seed, "holdings": holdings, "steer": steer, "reset": reset}
        return [Route(f"/{name}", endpoint, methods=["POST"]) for name, endpoint in endpoints.items()]


def _call(scope: Scope, sent: bytes, start: dict[str, Any], got: bytes) -> Call:
    query = scope["query_string"].decode()
    headers = {key.decode().lower(): value.decode() for key, value in scope["headers"]}
    answer_headers = {key.decode().lower(): value.decode() for key, value in start.get("headers", [])}
    return Call(
        method=scope["method"],
        url=scope["raw_path"].decode() + (f"?{query}" if query else ""),
        headers=headers,
        body=sent,
        status=start.get("status", 0),
        answer=got,
        answer_type=answer_headers.get("content-type", ""),
    )


class Running:
    """A vendor served on a loopback port by a thread of this process; use as a context manager."""

    def __init__(self, vendor: Vendor, port: int = 0) -> None:
        """Prepare; nothing listens yet. Port 0 takes a free one."""
        self.stage = Stage(vendor)
        config = uvicorn.Config(
            self.stage, host="127.0.0.1", port=port, log_level="error", lifespan="off", access_log=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name=f"simulator-{vendor.name}", daemon=True)

    def __enter__(self) -> Self:
        """Start and wait until it listens."""
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                msg = f"the {self.stage.vendor.name} simulator did not start"
                raise RuntimeError(msg)
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and wait."""
        self._server.should_exit = True
        self._thread.join(timeout=10)

    @property
    def url(self) -> str:
        """The address it listens on, without a path."""
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"


async def body_of(request: Request) -> Any:  # noqa: ANN401 -- JSON
    """Return the JSON body of a request, or {} when there is none."""
    raw = await request.body()
    return json.loads(raw) if raw else {}
