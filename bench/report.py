"""The numbers of a run as a table for people and as JSON for programs, beside the aims."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.runs import Cost, Stretch, Waiting

FLOOR_FACTOR, MOST_EVENTS, MOST_BYTES, FLAT = 1.25, 400, 80_000, 1.25
_COMPARED = """\
real: the worker as it ships, its ledger in a SQLite file, pretend vendors without delay, a person for each request.
empty: the same workflow, queues and options; activities return at once what they returned in a real request. No
  ledger, no HTTP.
bare: every HTTP call of real requests once more, by a script with one thread and one open connection for each account;
  salesforce accounts by requests, the others by httpx; answers are read and not parsed.
Setting up people and the first request are not measured. CPU is user and system time of each process. Seconds on
shared cores are noisy: compare CPU, and run it again before believing a small difference."""


@dataclass(frozen=True)
class Aim:
    """Something the project wants to reach."""

    what: str
    wanted: str
    measured: str
    met: bool


@dataclass
class Results:
    """Everything a run of the benchmark found."""

    systems: int
    costs: list[Cost] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    growth: list[Stretch] = field(default_factory=list)

    def of(self, kind: str, database: str) -> list[Cost]:
        """Return the repetitions of one kind of run."""
        return [cost for cost in self.costs if (cost.kind, cost.database) == (kind, database)]

    def databases(self) -> list[str]:
        """Return the databases that were measured."""
        return [name for name in ("memory", "file") if self.of("real", name) or self.of("empty", name)]

    def aims(self) -> list[Aim]:
        """Return each aim that this run can judge."""
        found = [aim for database in self.databases() for aim in (*self._cost(database), *self._history(database))]
        return found + self._memory() + self._growth()

    def _cost(self, database: str) -> list[Aim]:
        real, empty, bare = (self.of(*which) for which in (("real", database), ("empty", database), ("bare", "-")))
        if not (real and empty and bare):
            return []
        ours = statistics.median(cost.ours_ms for cost in real)
        floors = [statistics.median(c.ours_ms for c in empty), statistics.median(c.cpu_ms["script"] for c in bare)]
        ratio = ours / sum(floors)
        said = f"{ours:.0f} ms / ({floors[0]:.0f} + {floors[1]:.0f}) ms = {ratio:.2f}"
        what = f"CPU of worker and server per request, beside both floors ({database})"
        return [Aim(what, f"at most {FLOOR_FACTOR}", said, ratio <= FLOOR_FACTOR)]

    def _history(self, database: str) -> list[Aim]:
        real = self.of("real", database)
        if not real:
            return []
        events, size = (max(cost.most(what) for cost in real) for what in ("events", "bytes"))
        return [
            Aim(f"history events ({database})", f"under {MOST_EVENTS}", str(events), events < MOST_EVENTS),
            Aim(f"history bytes ({database})", f"under {MOST_BYTES}", str(size), size < MOST_BYTES),
        ]

    def _memory(self) -> list[Aim]:
        if len(self.waiting) < 2:  # noqa: PLR2004 -- a ratio needs two
            return []
        few, many = self.waiting[0], self.waiting[-1]
        ratio = many.resident_mb["worker"] / few.resident_mb["worker"]
        said = f"{few.resident_mb['worker']:.0f} MB, then {many.resident_mb['worker']:.0f} MB = {ratio:.2f}"
        what = f"worker memory, {few.requests} and {many.requests} requests in flight"
        return [Aim(what, f"flat: at most {FLAT}", said, ratio <= FLAT)]

    def _growth(self) -> list[Aim]:
        if len(self.growth) < 2:  # noqa: PLR2004 -- likewise
            return []
        first, last = (sum(stretch.cpu_ms.values()) for stretch in (self.growth[0], self.growth[-1]))
        said = f"{first:.0f} ms, then {last:.0f} ms = {last / first:.2f}"
        what = f"CPU per request, the first {self.growth[0].last} and the last of {self.growth[-1].last}"
        return [Aim(what, f"flat: at most {FLAT}", said, last / first <= FLAT)]

    def as_facts(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        return {**asdict(self), "aims": [asdict(aim) for aim in self.aims()]}


def show(out: Console, results: Results) -> None:
    """Print all tables."""
    if results.costs:
        out.print(_costs(results), _COMPARED, "", sep="\n", highlight=False)
    if results.waiting:
        out.print(_waiting(results.waiting))
    if results.growth:
        out.print(_growth(results.growth))
    aims = Table(title="Aims", title_justify="left")
    for name in ("aim", "wanted", "measured", "met"):
        aims.add_column(name)
    for aim in results.aims():
        aims.add_row(aim.what, aim.wanted, aim.measured, "[green]yes[/]" if aim.met else "[red]no[/]")
    if aims.row_count:
        out.print(aims)


def _costs(results: Results) -> Table:
    """Return a table with a column for each kind of run: the median of its repetitions."""
    table = Table(title=f"One request with {results.systems} systems", title_justify="left")
    table.add_column("")
    columns: list[list[Cost]] = [results.of("bare", "-")]
    columns += [results.of(kind, name) for name in results.databases() for kind in ("real", "empty")]
    columns = [runs for runs in columns if runs]
    for runs in columns:
        place = f"\n{runs[0].database}" if runs[0].kind != "bare" else ""
        table.add_column(f"{runs[0].kind}{place}\n{len(runs)} x {runs[0].requests}", justify="right")
    for title, numbers in _rows(columns):
        table.add_row(title, *numbers)
    return table


def _rows(columns: Sequence[Sequence[Cost]]) -> Iterable[tuple[str, list[str]]]:
    yield "requests per second", [_middle([c.per_second for c in runs], ".2f") for runs in columns]
    yield "system steps per second", [_steps(runs) for runs in columns]
    yield "median latency, s", [_middle([c.latency_s for c in runs if c.latency_s], ".1f") for runs in columns]
    for name in ("worker", "server", "script", "simulators", "load"):
        numbers = [_middle([c.cpu_ms[name] for c in runs if name in c.cpu_ms], ".0f") for runs in columns]
        yield f"CPU ms/request: {name}", numbers
    for name in ("worker", "server", "simulators"):
        peaks = [_middle([c.peak_mb[name] for c in runs if name in c.peak_mb], ".0f") for runs in columns]
        yield f"peak memory, MB: {name}", peaks
    yield "HTTP calls/request", [_middle([c.calls for c in runs], ".1f") for runs in columns]
    for what in ("events", "bytes", "activities", "system_steps", "workflow_tasks", "timers", "retried"):
        title = f"history: {what.replace('_', ' ')}"
        yield title, [_middle([c.median(what) for c in runs if c.histories], ".0f") for runs in columns]


def _steps(runs: Sequence[Cost]) -> str:
    """Steps in a system: search, erase, confirm where needed, and two looks; the request's own are left out."""
    return _middle([cost.per_second * cost.median("system_steps") for cost in runs if cost.histories], ".1f")


def _middle(numbers: Sequence[float], form: str) -> str:
    return format(statistics.median(numbers), form) if numbers else ""


def _waiting(rows: Sequence[Waiting]) -> Table:
    table = Table(title="Memory while requests wait for their second look", title_justify="left")
    for name in ("requests in flight", "worker, MB", "server, MB"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(str(row.requests), *(f"{row.resident_mb[name]:.0f}" for name in ("worker", "server")))
    return table


def _growth(rows: Sequence[Stretch]) -> Table:
    table = Table(title="CPU per request, Temporal's database in a file", title_justify="left")
    for name in ("requests", "worker, ms", "server, ms"):
        table.add_column(name, justify="right")
    for row in rows:
        numbers = (f"{row.cpu_ms[name]:.0f}" for name in ("worker", "server"))
        table.add_row(f"{row.first} to {row.last}", *numbers)
    return table
