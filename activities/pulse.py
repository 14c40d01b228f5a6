"""Heartbeats for activities that block in a vendor's client.

A connector cannot heartbeat: it does not know Temporal. One thread does it for all activities of the process, so
that a killed worker is noticed within the heartbeat timeout and not only when the whole step times out.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from temporalio import activity


class Pulse:
    """Beats for every activity inside `beating()`, every `every` seconds."""

    def __init__(self, every: float) -> None:
        """Prepare; the thread starts with the first activity."""
        self._every = every
        self._alive: dict[int, contextvars.Context] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Keep the current activity alive while the body runs."""
        context = contextvars.copy_context()
        with self._lock:
            self._alive[id(context)] = context
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._alive[id(context)]

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(self._every):
            with self._lock:
                for context in self._alive.values():
                    context.run(activity.heartbeat)
