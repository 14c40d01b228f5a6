"""All requests in one list, each with its state."""

from __future__ import annotations

from datetime import timedelta

import pytest

from erasure.entry import Entry, Event
from erasure.outcome import OutcomeKind
from ledger.stores import Database, RequestLine, RequestState
from tests.ledger.samples import NOON, entry


def step(key: str, event: Event, system: str = "", outcome: OutcomeKind | None = None) -> Entry:
    """Return an entry of one request, some minutes after the request."""
    return entry(key, event=event, system=system, outcome=outcome, at=NOON + timedelta(minutes=5))


def test_newest_request_first(database: Database) -> None:
    """By the time a request was received, whatever was written last."""
    for day, request_id in enumerate(["old", "middle", "new"]):
        at = NOON + timedelta(days=day)
        database.write([entry(request_id, request_id=request_id, event=Event.ACKNOWLEDGED, system="", at=at)])
    database.write([entry("again", request_id="old", at=NOON + timedelta(days=9))])
    assert [(line.request_id, line.received_at.day) for line in database.requests()] == [
        ("new", 3),
        ("middle", 2),
        ("old", 1),
    ]


def test_systems_are_counted_by_how_they_stand_now(database: Database) -> None:
    """The last outcome of a system counts, and a retry makes it void."""
    database.write(
        [
            entry("ack", event=Event.ACKNOWLEDGED, system=""),
            step("a1", Event.STOPPED, "emma", OutcomeKind.NEEDS_ATTENTION),
            step("a2", Event.CONCLUDED, "emma", OutcomeKind.ERASED),
            step("b1", Event.CONCLUDED, "zendesk", OutcomeKind.WAITING_ON_VENDOR),
            step("c1", Event.CONCLUDED, "discourse", OutcomeKind.KEPT),
            step("c2", Event.RETRIED, "discourse"),
            step("d1", Event.DISCOVERED, "sendgrid"),
        ]
    )
    assert database.requests() == [RequestLine("r-1", NOON, RequestState.RUNNING, systems=4, final=1)]


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([Event.ACKNOWLEDGED, Event.PLANNED], RequestState.RUNNING),
        ([Event.COMPLETED], RequestState.COMPLETED),
        ([Event.COMPLETED, Event.SIGNED_OFF], RequestState.SIGNED_OFF),
        ([Event.COMPLETED, Event.CLOSED], RequestState.CLOSED),
        ([Event.CANCELLED, Event.CLOSED], RequestState.CANCELLED),
    ],
)
def test_the_state_is_the_furthest_step(database: Database, events: list[Event], state: RequestState) -> None:
    """A cancelled request is closed as well and stays "cancelled"."""
    database.write([step(event.value, event) for event in events])
    assert [line.state for line in database.requests()] == [state]


@pytest.mark.parametrize("outcome", [OutcomeKind.WAITING_ON_PERSON, OutcomeKind.NEEDS_ATTENTION])
def test_a_system_that_waits_for_a_person_shows(database: Database, outcome: OutcomeKind) -> None:
    """Until somebody retries it."""
    database.write([step("stop", Event.STOPPED, "emma", outcome)])
    waiting = [line.state for line in database.requests()]
    database.write([step("retry", Event.RETRIED, "emma")])
    running = [line.state for line in database.requests()]
    assert (waiting, running) == ([RequestState.WAITING_ON_PERSON], [RequestState.RUNNING])


def test_an_empty_ledger_lists_nothing(database: Database) -> None:
    """Not even a line of nulls."""
    assert database.requests() == []
