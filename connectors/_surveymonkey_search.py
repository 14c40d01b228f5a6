"""How a search through SurveyMonkey stands: where it is, what it found, and how an answer is compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from typing import Any, Self

from erasure.connector import Findings, Record, Unfinished
from erasure.subject import Subject

_CARRIERS = ("pages", "custom_variables", "custom_value", "email_address", "metadata")
_BOOKMARK = re.compile(r"([01])\.([0-9]{1,20})\.([0-9]{1,9})\.([0-9]{1,9})")
_WORD = re.compile(r"[^\s<>()\[\],;:|]+")


class Stage(IntEnum):
    """The two passes of a search over all surveys, in their order."""

    ADDRESSES = 0
    ANSWERS = 1


@dataclass(frozen=True)
class Place:
    """Where a search stands; its bookmark. Nothing in it tells about a person."""

    stage: Stage = Stage.ADDRESSES
    survey: int = 0
    page: int = 1
    calls: int = 0  # made today already

    @classmethod
    def read(cls, bookmark: str) -> Self:
        """Return the place that a bookmark names; raises ValueError for one that is not ours."""
        if not bookmark:
            return cls()
        parts = _BOOKMARK.fullmatch(bookmark)
        if parts is None:
            msg = "the bookmark is not one of ours"
            raise ValueError(msg)
        stage, survey, page, calls = map(int, parts.groups())
        return cls(Stage(stage), survey, page, calls)

    def unfinished(self, calls: int, wait: timedelta) -> Unfinished:
        """Return what to do next: go on here after `wait`, with so many of the day's calls made."""
        return Unfinished(bookmark=f"{self.stage:d}.{self.survey}.{self.page}.{calls}", wait=wait)


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
