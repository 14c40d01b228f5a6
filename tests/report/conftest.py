"""The scripted systems and the real ledger of the workflow tests serve the report, too."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Self

import pytest
from temporalio import activity

from tests.workflows.conftest import database, desk

__all__ = ["database", "desk", "one_clock"]


class _ServerClock(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        """Return the time of the time-skipping server, at which this attempt started."""
        started = activity.info().started_time.astimezone(tz)
        return cls.combine(started.date(), started.timetz())


@pytest.fixture
def one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let activities write the server's time: days pass there in a moment, and the ledger should say so."""
    monkeypatch.setattr("activities.system.datetime", _ServerClock)
    monkeypatch.setattr("activities.case.datetime", _ServerClock)
