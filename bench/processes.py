"""Starting the processes of a run, ending them, and measuring what they use."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped] # it ships no types

from engine.server import EmbeddedServer, Ports
from workflows.status import SEARCH_ATTRIBUTES

_ROOT = Path(__file__).resolve().parent.parent
_SAMPLE_EVERY = 0.1
_END_SECONDS = 60


class Broken(Exception):  # noqa: N818 -- it names what happened
    """A process of the run ended or said something odd; the text is one sentence."""


class Talking:
    """A process of ours that answers a line of JSON with a line of JSON, and ends when nobody speaks any more."""

    def __init__(self, module: str, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
        """Start it and wait for its first line."""
        self._name = module
        self._process = subprocess.Popen(  # noqa: S603 -- our own module
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env={**os.environ, **(environ or {})},
            start_new_session=True,  # Ctrl-C comes to us, and we end it
        )
        self.pid = self._process.pid
        self.said = self._listen()

    def ask(self, **command: Any) -> Any:  # noqa: ANN401 -- JSON
        """Say something and wait for the answer."""
        assert self._process.stdin is not None  # noqa: S101 -- it was asked for
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._listen()

    def _listen(self) -> Any:  # noqa: ANN401 -- JSON
        assert self._process.stdout is not None  # noqa: S101 -- it was asked for
        line = self._process.stdout.readline()
        if not line:
            raise Broken(f"{self._name} ended with code {self._process.wait()}; see what it wrote above")
        return json.loads(line)

    def close(self) -> None:
        """End it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        _end(self._process)


def _end(process: subprocess.Popen[Any]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.terminate()
        process.wait(timeout=_END_SECONDS)
        return
    process.kill()
    process.wait()


@contextlib.contextmanager
def talking(module: str, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[Talking]:
    """Run a talking process while the body runs."""
    process = Talking(module, *arguments, environ=environ)
    try:
        yield process
    finally:
        process.close()


@contextlib.contextmanager
def server(folder: Path, *, on_file: bool) -> Iterator[EmbeddedServer]:
    """Run Temporal's dev server while the body runs, with its database in a file or in memory."""
    made = EmbeddedServer(SEARCH_ATTRIBUTES, folder / "temporal.db" if on_file else None, Ports.free())
    try:
        asyncio.run(made.start())
        yield made
    finally:
        made.stop()


@contextlib.contextmanager
def worker(command: Sequence[str], environ: Mapping[str, str], log: Path) -> Iterator[int]:
    """Run a worker while the body runs; yields its process id when it is ready."""
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 -- our own command
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=_ROOT,
            env={**os.environ, **environ},
            start_new_session=True,
        )
    try:
        while "worker ready" not in (said := log.read_text(encoding="utf-8")):
            if process.poll() is not None:
                raise Broken(f"a worker did not start: {(said.strip().splitlines() or ['it said nothing'])[-1]}")
            time.sleep(0.1)
        yield process.pid
    finally:
        _end(process)


class Meter:
    """CPU time and peak memory of named processes, over one or several stretches of a run."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        """Start at nothing."""
        self._processes = {name: psutil.Process(pid) for name, pid in processes.items()}
        self.cpu = dict.fromkeys(processes, 0.0)
        self.peak = dict.fromkeys(processes, 0)
        self.seconds = 0.0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Measure while the body runs."""
        over = threading.Event()
        sampler = threading.Thread(target=self._sample, args=(over,), daemon=True)
        start, before = time.monotonic(), self._now()
        sampler.start()
        try:
            yield
        finally:
            over.set()
            sampler.join()
            self.seconds += time.monotonic() - start
            for name, seconds in self._now().items():
                self.cpu[name] += seconds - before[name]

    def resident(self, name: str) -> int:
        """Return how many bytes of memory a process holds now."""
        return int(self._processes[name].memory_info().rss)

    def _now(self) -> dict[str, float]:
        times = {name: process.cpu_times() for name, process in self._processes.items()}
        return {name: used.user + used.system for name, used in times.items()}

    def _sample(self, over: threading.Event) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            while True:
                for name in self._processes:
                    self.peak[name] = max(self.peak[name], self.resident(name))
                if over.wait(_SAMPLE_EVERY):
                    return
