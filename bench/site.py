"""Everything that one run needs, each part in a process of its own, on free ports and in a folder of its own."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from bench import people, processes, settings
from bench.processes import Meter, Talking

_TIMEOUT = 60


@dataclass(frozen=True)
class Shape:
    """What a run is made of. `wave` is how many people the vendors know at a time.

    `answers` is what empty activities return; without it the real worker runs. `on_file` is about Temporal's own
    database: the ledger is always a file.
    """

    systems: int
    in_flight: int
    wave: int
    first_look: str = "1 second"
    second_look: str = "1 second"
    on_file: bool = False
    answers: Path | None = None

    def with_database(self, name: str) -> Shape:
        """Return the same with Temporal's database in a file or in memory."""
        return replace(self, on_file=name == "file")

    def empty(self, answers: Path) -> Shape:
        """Return the same with empty activities."""
        return replace(self, answers=answers)


@dataclass(frozen=True)
class Site:
    """A running site."""

    shape: Shape
    folder: Path
    address: str
    meter: Meter
    vendors: Talking
    load: Talking

    @property
    def ledger(self) -> Path:
        """The worker's database."""
        return self.folder / "erasure.db"

    def seed(self, numbers: Sequence[int]) -> None:
        """Make these people known to every account, and nobody else; nothing to do where no vendor is asked."""
        if self.shape.answers:
            return
        seed(self.vendors, numbers)

    def calls(self) -> int:
        """Return how many calls the vendors got so far."""
        return int(self.vendors.ask(do="count")["calls"])

    def carry(self, numbers: Sequence[int]) -> Any:  # noqa: ANN401 -- JSON
        """Carry requests of these people through; returns what the load generator says.

        Empty activities answer as they would for the first person, so there every request is for that one.
        """
        asked = [0] * len(numbers) if self.shape.answers else list(numbers)
        return self.load.ask(people=asked, in_flight=self.shape.in_flight)

    def leave(self, numbers: Sequence[int]) -> None:
        """Hand in requests of these people and wait for nothing."""
        self.load.ask(people=list(numbers), in_flight=self.shape.in_flight, leave=True)


def seed(vendors: Talking, numbers: Sequence[int]) -> None:
    """Let every account start anew and know these people, in this order."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda told: _seed(told["base_url"], numbers), vendors.said.values()))


def _seed(address: str, numbers: Sequence[int]) -> None:
    with httpx.Client(base_url=f"{address}/__control__", timeout=_TIMEOUT) as control:
        control.post("/reset").raise_for_status()
        for number in numbers:
            control.post("/seed", json=people.person(number)).raise_for_status()


@contextlib.contextmanager
def site(shape: Shape) -> Iterator[Site]:
    """Run a site while the body runs; ends every process and removes the folder whatever happens."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="erasure-bench-")))
        vendors = stack.enter_context(processes.talking("bench.vendors", str(shape.systems)))
        server = stack.enter_context(processes.server(folder, on_file=shape.on_file))
        where = {"TEMPORAL_ADDRESS": server.address}
        waits = (shape.first_look, shape.second_look)
        places, secrets = settings.write(folder, vendors.said, settings.accounts(shape.systems), waits)
        command = ["-m", "bench.empty", *places, "--answers", str(shape.answers)]
        if not shape.answers:
            command = ["cli.py", *places, "--database", f"sqlite:///{folder}/erasure.db", "worker", "--log-json"]
        log = folder / "worker.log"
        worker = stack.enter_context(processes.worker(command, {**secrets, **where}, log))
        load = stack.enter_context(processes.talking("bench.load", environ=where))
        parts = {"worker": worker, "server": server.pid, "simulators": vendors.pid, "load": load.pid}
        yield Site(shape, folder, server.address, Meter(parts), vendors, load)
