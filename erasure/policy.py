"""policy.toml: what compliance decides. Read once at start; every decision about a record comes from here."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from erasure.connector import SystemCard
from erasure.deadline import months_after
from erasure.sentence import BadInput, first_fault

_STRICT = ConfigDict(frozen=True, extra="forbid")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) (second|minute|hour|day)s?")
_WORDING = r"^[^@]+$"  # goes into the ledger, which refuses anything that could be an address
_LONGEST = 366 * 86_400.0
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


def _duration(value: object) -> object:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    seconds = float(match[1]) * _UNITS[match[2]] if match else -1.0
    if not 0 <= seconds <= _LONGEST:
        raise ValueError('is not a time such as "5 minutes", "2 hours" or "3 days", of a year at most')
    return timedelta(seconds=seconds)


Duration = Annotated[timedelta, BeforeValidator(_duration)]


class Order(StrEnum):
    """When a system is treated: sources before the systems they feed, the identity root last."""

    SOURCE = "source"
    REST = "rest"
    ROOT = "root"


class Treatment(StrEnum):
    """What happens to a record under an erasure request."""

    ERASE = "erase"
    KEEP = "keep"


class RecordRule(BaseModel):
    """What is done with one kind of record; a kept one names its exception."""

    model_config = _STRICT

    erasure: Treatment
    exception: str = ""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        """Read `"erase"` or `{ keep = "exception" }`."""
        if isinstance(value, str):
            return {"erasure": value}
        if isinstance(value, dict) and set(value) == {"keep"}:
            return {"erasure": Treatment.KEEP, "exception": value["keep"]}
        return value

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if (self.erasure is Treatment.KEEP) != bool(self.exception):
            raise ValueError('a kept kind names its exception, as in { keep = "contributor_name" }')
        return self


class SystemRules(BaseModel):
    """One system the privacy policy names. `teaches` says whether identifiers it knows are trusted."""

    model_config = _STRICT

    role: Literal["processor", "own_store", "separate_controller", "recipient"]
    order: Order = Order.REST
    teaches: bool = False
    records: dict[str, RecordRule] = Field(min_length=1)


class Exemption(BaseModel):
    """A reason for keeping something, as the person is told it. Without `retention_years` it has no end."""

    model_config = _STRICT

    article: str = Field(pattern=_WORDING)
    scope: str = Field(pattern=_WORDING)
    disclosed: str = Field(pattern=_WORDING)
    retention_years: int | None = Field(default=None, gt=0, le=30)

    def until(self, today: date) -> date | None:
        """Return the day on which the reason ends."""
        return months_after(today, 12 * self.retention_years) if self.retention_years else None


class DeletedMembers(Exemption):
    """The "deleted members" record (privacy policy, Part X): which kind of record it is written for."""

    written_for: str
    retention_years: int = Field(gt=0, le=30)


class Exceptions(BaseModel):
    """The exceptions of the policy, by name."""

    model_config = _STRICT

    deleted_members: DeletedMembers
    contributor_name: Exemption


class Discovery(BaseModel):
    """How long the others wait for a slow system before they are treated, and how often a search may widen."""

    model_config = _STRICT

    patience: Duration
    rounds: int = Field(ge=1, le=10)


class VerificationTimes(BaseModel):
    """When systems are read again. Only a second look at least `days_for_e4` days after the first is E4."""

    model_config = _STRICT

    first_look: Duration
    second_look: Duration
    days_for_e4: int = Field(ge=1)


class Policy(BaseModel):
    """The whole of policy.toml. `digest` names the exact text that was in force."""

    model_config = _STRICT

    version: str
    privacy_policy: str
    discovery: Discovery
    verification: VerificationTimes
    exceptions: Exceptions
    systems: dict[str, SystemRules] = Field(min_length=1)
    digest: str

    @model_validator(mode="after")
    def _names_meet(self) -> Self:
        known = set(Exceptions.model_fields)
        for system, rules in self.systems.items():
            for kind, rule in rules.records.items():
                if rule.exception and rule.exception not in known:
                    raise ValueError(f"systems.{system}.records.{kind}: there is no exception of that name")
        system, _, kind = self.exceptions.deleted_members.written_for.partition(".")
        member = self.systems[system].records.get(kind) if system in self.systems else None
        if member is None or member.erasure is not Treatment.ERASE:
            raise ValueError("exceptions.deleted_members.written_for names no record kind that is erased")
        return self

    def writes_tombstone_for(self, system: str, kind: str) -> bool:
        """Tell whether a record of this kind means an individual membership."""
        return self.exceptions.deleted_members.written_for == f"{system}.{kind}"

    def exemption(self, name: str) -> Exemption:
        """Return an exception by name; raises KeyError when there is none."""
        by_name: dict[str, Exemption] = dict(self.exceptions)
        return by_name[name]


def parse(text: str) -> Policy:
    """Read policy.toml.

    Raises:
        BadInput: one sentence that names the line's meaning and what is wrong with it.
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"policy.toml is not TOML: {error}") from None
    if "digest" in table:
        raise BadInput("policy.toml: digest: is not a field that is known here")
    try:
        return Policy.model_validate({**table, "digest": hashlib.sha256(text.encode()).hexdigest()[:16]})
    except ValidationError as error:
        raise BadInput(f"policy.toml: {first_fault(error)}") from None


def refuse_gaps(policy: Policy, cards: Mapping[str, SystemCard]) -> None:
    """Raise BadInput when a system or a record kind is undecided, or decided without existing.

    `cards` are the cards of the systems that are switched on, by the name under which they are.
    """
    _refuse("system", "policy.toml says nothing about", cards.keys() - policy.systems.keys())
    _refuse(
        "system", "systems.toml does not switch on, though policy.toml names it,", policy.systems.keys() - cards.keys()
    )
    for name, card in sorted(cards.items()):
        decided, held = policy.systems[name].records.keys(), {kind.name for kind in card.holds}
        _refuse(f"record kind of {name}", "policy.toml does not classify", held - decided)
        _refuse(f"record kind of {name}", "policy.toml classifies what the connector does not hold:", decided - held)


def _refuse(what: str, why: str, names: Iterable[str]) -> None:
    if listed := ", ".join(sorted(names)):
        raise BadInput(f"{why} {what} {listed}")
