"""`make bench`: what a request costs, beside two floors. Exit code 0 whatever was measured, 2 for bad arguments."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from bench import report, runs
from bench.processes import Broken
from bench.report import Results
from bench.runs import Cost
from bench.site import Shape
from erasure.sentence import BadInput

_RECORDED = 2  # requests whose calls make the floor of bare HTTP
_WAVE = 20  # people whom the vendors know at a time: so few that no vendor's list needs a second page
EXIT_BROKEN, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure what a request costs in CPU, memory and history, beside two floors, on this machine.",
        epilog="Aims that are missed do not change the exit code: timings never fail a build.",
    )
    number = partial(_number, at_least=1)
    many = partial(parser.add_argument, type=number, metavar="N")
    many("--requests", default=40, help="requests in each measured run (default: %(default)s)")
    many("--systems", default=20, help="systems of each request (default: %(default)s)")
    many("--in-flight", default=10, help="requests at work at the same time (default: %(default)s)")
    many("--repeat", default=1, help="repetitions, interleaved; medians are shown (default: %(default)s)")
    parser.add_argument(
        "--database",
        choices=("file", "memory", "both"),
        default="both",
        help="where Temporal's dev server keeps its data (default: %(default)s)",
    )
    parser.add_argument(
        "--what",
        nargs="+",
        choices=("main", "floors", "memory", "growth", "all"),
        default=["main", "floors"],
        help="main: the real thing. floors: empty activities, bare HTTP calls. memory: many requests in flight, "
        "some minutes. growth: from few to many requests, hours with the default numbers (default: main floors)",
    )
    many("--waiting", nargs="+", default=[100, 2000], help="requests in flight for memory (default: 100 2000)")
    many("--waiting-systems", default=5, help="systems of those requests (default: %(default)s)")
    many("--growth", nargs=2, default=[100, 5000], help="few and many requests for growth (default: 100 5000)")
    many("--growth-systems", default=5, help="systems of those requests (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    return parser.parse_args(words)


def _number(text: str, *, at_least: int) -> int:
    number = int(text)
    if number < at_least:
        raise argparse.ArgumentTypeError(f"must be {at_least} or more")
    return number


def measure(options: argparse.Namespace, say: runs.Say) -> Results:
    """Run everything that was asked for."""
    wanted = {"main", "floors", "memory", "growth"} if "all" in options.what else set(options.what)
    shape = Shape(systems=options.systems, in_flight=options.in_flight, wave=_WAVE)
    results = Results(systems=options.systems)
    if wanted & {"main", "floors"}:
        results.costs = list(_costs(options, wanted, shape, say))
    if "memory" in wanted:
        say(f"memory with {options.waiting} requests in flight, {options.waiting_systems} systems each")
        few = Shape(systems=options.waiting_systems, in_flight=options.in_flight, wave=_WAVE, on_file=True)
        results.waiting = runs.waiting(few, options.waiting, say)
    if "growth" in wanted:
        first, last = sorted(options.growth)
        say(f"growth from {first} to {last} requests, {options.growth_systems} systems each; this takes long")
        grown = Shape(systems=options.growth_systems, in_flight=options.in_flight, wave=_WAVE, on_file=True)
        results.growth = runs.growth(grown, first, last, say)
    return results


def _costs(options: argparse.Namespace, wanted: set[str], shape: Shape, say: runs.Say) -> Iterator[Cost]:
    """Run the real thing and the floors in turn, as often as was asked for."""
    databases = ("memory", "file") if options.database == "both" else (options.database,)
    with tempfile.TemporaryDirectory(prefix="erasure-bench-tape-") as folder:
        tape = None
        if "floors" in wanted:
            say(f"recording {_RECORDED} real requests for the floors")
            tape = runs.record(shape, _RECORDED, Path(folder))
        for turn in range(1, options.repeat + 1):
            for database in databases:
                stored = shape.with_database(database)
                if "main" in wanted:
                    say(f"{turn}: {options.requests} real requests, Temporal's database: {database}")
                    yield runs.carried(stored, options.requests)
                if tape:
                    say(f"{turn}: {options.requests} requests with empty activities, Temporal's database: {database}")
                    yield runs.carried(stored.empty(tape.answers), options.requests)
            if tape:
                say(f"{turn}: the HTTP calls of {options.requests} requests by a bare script")
                yield runs.bare(shape, tape, options.requests)


def main() -> int:
    """Run, print, and clean up also when interrupted."""
    options = parsed()
    signal.signal(signal.SIGTERM, _end)
    notes = Console(stderr=True)
    try:
        results = measure(options, lambda line: notes.print(line, highlight=False))
    except (Broken, BadInput) as wrong:
        notes.print(f"bench: {wrong}", highlight=False)
        return EXIT_BROKEN
    except KeyboardInterrupt:
        notes.print("bench: interrupted; everything was ended")
        return EXIT_INTERRUPTED
    if options.json:
        print(json.dumps(results.as_facts(), indent=2))  # noqa: T201 -- for programs
    else:
        report.show(Console(), results)
    return 0


def _end(signal_number: int, frame: FrameType | None) -> NoReturn:
    del frame
    sys.exit(128 + signal_number)


if __name__ == "__main__":
    code = main()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)  # without Python's own clean-up, which can crash in the SDK's threads
