"""The frame of the pretend vendors keeps one test's calls out of the next one's data."""

from __future__ import annotations

import threading
import time

import httpx
import pytest

from erasure.failures import TryLater
from tests.connectors.system import SUBJECT, System


@pytest.mark.parametrize("kind", ["slow", "late"])
def test_a_call_that_is_held_up_over_a_reset_is_dropped(kind: str) -> None:
    """The next person's member has the same place as the last one's, and stays."""
    system = System("mailchimp")
    system.seed(SUBJECT)
    record = next(record for record in system.find(SUBJECT).records if record.kind == "member")
    system.fault(kind, seconds=0.3)
    with system.open(timeout=0.1) as connector, pytest.raises(TryLater):
        connector.erase(record)
    system.stage.reset()
    system.seed(SUBJECT)
    assert record in system.find(SUBJECT).records
    before = system.vendor.holdings(SUBJECT)
    time.sleep(0.4)
    assert system.vendor.holdings(SUBJECT) == before


def test_a_caller_that_was_held_up_over_a_reset_is_told_so() -> None:
    """Whoever waited that long gets an empty 503."""
    system = System("mailchimp")
    system.fault("slow", seconds=0.2)
    threading.Timer(0.1, system.stage.reset).start()
    answer = httpx.get(f"{system.running.url}/3.0/ping")
    assert (answer.status_code, answer.content) == (503, b"")


def test_a_call_is_recorded_before_its_answer_is_there() -> None:
    """A test may read the calls as soon as it has the answer."""
    system = System("mailchimp")
    system.stage.record()
    with httpx.Client(base_url=system.running.url) as http:
        for number in range(1, 51):
            http.get("/3.0/ping")
            assert len(system.stage.calls) == number
