"""The runs: the real thing, the two floors, memory with many requests in flight, cost from few to many requests."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import histories, people, processes, settings
from bench.histories import History
from bench.processes import Broken
from bench.site import Shape, Site, seed, site
from erasure.entry import Event

_MEGA = 1_000_000
_SAMPLES = 10  # histories that are read
_BY_REQUESTS = "salesforce"  # simple-salesforce uses requests; Mailchimp's package only words calls, httpx makes them
_QUIET_SECONDS = 1.0
_SAY_EVERY = 15.0
_STUCK_SECONDS = 90.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Cost:
    """What a run took. CPU is milliseconds per request of each process."""

    kind: str
    database: str
    requests: int
    seconds: float
    cpu_ms: dict[str, float]
    peak_mb: dict[str, float] = field(default_factory=dict)
    calls: float = 0.0
    latency_s: float = 0.0
    histories: tuple[History, ...] = ()

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def ours_ms(self) -> float:
        """CPU of worker and server together."""
        return self.cpu_ms["worker"] + self.cpu_ms["server"]

    def median(self, what: str) -> float:
        """Return the median of a number over the sampled histories."""
        return float(statistics.median(getattr(history, what) for history in self.histories))

    def most(self, what: str) -> int:
        """Return the largest of a number over the sampled histories."""
        return int(max(getattr(history, what) for history in self.histories))


@dataclass(frozen=True)
class Tape:
    """What was recorded of a few real requests: what activities returned, and every HTTP call."""

    requests: int
    answers: Path
    calls: Path


def record(shape: Shape, requests: int, folder: Path) -> Tape:
    """Carry a few requests through the real worker and keep what is needed for both floors."""
    with site(shape) as made:
        numbers = list(range(requests))
        made.seed(numbers)
        made.vendors.ask(do="record")
        ids = made.carry(numbers)["ids"]
        tape = Tape(requests, folder / "answers.json", folder / "calls.json")
        made.vendors.ask(do="dump", path=str(tape.calls))
        answers = asyncio.run(histories.answers(made.address, ids[0]))
        tape.answers.write_text(json.dumps(answers), encoding="utf-8")
    return tape


def carried(shape: Shape, requests: int) -> Cost:
    """Carry requests through, the real ones or those of the empty floor; seeding and warming up are not measured."""
    with site(shape) as made:
        made.seed([0])
        made.carry([0])
        ids: list[str] = []
        latencies: list[float] = []
        calls = 0
        for numbers in people.waves(1, requests, shape.wave):
            made.seed(numbers)
            before = made.calls()
            with made.meter.running():
                done = made.carry(numbers)
            calls += made.calls() - before
            ids += done["ids"]
            latencies += done["latencies"]
        read = asyncio.run(histories.measured(made.address, ids[:: max(len(ids) // _SAMPLES, 1)]))
        return _cost(made, requests, calls / requests, statistics.median(latencies), tuple(read))


def _cost(made: Site, requests: int, calls: float, latency: float, read: tuple[History, ...]) -> Cost:
    meter = made.meter
    return Cost(
        kind="empty" if made.shape.answers else "real",
        database="file" if made.shape.on_file else "memory",
        requests=requests,
        seconds=meter.seconds,
        cpu_ms={name: 1000 * seconds / requests for name, seconds in meter.cpu.items()},
        peak_mb={name: size / _MEGA for name, size in meter.peak.items()},
        calls=calls,
        latency_s=latency,
        histories=read,
    )


def bare(shape: Shape, tape: Tape, requests: int) -> Cost:
    """Make the recorded calls again, by a bare script, against accounts that are as new and know the same people."""
    vendors = settings.accounts(shape.systems)
    rounds = max(round(requests / tape.requests), 1)
    cpu = seconds = calls = 0.0
    with processes.talking("bench.bare") as script:
        for _ in range(rounds):
            with processes.talking("bench.vendors", str(shape.systems)) as served:
                seed(served, range(tape.requests))
                addresses = {name: told["base_url"] for name, told in served.said.items()}
                by_requests = [name for name, vendor in vendors.items() if vendor == _BY_REQUESTS]
                said = script.ask(calls=str(tape.calls), addresses=addresses, by_requests=by_requests)
            if said["other_statuses"]:
                raise Broken(f"{said['other_statuses']} repeated calls had another answer; the floor means nothing")
            cpu, seconds, calls = cpu + said["cpu"], seconds + said["seconds"], calls + said["calls"]
    done = rounds * tape.requests
    return Cost("bare", "-", done, seconds, {"script": 1000 * cpu / done}, calls=calls / done)


@dataclass(frozen=True)
class Waiting:
    """Memory while this many requests wait for their second look."""

    requests: int
    resident_mb: dict[str, float]


def waiting(shape: Shape, counts: Sequence[int], say: Say) -> list[Waiting]:
    """Let requests wait for their second look, and read the memory at each number of them.

    The vendors know nobody: a request that finds nothing is read again all the same.
    """
    seen: list[Waiting] = []
    with site(replace(shape, second_look="30 days")) as made:
        there = 0
        for count in sorted(counts):
            made.leave(range(there, count))
            there = count
            _until_looked(made, count * shape.systems, say)
            resident = {name: made.meter.resident(name) / _MEGA for name in ("worker", "server")}
            seen.append(Waiting(count, resident))
    return seen


def _until_looked(made: Site, looks: int, say: Say) -> None:
    """Wait until the ledger holds this many re-reads, and then for quiet.

    Raises:
        Broken: nothing moves any more.
    """
    done = lines = 0
    moved = told = time.monotonic()
    with closing(sqlite3.connect(f"{made.ledger.as_uri()}?mode=ro", uri=True)) as ledger:
        while done < looks:
            time.sleep(_QUIET_SECONDS)
            done = ledger.execute("SELECT count(*) FROM ledger WHERE event = ?", (Event.VERIFIED.value,)).fetchone()[0]
            before, (lines,) = lines, ledger.execute("SELECT count(*) FROM ledger").fetchone()
            now = time.monotonic()
            moved = now if lines > before else moved
            if now - moved > _STUCK_SECONDS:
                raise Broken(f"the worker stands still: {done} of {looks} first looks, and nothing new for a while")
            if now - told > _SAY_EVERY:
                told = now
                say(f"  {done} of {looks} first looks")
    time.sleep(2 * _QUIET_SECONDS)


@dataclass(frozen=True)
class Stretch:
    """CPU milliseconds per request of worker and server over the requests from `first` to `last`."""

    first: int
    last: int
    cpu_ms: dict[str, float]


def growth(shape: Shape, few: int, many: int, say: Say) -> list[Stretch]:
    """Carry many requests through one site, and tell what each stretch of a few cost."""
    stretches: list[Stretch] = []
    with site(shape) as made:
        made.seed([0])
        made.carry([0])
        for first in range(1, many + 1, few):
            last = min(first + few - 1, many)
            before = dict(made.meter.cpu)
            for numbers in people.waves(first, last - first + 1, shape.wave):
                made.seed(numbers)
                with made.meter.running():
                    made.carry(numbers)
            spent = {name: made.meter.cpu[name] - before[name] for name in ("worker", "server")}
            cpu = {name: 1000 * seconds / (last - first + 1) for name, seconds in spent.items()}
            stretches.append(Stretch(first, last, cpu))
            say(f"  requests {first} to {last}: worker {cpu['worker']:.0f} ms, server {cpu['server']:.0f} ms each")
    return stretches
