"""How a search through SurveyMonkey stands: where it is, what it found, and how an answer is compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from typing import Any, Self

from erasure.connector import Findings, Record, Unfinished
from erasure.failures import TryLater
from erasure.subject import Subject

_CARRIERS = ("pages", "custom_variables", "custom_value", "email_address", "metadata")
_BOOKMARK = re.compile(r"([0-2])\.([0-9]{1,20})\.([0-9]{1,9})\.([0-9]{1,9})")
_WORD = re.compile(r"[^\s<>()\[\],;:|]+")


class Stage(IntEnum):
    """The passes over all surveys, and over the treated records; a search and a re-read take two of them each."""

    ADDRESSES = 0
    ANSWERS = 1
    RECORDS = 2


@dataclass(frozen=True)
class Place:
    """Where a search stands; its bookmark. `number` is a survey's or record's id; nothing tells about a person."""

    stage: Stage = Stage.ADDRESSES
    number: int = 0
    page: int = 1
    calls: int = 0  # made today already

    @classmethod
    def read(cls, bookmark: str, stages: Container[Stage]) -> Self:
        """Return the place in one of the stages that a bookmark names; raises ValueError for one that is not ours."""
        if not bookmark:
            return cls()
        parts = _BOOKMARK.fullmatch(bookmark)
        if parts is None or int(parts[1]) not in stages:
            msg = "the bookmark is not one of ours"
            raise ValueError(msg)
        stage, number, page, calls = map(int, parts.groups())
        return cls(Stage(stage), number, page, calls)

    def is_before(self, other: Self) -> bool:
        """Tell whether the work of this place was done when the other was reached."""
        return (self.stage, self.number) < (other.stage, other.number)

    def unfinished(self, calls: int, wait: timedelta) -> Unfinished:
        """Return what to do next: go on here after `wait`, with so many of the day's calls made."""
        return Unfinished(bookmark=f"{self.stage:d}.{self.number}.{self.page}.{calls}", wait=wait)


def until_cut(walk: Iterable[Place], start: Place, cut: Callable[[Place], Unfinished | None]) -> Unfinished | None:
    """Walk until `cut` says where to go on another time. Returns None at the end of the walk.

    Raises:
        TryLater: a call failed for another reason, or before the walk went anywhere.
    """
    here = start
    try:
        for here in walk:
            if unfinished := cut(here):
                return unfinished
    except TryLater:
        # Starting over would spend the same calls again and be stopped at the same point.
        unfinished = cut(here)
        if unfinished is None or here == start:
            raise
        return unfinished
    return None


@dataclass
class Hits:
    """What one search has found so far."""

    subject: Subject
    records: dict[tuple[str, str], Record] = field(default_factory=dict)
    doubts: set[str] = field(default_factory=set)
    collectors: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, kind: str, vendor_id: str, **locator: str) -> None:
        """Keep a record; the same one found in two ways is one."""
        self.records[kind, vendor_id] = Record(kind=kind, id=vendor_id, locator=locator)

    def add_response(self, response: Mapping[str, Any]) -> None:
        """Keep a response."""
        self.add("response", response["id"], survey=response["survey_id"], collector=response["collector_id"])

    def compare(self, response: Mapping[str, Any]) -> None:
        """Keep a response if one of its fields is exactly an address of the person.

        An address inside a longer text, or in the answer of somebody else who was invited, does not make the
        response this person's: that is a doubt for a person to look at.
        """
        texts = list(_texts([response.get(carrier) for carrier in _CARRIERS]))
        owner = response.get("email_address")
        if any(map(self.subject.is_email, texts)) and (not owner or self.subject.is_email(owner)):
            self.add_response(response)
        elif any(self.subject.is_email(word.strip("\"'.!?")) for text in texts for word in _WORD.findall(text)):
            self.doubts.add("address_mentioned_in_other_answers")

    def findings(self, unfinished: Unfinished | None = None) -> Findings:
        """Return what was found. An address book proves no name, so nothing is learned from it."""
        found, doubts = tuple(self.records.values()), tuple(sorted(self.doubts))
        return Findings(records=found, doubts=doubts, unfinished=unfinished)


def _texts(value: object) -> Iterator[str]:
    """Yield every text in a JSON value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        inside: Iterable[object] = value.values() if isinstance(value, dict) else value
        for part in inside:
            yield from _texts(part)
